//! A client's resolver: a name's own record, else the wildcard's; what was learnt is remembered for its TTL.

use crate::control::Control;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A record set of a zone, as the control endpoint gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Without a trailing dot.
    pub name: String,
    /// `A`, `TXT`, …
    pub kind: String,
    /// Seconds.
    pub ttl: u64,
    /// Values.
    pub values: Vec<String>,
}

/// Every record of a zone, by its id.
///
/// # Panics
/// When there is no such zone.
#[track_caller]
pub fn records(control: &Control, zone: &str) -> Vec<Record> {
    let known = control.get("records");
    let zones = known["zones"].as_array().expect("zones");
    let is_it = |one: &&Value| one["id"].as_str().is_some_and(|id| id.ends_with(zone));
    let zone = zones.iter().find(is_it).unwrap_or_else(|| panic!("no zone {zone} in {known}"));
    zone["records"].as_array().expect("records").iter().map(record).collect()
}

fn record(set: &Value) -> Record {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let values = set["ResourceRecords"].as_array().cloned().unwrap_or_default();
    let values =
        values.iter().map(|one| if one.is_object() { text(&one["Value"]) } else { text(one) }).collect();
    let ttl = set["TTL"].as_u64().or_else(|| set["TTL"].as_str()?.parse().ok()).unwrap_or_default();
    let name = text(&set["Name"]).trim_end_matches('.').replace("\\052", "*");
    Record { name, kind: text(&set["Type"]), ttl, values }
}

/// The A record that answers for a name.
pub fn answering<'a>(records: &'a [Record], name: &str) -> Option<&'a Record> {
    let of = |wanted: &str| records.iter().find(|one| one.kind == "A" && one.name == wanted);
    // Any record at the name itself, or below it, switches the wildcard off for it.
    let below = format!(".{name}");
    let exists = records.iter().any(|one| one.name == name || one.name.ends_with(&below));
    of(name).or_else(|| {
        let (_, parent) = name.split_once('.')?;
        of(&format!("*.{parent}")).filter(|_| !exists)
    })
}

/// One client's resolver.
#[derive(Debug)]
pub struct Resolver {
    control: Control,
    zone: String,
    known: HashMap<String, (Instant, Vec<String>)>,
}

impl Resolver {
    /// Of a zone.
    pub fn new(control: Control, zone: &str) -> Resolver {
        Resolver { control, zone: zone.to_owned(), known: HashMap::new() }
    }

    /// The first address that a name leads to.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn resolve(&mut self, name: &str) -> Result<String, String> {
        let addresses = self.addresses(name)?;
        addresses.into_iter().next().ok_or_else(|| format!("{name} has an empty record"))
    }

    /// The addresses that a name leads to, as they are tried one after the other.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn addresses(&mut self, name: &str) -> Result<Vec<String>, String> {
        if let Some((until, addresses)) = self.known.get(name)
            && Instant::now() < *until
        {
            return Ok(addresses.clone());
        }
        let records = records(&self.control, &self.zone);
        let found = answering(&records, name).ok_or_else(|| format!("{name} does not resolve"))?;
        let until = Instant::now() + Duration::from_secs(found.ttl);
        self.known.insert(name.to_owned(), (until, found.values.clone()));
        Ok(found.values.clone())
    }
}

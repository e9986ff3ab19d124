//! One owner's wanted records against the zone.

use super::owner::{self, Claim};
use super::wanted::Wanted;
use super::zone::{Change, Zone};
use crate::naming;
use crate::observed::RecordSet;
use crate::settings::Settings;
use dormouse_state::planted;

/// How an owner's records stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is to be done.
    AsWanted,
    /// These changes make it so.
    Differs(Vec<Change>),
    /// Something that is not ours is in the way; it stays as it is.
    Foreign(String),
}

/// Record types that answer for an address, or that give the name away; any of them that is not ours is in the
/// way of a new record.
const IN_THE_WAY: &[&str] = &["A", "AAAA", "CNAME", "NS"];

/// Compares what an owner is to have (`None`: nothing) with the zone.
pub fn compare(
    settings: &Settings,
    domain: &str,
    zone: &Zone,
    owner: &str,
    wanted: Option<&Wanted>,
) -> Standing {
    let (old, claims) = match owner::claim(settings, domain, zone, owner) {
        Claim::None => (None, Default::default()),
        Claim::Ours(set, claims) => (Some(set), claims),
        Claim::Foreign if wanted.is_none() => return Standing::AsWanted,
        Claim::Foreign => {
            let name = naming::owner_name(owner, domain);
            return Standing::Foreign(format!("{name} holds a TXT record that is not ours"));
        }
    };
    let new = wanted.map(|wanted| owner::set(settings, domain, owner, wanted));
    let mut changes = Vec::new();
    let mut claimed_sets = Vec::new();
    for (name, addresses) in &claims {
        // A record that has another value by now is somebody else's; gone is gone.
        if let [set] = zone.get(name, "A")
            && !set.special
            && (set.values == *addresses || planted!(ReplacesForeign))
        {
            claimed_sets.push(set.clone());
        }
    }
    let wanted_sets: Vec<RecordSet> = wanted
        .iter()
        .flat_map(|wanted| &wanted.records)
        .map(|(name, addresses)| RecordSet {
            name: name.clone(),
            kind: "A".into(),
            ttl: Some(settings.dns_ttl.as_secs()),
            values: addresses.clone(),
            special: false,
        })
        .collect();
    // What somebody else sets beside a record of ours changes nothing for it.
    for wanted in wanted_sets.iter().filter(|set| claimed_sets.iter().all(|claimed| claimed.name != set.name))
    {
        let foreign = IN_THE_WAY.iter().find_map(|kind| zone.get(&wanted.name, kind).first());
        if let Some(set) = foreign {
            let value = if set.values.is_empty() { "an alias".to_owned() } else { set.values.join(", ") };
            return Standing::Foreign(format!(
                "{} already has a record of type {} ({value}) that is not ours",
                set.name, set.kind
            ));
        }
    }
    changes.extend(claimed_sets.iter().filter(|set| !wanted_sets.contains(set)).cloned().map(Change::Delete));
    if old != new {
        changes.extend(old.clone().map(Change::Delete));
    }
    changes.extend(wanted_sets.into_iter().filter(|set| !claimed_sets.contains(set)).map(Change::Create));
    if let Some(new) = new.filter(|_| !planted!(NoOwnership)) {
        let stands = old.as_ref() == Some(&new);
        // The reading may be older than the end of the claim: without it, what is made here would be nobody's.
        if stands && !changes.is_empty() {
            changes.push(Change::Delete(new.clone()));
        }
        if !stands || !changes.is_empty() {
            changes.push(Change::Create(new));
        }
    }
    if changes.is_empty() { Standing::AsWanted } else { Standing::Differs(changes) }
}

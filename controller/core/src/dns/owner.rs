//! The TXT that says whose a record is and what it was given.
//!
//! It stands at `<service>._dormouse.<domain>` and has one value that names the owner and one for each record:
//! `"heritage=dormouse,install=<id>,service=<name>,pair=<epoch>.<attempt>"` and `"a=<name>:<address>"`. A record
//! that no longer has the address it was given was changed by somebody else, and is theirs.

use super::wanted::Wanted;
use super::zone::Zone;
use crate::naming;
use crate::observed::RecordSet;
use crate::settings::Settings;
use dormouse_state::planted;
use std::collections::BTreeMap;

/// What an ownership TXT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// There is none.
    None,
    /// It is another installation's, or something else altogether.
    Foreign,
    /// Ours: the set itself, and record name → addresses as they were given.
    Ours(RecordSet, BTreeMap<String, Vec<String>>),
}

/// The TXT of an owner with these wanted records.
pub fn set(settings: &Settings, domain: &str, owner: &str, wanted: &Wanted) -> RecordSet {
    let mut values = vec![format!(
        "\"heritage=dormouse,install={},service={owner},pair={}\"",
        settings.install, wanted.pair
    )];
    values.extend(
        wanted.records.iter().map(|(name, addresses)| format!("\"a={name}:{}\"", addresses.join("+"))),
    );
    values.sort();
    RecordSet {
        name: naming::owner_name(owner, domain),
        kind: "TXT".into(),
        ttl: Some(settings.dns_ttl.as_secs()),
        values,
        special: false,
    }
}

/// Reads the claim of an owner.
pub fn claim(settings: &Settings, domain: &str, zone: &Zone, owner: &str) -> Claim {
    match zone.get(&naming::owner_name(owner, domain), "TXT") {
        [] => Claim::None,
        [set] if !set.special && is_ours(settings, set, owner) => Claim::Ours(set.clone(), claims(set)),
        _ => Claim::Foreign,
    }
}

/// Every owner that anybody has a TXT for.
pub fn claimed<'a>(domain: &str, zone: &'a Zone) -> impl Iterator<Item = &'a str> {
    let suffix = naming::owner_name("", domain);
    zone.iter().filter(|set| set.kind == "TXT").filter_map(move |set| set.name.strip_suffix(&suffix))
}

/// Every owner that this installation has a TXT for.
pub fn owners<'a>(
    settings: &'a Settings,
    domain: &'a str,
    zone: &'a Zone,
) -> impl Iterator<Item = String> + 'a {
    let suffix = naming::owner_name("", domain);
    zone.iter().filter(|set| set.kind == "TXT" && !set.special).filter_map(move |set| {
        let owner = set.name.strip_suffix(&suffix)?;
        is_ours(settings, set, owner).then(|| owner.to_owned())
    })
}

fn is_ours(settings: &Settings, set: &RecordSet, owner: &str) -> bool {
    let head = format!("\"heritage=dormouse,install={},service={owner},", settings.install);
    let names_it = |value: &String| planted!(ClaimsOfAll) && value.contains(&format!(",service={owner},"));
    set.values.iter().any(|value| value.starts_with(&head) || names_it(value))
}

fn claims(set: &RecordSet) -> BTreeMap<String, Vec<String>> {
    set.values
        .iter()
        .filter_map(|value| {
            let (name, addresses) = value.strip_prefix("\"a=")?.strip_suffix('"')?.split_once(':')?;
            Some((name.to_owned(), addresses.split('+').map(str::to_owned).collect()))
        })
        .collect()
}

//! Records against a zone, one family of behaviours a file.

mod batches;
mod comparing;
mod life;
mod properties;
mod wanting;

use super::{Change, Group, Plan, WILDCARD, Wanted, Zone, plan};
use crate::observed::RecordSet;
use crate::settings::Settings;
use crate::testing::scene::Scene;
use dormouse_state::PairId;

/// A set with a TTL of 10 s, as Dormouse makes them.
fn set(name: &str, kind: &str, values: &[&str]) -> RecordSet {
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    values.sort();
    RecordSet { name: name.into(), kind: kind.into(), ttl: Some(10), values, special: false }
}

fn a(service: &str, address: &str) -> RecordSet {
    set(&format!("{service}.example.com"), "A", &[address])
}

/// The ownership TXT of a service that was given an address.
fn txt(service: &str, pair: &str, address: &str) -> RecordSet {
    set(
        &format!("{service}._dormouse.example.com"),
        "TXT",
        &[
            &format!("\"heritage=dormouse,install=test,service={service},pair={pair}\""),
            &format!("\"a={service}.example.com:{address}\""),
        ],
    )
}

fn wanted(service: &str, attempt: u32, address: &str) -> Wanted {
    Wanted {
        seen: true,
        pair: PairId { epoch: 1, attempt },
        address: address.into(),
        records: [(format!("{service}.example.com"), vec![address.to_owned()])].into(),
    }
}

/// Settings without a wildcard, so that plans are about services only.
fn settings() -> Settings {
    Settings { wildcard: None, ..Settings::example() }
}

/// Plans `hello` alone.
fn plan_hello(scene: &Scene, want: Option<&Wanted>, zone: &Zone) -> Plan {
    let records = [("hello".to_owned(), scene.record.clone())].into();
    let wanted = want.map(|want| ("hello".to_owned(), want.clone())).into_iter().collect();
    plan(&settings(), &records, &wanted, zone, scene.now)
}

fn changes(groups: &[Group]) -> Vec<Change> {
    groups.iter().flat_map(|group| group.changes.clone()).collect()
}

/// The zone after a plan's changes, held to what Route 53 accepts.
fn apply(zone: &mut Zone, groups: &[Group]) {
    for change in changes(groups) {
        let set = change.set();
        let standing = zone.get(&set.name, &set.kind);
        match &change {
            Change::Create(_) => assert!(standing.is_empty(), "{change:?} but {standing:?}"),
            Change::Delete(set) => assert_eq!(standing, std::slice::from_ref(set)),
        }
        zone.apply(&change);
    }
}

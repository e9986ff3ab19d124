//! An address that is taken out of the wildcard record: when nobody is led to it any more.

use super::zone::{Change, Zone};
use crate::naming;
use crate::settings::Settings;
use std::time::Duration;

/// Who has just looked the name up takes a moment to connect.
const CONNECTS_IN: Duration = Duration::from_secs(1);

/// Whether an address is forgotten by everybody who keeps to the TTL. `everywhere_for`: how long ago the newest change of
/// the wildcard record was seen to have reached every name server.
pub fn is_forgotten(
    settings: &Settings,
    zone: &Zone,
    address: &str,
    everywhere_for: Option<Duration>,
) -> bool {
    let name = naming::record_name("*", &settings.domain);
    let mut named = zone.get(&name, "A").iter().flat_map(|set| &set.values);
    let stands = named.any(|value| value == address);
    !stands && everywhere_for.is_some_and(|since| since >= settings.dns_ttl + CONNECTS_IN)
}

/// Whether changes take an address out of a record of several that is not one's `own`: the others may be there, and were
/// only not heard of yet.
pub fn takes_out_another(changes: &[Change], own: &[String]) -> bool {
    let addresses = changes.iter().filter(|change| change.set().kind == "A");
    let (mut stay, mut go) = (Vec::new(), Vec::new());
    for change in addresses {
        match change {
            Change::Create(set) => stay.extend(&set.values),
            Change::Delete(set) if set.values.len() > 1 => go.extend(&set.values),
            Change::Delete(_) => {}
        }
    }
    go.iter().any(|address| !stay.contains(address) && !own.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::RecordSet;

    #[test]
    fn only_others_addresses_are_waited_for() {
        let set = |kind: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            RecordSet {
                name: "*.example.com".into(),
                kind: kind.into(),
                ttl: Some(10),
                values,
                special: false,
            }
        };
        let own = ["own".to_owned()];
        for (before, after, expected) in [
            (&["own", "a"][..], &["a"][..], false),
            (&["own", "a"], &["own"], true),
            (&["own", "a", "b"], &["b"], true),
            (&["own", "a"], &["own", "a", "b"], false),
            // Of a single one there is nobody who might be there besides.
            (&["a"], &["own"], false),
            (&["a", "b"], &["own"], true),
        ] {
            let changes = [Change::Delete(set("A", before)), Change::Create(set("A", after))];
            assert_eq!(takes_out_another(&changes, &own), expected, "{before:?} {after:?}");
        }
        let text = [Change::Delete(set("TXT", &["x", "y"]))];
        assert!(!takes_out_another(&text, &own));
    }

    #[test]
    fn an_address_is_forgotten_a_ttl_after_it_left_every_name_server() {
        let settings = Settings::example();
        let zone = |values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            let (name, kind) = ("*.example.com".into(), "A".into());
            Zone::new([RecordSet { name, kind, ttl: Some(10), values, special: false }])
        };
        let both = zone(&["192.0.2.1", "192.0.2.2"]);
        let other = zone(&["192.0.2.2"]);
        for (zone, everywhere_for, expected) in [
            (&both, Some(3600), false),
            (&other, None, false),
            (&other, Some(0), false),
            (&other, Some(10), false),
            (&other, Some(11), true),
            (&Zone::default(), Some(11), true),
        ] {
            let everywhere_for = everywhere_for.map(Duration::from_secs);
            let found = is_forgotten(&settings, zone, "192.0.2.1", everywhere_for);
            assert_eq!(found, expected, "{everywhere_for:?} {zone:?}");
        }
    }
}

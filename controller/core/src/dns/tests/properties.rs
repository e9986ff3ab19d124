//! Whatever stands in a zone: only what is ours changes, exactly, and one plan is enough.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SERVICES: [&str; 3] = ["one", "two", "three"];
const ADDRESSES: [&str; 3] = ["192.0.2.1", "192.0.2.2", "203.0.113.7"];

/// Record sets that a zone may hold under a service's names.
fn sets() -> impl Strategy<Value = Vec<RecordSet>> {
    let one = (0..SERVICES.len(), 0..ADDRESSES.len(), 0..ADDRESSES.len(), 0..10u8);
    prop::collection::vec(one, 0..6).prop_map(|choices| {
        let mut sets: BTreeMap<(String, String), RecordSet> = BTreeMap::new();
        for (service, address, claimed, what) in choices {
            let (service, address, claimed) = (SERVICES[service], ADDRESSES[address], ADDRESSES[claimed]);
            let found = match what {
                0..=2 => vec![a(service, address), txt(service, "1.1", address)],
                3 => vec![a(service, address), txt(service, "1.1", claimed)],
                4 => vec![txt(service, "1.1", claimed)],
                5 => vec![a(service, address)],
                6 => vec![set(&format!("{service}.example.com"), "AAAA", &["2001:db8::1"])],
                7 => vec![set(&format!("{service}._dormouse.example.com"), "TXT", &["\"v=spf1\""])],
                8 => vec![RecordSet { ttl: Some(300), ..a(service, address) }, txt(service, "1.2", address)],
                _ => vec![RecordSet {
                    special: true,
                    ttl: None,
                    ..set(&format!("{service}.example.com"), "A", &[])
                }],
            };
            for set in found {
                sets.insert((set.name.clone(), set.kind.clone()), set);
            }
        }
        sets.into_values().collect()
    })
}

/// Whether a set is ours: by its claim, or because a claim of ours names it with this very value.
fn is_ours(zone: &Zone, found: &RecordSet) -> bool {
    let claims = |set: &RecordSet| set.values.iter().any(|value| value.contains("install=test,"));
    if found.special || found.kind != "A" {
        return found.kind == "TXT" && claims(found);
    }
    zone.iter()
        .filter(|set| claims(set))
        .any(|set| set.values.contains(&format!("\"a={}:{}\"", found.name, found.values.join("+"))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_ours_changes(sets in sets(), wants in prop::collection::vec(0..=ADDRESSES.len(), SERVICES.len()), known in 0..8u8) {
        let before = Zone::new(sets);
        let records: BTreeMap<_, _> = SERVICES
            .iter()
            .enumerate()
            .filter(|(n, _)| known & (1 << n) != 0)
            .map(|(_, name)| {
                let mut record = Scene::waking().record;
                record.name = (*name).to_owned();
                ((*name).to_owned(), record)
            })
            .collect();
        let wanted: BTreeMap<_, _> = records
            .keys()
            .filter_map(|name| {
                let n = SERVICES.iter().position(|service| service == name)?;
                Some((name.clone(), wanted(name, 1, ADDRESSES.get(wants[n])?)))
            })
            .collect();
        let first = plan(&settings(), &records, &wanted, &before, Scene::waking().now);
        let mut zone = before.clone();
        apply(&mut zone, &first.groups);
        for change in changes(&first.groups) {
            if let Change::Delete(set) = &change {
                prop_assert!(is_ours(&before, set), "{change:?}");
            }
        }
        for set in before.iter().filter(|set| !is_ours(&before, set)) {
            prop_assert!(zone.get(&set.name, &set.kind).contains(set), "{set:?} is not ours");
        }
        for (name, want) in &wanted {
            let stands = zone.get(&format!("{name}.example.com"), "A").iter().any(|set| set.values == [want.address.clone()]);
            prop_assert!(stands || first.conflicts.contains_key(name), "{name} is neither given nor in conflict");
        }
        let again = plan(&settings(), &records, &wanted, &zone, Scene::waking().now);
        prop_assert_eq!(again.groups, vec![], "one plan is enough");
        for group in &first.groups {
            let intended = records.get(&group.owner).is_none_or(|_| first.memories[&group.owner].pending.is_some());
            prop_assert!(intended, "S15: {}", group.owner);
        }
    }
}

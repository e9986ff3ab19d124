//! The zone: compare and swap, propagation, and what resolvers remember.

use crate::dns::{Change, Zone};
use crate::intent::later;
use crate::observed::RecordSet;
use crate::testing::secs;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The zone in truth.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub zone: Zone,
    /// Sets that were created through [`Names::change`].
    ours: BTreeSet<RecordSet>,
    foreign: Vec<RecordSet>,
    /// Change id → when it is INSYNC.
    pub insync: BTreeMap<String, Timestamp>,
    /// Address → when the last name server lost it.
    pub gone_at: BTreeMap<String, Timestamp>,
    pub propagation: Duration,
}

impl Names {
    pub fn new() -> Names {
        let set = |name: &str, kind: &str, value: &str| RecordSet {
            name: name.into(),
            kind: kind.into(),
            ttl: Some(60),
            values: vec![value.into()],
            special: false,
        };
        let foreign = vec![
            set("example.com", "NS", "ns-1.example.net"),
            set("www.example.com", "A", "192.0.2.1"),
            set(
                "other._dormouse.example.com",
                "TXT",
                "\"heritage=dormouse,install=other,service=other,pair=1.1\"",
            ),
        ];
        Names {
            zone: Zone::new(foreign.clone()),
            ours: BTreeSet::new(),
            foreign,
            insync: BTreeMap::new(),
            gone_at: BTreeMap::new(),
            propagation: secs(8),
        }
    }

    /// Applies a batch whole or not at all, as Route 53 does; answers its id.
    pub fn change(&mut self, changes: &[Change], now: Timestamp) -> Option<String> {
        let mut zone = self.zone.clone();
        for change in changes {
            let set = change.set();
            let standing = zone.get(&set.name, &set.kind).to_vec();
            match change {
                Change::Create(_) if !standing.is_empty() => return None,
                Change::Delete(set) if standing != [set.clone()] => return None,
                _ => zone.apply(change),
            }
        }
        let insync = later(now, self.propagation);
        for change in changes {
            match change {
                Change::Create(set) => {
                    self.ours.insert(set.clone());
                    self.gone_at.retain(|address, _| !set.values.contains(address));
                }
                Change::Delete(set) => {
                    assert!(self.ours.remove(set), "S1: {set:?} was not made by us");
                    self.gone_at.extend(set.values.iter().map(|address| (address.clone(), insync)));
                }
            }
        }
        self.zone = zone;
        for set in &self.foreign {
            assert_eq!(
                self.zone.get(&set.name, &set.kind),
                std::slice::from_ref(set),
                "S1: foreign records stay as they are"
            );
        }
        let id = format!("C{}", self.insync.len());
        self.insync.insert(id.clone(), insync);
        Some(id)
    }

    /// The address in a service's own record.
    pub fn record(&self, service: &str) -> Option<&String> {
        self.zone.get(&format!("{service}.example.com"), "A").first()?.values.first()
    }

    /// Whether some resolver may still answer with an address.
    pub fn may_resolve(&self, address: &str, now: Timestamp) -> bool {
        let stands =
            self.zone.iter().any(|set| set.kind == "A" && set.values.iter().any(|value| value == address));
        stands || self.gone_at.get(address).is_some_and(|at| now < later(*at, secs(10)))
    }
}

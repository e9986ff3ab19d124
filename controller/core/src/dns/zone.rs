//! A zone's record sets by name and type, and the changes of a batch.

use crate::observed::RecordSet;
use std::collections::BTreeMap;

/// One change of a batch. There is no upsert: a change names what it replaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// The set must not exist.
    Create(RecordSet),
    /// The set must exist with exactly these values and this TTL.
    Delete(RecordSet),
}

impl Change {
    /// The set that is created or deleted.
    pub fn set(&self) -> &RecordSet {
        match self {
            Change::Create(set) | Change::Delete(set) => set,
        }
    }
}

/// A zone as it was read, with one's own changes since laid over it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// Name → its sets, by type.
    sets: BTreeMap<String, Vec<RecordSet>>,
}

impl Zone {
    /// A zone of these record sets.
    pub fn new(sets: impl IntoIterator<Item = RecordSet>) -> Zone {
        let mut zone = Zone::default();
        sets.into_iter().for_each(|set| zone.insert(set));
        zone
    }

    /// The sets of a name and type: one, or several with routing policies.
    pub fn get(&self, name: &str, kind: &str) -> &[RecordSet] {
        let Some(sets) = self.sets.get(name) else { return &[] };
        let from = sets.partition_point(|set| set.kind.as_str() < kind);
        let (_, rest) = sets.split_at(from);
        rest.split_at(rest.partition_point(|set| set.kind == kind)).0
    }

    /// Everything in it, by name.
    pub fn iter(&self) -> impl Iterator<Item = &RecordSet> {
        self.sets.values().flatten()
    }

    /// Lays an accepted change over it.
    pub fn apply(&mut self, change: &Change) {
        match change {
            // Laid over a zone that was read since, it is there already.
            Change::Create(set) if self.get(&set.name, &set.kind).contains(set) => {}
            Change::Create(set) => self.insert(set.clone()),
            Change::Delete(set) => {
                if let Some(sets) = self.sets.get_mut(&set.name) {
                    sets.retain(|known| known != set);
                }
            }
        }
    }

    fn insert(&mut self, set: RecordSet) {
        let sets = self.sets.entry(set.name.clone()).or_default();
        // Behind those of its type.
        let at = sets.partition_point(|known| known.kind <= set.kind);
        sets.insert(at, set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, kind: &str, value: &str) -> RecordSet {
        let values = vec![value.to_owned()];
        RecordSet { name: name.into(), kind: kind.into(), ttl: Some(10), values, special: false }
    }

    #[test]
    fn sets_are_found_by_name_and_type_in_the_order_in_which_they_came() {
        let sets = [("a", "TXT", "1"), ("a", "A", "2"), ("b", "A", "3"), ("a", "AAAA", "4"), ("a", "A", "5")];
        let mut zone = Zone::new(sets.map(|(name, kind, value)| set(name, kind, value)));
        let values = |zone: &Zone, name, kind| -> Vec<String> {
            zone.get(name, kind).iter().flat_map(|set| set.values.clone()).collect()
        };
        assert_eq!(values(&zone, "a", "A"), ["2", "5"]);
        assert_eq!(values(&zone, "a", "AAAA"), ["4"]);
        assert_eq!(values(&zone, "a", "TXT"), ["1"]);
        assert_eq!(values(&zone, "b", "TXT"), [""; 0]);
        assert_eq!(values(&zone, "c", "A"), [""; 0]);
        zone.apply(&Change::Delete(set("a", "A", "2")));
        zone.apply(&Change::Create(set("a", "CNAME", "6")));
        zone.apply(&Change::Create(set("a", "CNAME", "6")));
        assert_eq!(values(&zone, "a", "A"), ["5"]);
        assert_eq!(values(&zone, "a", "CNAME"), ["6"], "it was there already");
        assert_eq!(zone.iter().count(), 5);
    }
}

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
    sets: BTreeMap<(String, String), Vec<RecordSet>>,
}

impl Zone {
    /// A zone of these record sets.
    pub fn new(sets: impl IntoIterator<Item = RecordSet>) -> Zone {
        let mut zone = Zone::default();
        for set in sets {
            zone.sets.entry((set.name.clone(), set.kind.clone())).or_default().push(set);
        }
        zone
    }

    /// The sets of a name and type: one, or several with routing policies.
    pub fn get(&self, name: &str, kind: &str) -> &[RecordSet] {
        self.sets.get(&(name.to_owned(), kind.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Everything in it, by name.
    pub fn iter(&self) -> impl Iterator<Item = &RecordSet> {
        self.sets.values().flatten()
    }

    /// Lays an accepted change over it.
    pub fn apply(&mut self, change: &Change) {
        let set = change.set();
        let sets = self.sets.entry((set.name.clone(), set.kind.clone())).or_default();
        match change {
            // Laid over a zone that was read since, it is there already.
            Change::Create(set) if sets.contains(set) => {}
            Change::Create(set) => sets.push(set.clone()),
            Change::Delete(set) => sets.retain(|known| known != set),
        }
    }
}

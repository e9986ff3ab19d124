//! What somebody takes out where no row remembers it: the wildcard, and the private zone. It is put back at once, and then
//! no more often than services' own records are.

use super::memory::REPAIR_EVERY;
use super::{Change, Group};
use crate::intent::{later, since};
use crate::observed::RecordSet;
use dormouse_state::planted;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was made in a zone, by owner, for as long as its maker leads.
#[derive(Debug, Default)]
pub struct Restored(BTreeMap<String, Made>);

#[derive(Debug)]
struct Made {
    addresses: Vec<RecordSet>,
    /// When it was put back last.
    put_back_at: Option<Timestamp>,
}

impl Restored {
    /// Takes out of `groups` what was put back lately: owner → when it may be again.
    pub fn withhold(&self, groups: &mut Vec<Group>, now: Timestamp) -> BTreeMap<String, Duration> {
        let mut withheld = BTreeMap::new();
        groups.retain(|group| {
            let again = self.again_at(group).filter(|at| now < *at && !planted!(FightsOutsiders));
            withheld.extend(again.map(|at| (group.owner.clone(), since(at, now))));
            again.is_none()
        });
        withheld
    }

    fn again_at(&self, group: &Group) -> Option<Timestamp> {
        let made = self.0.get(&group.owner).filter(|made| made.has_all_of(group))?;
        Some(later(made.put_back_at?, REPAIR_EVERY))
    }

    /// Route 53 accepted a group.
    pub fn accepted(&mut self, group: &Group, now: Timestamp) {
        match self.0.get_mut(&group.owner).filter(|made| made.has_all_of(group)) {
            Some(made) => made.put_back_at = Some(now),
            None => {
                let addresses = addresses(group).cloned().collect();
                self.0.insert(group.owner.clone(), Made { addresses, put_back_at: None });
            }
        }
    }
}

impl Made {
    /// Whether a group makes again what was made before, or a part of it, and nothing else.
    fn has_all_of(&self, group: &Group) -> bool {
        addresses(group).next().is_some() && addresses(group).all(|set| self.addresses.contains(set))
    }
}

fn addresses(group: &Group) -> impl Iterator<Item = &RecordSet> {
    group.changes.iter().filter_map(|change| match change {
        Change::Create(set) if set.kind != "TXT" => Some(set),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, secs};

    fn set(name: &str, address: &str) -> RecordSet {
        RecordSet {
            name: name.into(),
            kind: "A".into(),
            ttl: Some(10),
            values: vec![address.into()],
            special: false,
        }
    }

    fn making(sets: &[(&str, &str)]) -> Group {
        let changes = sets.iter().map(|(name, address)| Change::Create(set(name, address))).collect();
        Group { owner: "a".into(), changes }
    }

    fn unmaking(name: &str, address: &str) -> Group {
        Group { owner: "a".into(), changes: vec![Change::Delete(set(name, address))] }
    }

    /// (When, what is to be changed, in how many seconds it may be; 0: it is, at once.)
    #[test]
    fn what_was_put_back_is_put_back_again_after_five_minutes() {
        let both = || making(&[("proxy", "10.0.0.1"), ("service", "10.0.0.2")]);
        let mut restored = Restored::default();
        for (second, group, wait) in [
            (0, both(), 0),
            (10, both(), 0),
            (20, both(), 290),
            // One of them is a part of it.
            (30, making(&[("proxy", "10.0.0.1")]), 280),
            (310, making(&[("proxy", "10.0.0.1")]), 0),
            (320, both(), 290),
            // Another address is nothing that was taken out.
            (330, making(&[("proxy", "10.0.0.9")]), 0),
            (340, making(&[("proxy", "10.0.0.9")]), 0),
            (350, making(&[("proxy", "10.0.0.9")]), 290),
            // Nor is what was withdrawn meanwhile.
            (360, unmaking("proxy", "10.0.0.9"), 0),
            (370, making(&[("proxy", "10.0.0.9")]), 0),
        ] {
            let mut groups = vec![group];
            let withheld = restored.withhold(&mut groups, at(second));
            let expected = (wait > 0).then(|| ("a".to_owned(), secs(wait)));
            assert_eq!(withheld, expected.into_iter().collect(), "second {second}");
            assert_eq!(groups.len(), usize::from(wait == 0), "second {second}");
            groups.iter().for_each(|group| restored.accepted(group, at(second)));
        }
    }
}

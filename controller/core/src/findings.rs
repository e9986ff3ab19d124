//! What each condition of a service is found to be, and how it becomes what is remembered.

use crate::status::Finding;
use dormouse_state::{Condition, ConditionType as Type};
use jiff::Timestamp;

/// A place for every type.
const TYPES: usize = Type::Degraded as usize + 1;

/// Findings by type; those that are not there are unknown.
#[derive(Debug, Default)]
pub(crate) struct Findings([Option<(Type, Finding)>; TYPES]);

impl Findings {
    /// Puts one in.
    pub(crate) fn insert(&mut self, kind: Type, finding: Finding) {
        if let Some(place) = self.0.get_mut(kind as usize) {
            *place = Some((kind, finding));
        }
    }

    /// What was found.
    pub(crate) fn get(&self, kind: Type) -> Option<&Finding> {
        self.0.get(kind as usize)?.as_ref().map(|(_, finding)| finding)
    }

    /// Whether it was found to be so.
    pub(crate) fn are(&self, kind: Type) -> bool {
        self.get(kind).is_some_and(|(status, ..)| *status)
    }

    fn iter(&self) -> impl Iterator<Item = &(Type, Finding)> {
        self.0.iter().flatten()
    }

    /// Whether these conditions say the very same. As a rule they do.
    pub(crate) fn say(&self, known: &[Condition]) -> bool {
        let same = |(kind, (status, reason, message)): &(Type, Finding), known: &Condition| {
            (*kind, *status) == (known.kind, known.status)
                && *reason == known.reason
                && *message == known.message
        };
        self.iter().count() == known.len() && self.iter().zip(known).all(|(found, known)| same(found, known))
    }

    /// As conditions, sorted by type, with the time of the last change of each status kept.
    pub(crate) fn conditions(self, known: &[Condition], now: Timestamp) -> Vec<Condition> {
        let condition = |(kind, (status, reason, message)): (Type, Finding)| {
            let same = known.iter().find(|known| known.kind == kind && known.status == status);
            Condition {
                kind,
                status,
                reason: reason.to_owned(),
                message: message.into_owned(),
                last_transition_time: same.map_or(now, |known| known.last_transition_time),
            }
        };
        self.0.into_iter().flatten().map(condition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn found(findings: &[(Type, Finding)]) -> Findings {
        let mut found = Findings::default();
        findings.iter().cloned().for_each(|(kind, finding)| found.insert(kind, finding));
        found
    }

    #[test]
    fn the_time_of_a_status_is_kept_for_as_long_as_it_stays() {
        let first =
            [(Type::Degraded, (true, "Slow", "a".into())), (Type::Ready, (false, "Waiting", "b".into()))];
        let known = found(&first).conditions(&[], at(1));
        assert_eq!(known.iter().map(|known| known.kind).collect::<Vec<_>>(), [Type::Ready, Type::Degraded]);
        assert!(
            found(&first).say(&known) && !found(&first).are(Type::Ready) && found(&first).are(Type::Degraded)
        );
        for (changed, says, times) in [
            (first[0].clone(), true, [1, 1]),
            ((Type::Ready, (false, "Other", "b".into())), false, [1, 1]),
            ((Type::Ready, (false, "Waiting", "c".into())), false, [1, 1]),
            ((Type::Ready, (true, "Waiting", "b".into())), false, [2, 1]),
        ] {
            let mut found = found(&first);
            found.insert(changed.0, changed.1.clone());
            assert_eq!(found.say(&known), says, "{changed:?}");
            let after = found.conditions(&known, at(2));
            assert_eq!(
                after.iter().map(|after| after.last_transition_time).collect::<Vec<_>>(),
                times.map(at)
            );
        }
    }

    #[test]
    fn one_that_is_not_found_any_more_is_a_change() {
        let both =
            [(Type::Ready, (true, "Ready", "".into())), (Type::Conflict, (true, "Foreign", "".into()))];
        let known = found(&both).conditions(&[], at(1));
        assert!(!found(&both[..1]).say(&known) && !found(&both).say(&known[..1]));
    }
}

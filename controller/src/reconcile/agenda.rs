//! When each part of a full look is due: one that fails is read again soon, and does not hold up the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// What is read whole, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The table of records, and that of templates.
    Table,
    /// Every task of ours in a cluster.
    Tasks(String),
    /// The instances and their group.
    Fleet,
    /// A zone's records, by its id.
    Zone(String),
}

/// When what is read next.
#[derive(Debug)]
pub(super) struct Agenda {
    due: BTreeMap<Part, Instant>,
    unread: BTreeSet<Part>,
}

impl Agenda {
    /// Everything is due.
    pub(super) fn new(parts: impl IntoIterator<Item = Part>, now: Instant) -> Agenda {
        let unread: BTreeSet<Part> = parts.into_iter().collect();
        Agenda { due: unread.iter().map(|part| (part.clone(), now)).collect(), unread }
    }

    /// What is due by now, and with it what is due `soon` after: after each look plans are made, and one look of all parts
    /// is one such time.
    pub(super) fn due(&self, now: Instant, soon: Duration) -> Vec<Part> {
        if self.next().is_none_or(|next| next > now) {
            return Vec::new();
        }
        let due = self.due.iter().filter(|(_, at)| **at <= now + soon);
        due.map(|(part, _)| part.clone()).collect()
    }

    /// A part was read whole; it is due again after a while.
    pub(super) fn was_read(&mut self, part: &Part, again: Instant) {
        self.unread.remove(part);
        self.put(part, again);
    }

    /// When a part is due.
    pub(super) fn put(&mut self, part: &Part, at: Instant) {
        self.due.insert(part.clone(), at);
    }

    /// Nothing is due later than that.
    pub(super) fn no_later_than(&mut self, latest: Instant) {
        self.due.values_mut().for_each(|at| *at = latest.min(*at));
    }

    /// When the next part is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Whether every part was read once.
    pub(super) fn is_complete(&self) -> bool {
        self.unread.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(7);

    #[test]
    fn what_fails_is_due_soon_and_the_rest_when_it_was() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let (tasks, zone) = (Part::Tasks("services".into()), Part::Zone("Z1".into()));
        let mut agenda = Agenda::new([tasks.clone(), Part::Fleet, zone.clone()], now);
        assert_eq!(agenda.due(now, SOON), [tasks.clone(), Part::Fleet, zone.clone()]);
        agenda.was_read(&tasks, after(30));
        agenda.put(&Part::Fleet, after(1));
        agenda.was_read(&zone, after(30));
        assert_eq!((agenda.next(), agenda.is_complete()), (Some(after(1)), false));
        assert_eq!(agenda.due(after(2), SOON), [Part::Fleet]);
        agenda.was_read(&Part::Fleet, after(32));
        assert_eq!((agenda.next(), agenda.is_complete()), (Some(after(30)), true));
        assert_eq!(agenda.due(after(29), SOON), []);
        assert_eq!(agenda.due(after(30), SOON), [tasks.clone(), Part::Fleet, zone.clone()], "together again");
        agenda.was_read(&Part::Fleet, after(40));
        assert_eq!(agenda.due(after(30), SOON), [tasks, zone]);
        agenda.put(&Part::Fleet, after(40));
        assert!(agenda.is_complete(), "it was read once");
    }

    #[test]
    fn what_was_put_off_while_all_slept_can_be_had_sooner() {
        let now = Instant::now();
        let mut agenda = Agenda::new([Part::Fleet, Part::Table], now);
        agenda.was_read(&Part::Fleet, now + Duration::from_secs(120));
        agenda.was_read(&Part::Table, now + Duration::from_secs(10));
        agenda.no_later_than(now + Duration::from_secs(30));
        assert_eq!(agenda.due(now + Duration::from_secs(10), SOON), [Part::Table]);
        assert_eq!(agenda.due(now + Duration::from_secs(30), SOON).len(), 2);
    }
}

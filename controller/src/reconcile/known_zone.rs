//! A zone as it was last read, with one's own changes laid over what was read before they were made.

use dormouse_core::dns::{Change, Zone};
use dormouse_core::observed::RecordSet;
use std::time::Duration;
use tokio::time::Instant;

/// No reading takes longer than this, however many pages the zone has.
const READ_WITHIN: Duration = Duration::from_secs(300);

/// What is known of a zone.
#[derive(Debug, Default)]
pub struct KnownZone {
    zone: Option<Zone>,
    /// Changes that were accepted lately, and when: a reading that was under way then may lack them.
    made: Vec<(Instant, Change)>,
}

impl KnownZone {
    /// The zone, once it was read.
    pub fn get(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// A reading that began at `began` has come to its end.
    pub fn read(&mut self, began: Instant, sets: Vec<RecordSet>) {
        let mut zone = Zone::new(sets);
        let meanwhile = self.made.iter().filter(|(at, _)| *at >= began);
        meanwhile.for_each(|(_, change)| zone.apply(change));
        self.zone = Some(zone);
    }

    /// Route 53 accepted these changes just now.
    pub fn changed(&mut self, changes: &[Change]) {
        let now = Instant::now();
        self.made.retain(|(at, _)| now.duration_since(*at) < READ_WITHIN);
        self.made.extend(changes.iter().map(|change| (now, change.clone())));
        if let Some(zone) = &mut self.zone {
            changes.iter().for_each(|change| zone.apply(change));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> RecordSet {
        let values = vec!["192.0.2.1".to_owned()];
        RecordSet { name: name.into(), kind: "A".into(), ttl: Some(10), values, special: false }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_takes_back_no_change_that_was_made_while_it_was_under_way() {
        let names = |known: &KnownZone| -> Vec<String> {
            known.get().unwrap().iter().map(|set| set.name.clone()).collect()
        };
        let mut known = KnownZone::default();
        known.changed(&[Change::Create(set("early"))]);
        tokio::time::advance(Duration::from_secs(1)).await;
        let began = Instant::now();
        let seen = vec![set("gone"), set("stays")];
        tokio::time::advance(Duration::from_secs(1)).await;
        known.changed(&[Change::Create(set("new")), Change::Delete(set("gone"))]);
        known.read(began, seen.clone());
        assert_eq!(names(&known), ["new", "stays"], "what the reading could have seen is as it was read");
        tokio::time::advance(Duration::from_secs(1)).await;
        known.read(Instant::now(), seen);
        assert_eq!(names(&known), ["gone", "stays"]);
    }
}

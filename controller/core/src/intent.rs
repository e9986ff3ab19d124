//! How the remembered intention changes: declare, wake, sleep, delete.
//!
//! Each function answers the next record, or `None` when nothing is to be written.

use crate::lifecycle::{backoff, rollout};
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_state::{
    Cause, Desired, DnsChange, DnsMemory, Good, PairId, Rest, Rollout, ServiceRecord, planted,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Use is written down in steps of this much at the finest: a busy service costs few writes.
const ACTIVITY_STEP: SignedDuration = SignedDuration::from_secs(10);

/// Why a wake cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is being deleted")]
pub struct Deleting;

/// The record of a newly declared service, or of a known one after its manifest was declared again.
pub fn declare(known: Option<&ServiceRecord>, manifest: &Service, now: Timestamp) -> Option<ServiceRecord> {
    let (name, labels, spec) = (&manifest.metadata.name, &manifest.metadata.labels, &manifest.spec);
    let Some(known) = known else {
        let mut record = ServiceRecord::declared(name, labels.clone(), spec.clone(), now);
        record.note(now, "Declared", "declared");
        record.rollout = changed(None, &record);
        return Some(record);
    };
    if known.labels == *labels && known.spec == *spec && !known.deleting {
        return taken_over(known, now).or_else(|| tried_again(known, now));
    }
    let mut next = known.clone();
    next.made_from = None;
    next.labels.clone_from(labels);
    next.spec = spec.clone().into();
    next.generation += 1;
    next.deleting = false;
    // What failed before need not fail now.
    next.failures = 0;
    next.retry_at = next.retry_at.map(|at| at.min(later(now, backoff(0))));
    next.note(now, "Changed", format!("generation {} declared", next.generation));
    if rollout::version(&known.spec) != rollout::version(spec) {
        next.rollout = changed(Some(known), &next);
    } else if let Some(rollout) = next.rollout.as_mut().filter(|rollout| !rollout.rolled_back) {
        rollout.generation = next.generation;
    }
    Some(next)
}

/// What is to be remembered of a manifest that needs new tasks: only what a check needs.
fn changed(known: Option<&ServiceRecord>, next: &ServiceRecord) -> Option<Rollout> {
    let good = known.and_then(|known| {
        if known.proven != known.generation {
            return known.rollout.as_ref()?.good.clone();
        }
        let (generation, labels, spec) = (known.generation, known.labels.clone(), known.spec.clone());
        Some(Box::new(Good { generation, labels, spec }))
    });
    let check = Rollout { check: true, good, ..Rollout::of(next.generation) };
    next.spec.rollout_check.then_some(check)
}

/// What was made from a template is somebody's from here on, who deletes it.
fn taken_over(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    let from = known.made_from.as_ref()?;
    let mut next = known.clone();
    next.note(now, "Declared", format!("declared; no longer of the template `{}`", from.template));
    next.made_from = None;
    Some(next)
}

/// What failed to come into use is declared as it was: it is to be tried again.
fn tried_again(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    let rollout =
        known.rollout.as_ref().filter(|rollout| rollout.failure.is_some() && !rollout.rolled_back)?;
    let mut next = known.clone();
    let (check, good) = (known.spec.rollout_check, rollout.good.clone());
    next.rollout = Some(Rollout { check, good, ..Rollout::of(known.generation) });
    next.note(now, "Changed", format!("generation {} declared again", known.generation));
    Some(next)
}

/// Wakes a service, or keeps an awake one from falling asleep.
pub fn wake(
    known: &ServiceRecord,
    origin: &str,
    reason: &str,
    at_least: Option<Duration>,
    now: Timestamp,
) -> Result<Option<ServiceRecord>, Deleting> {
    if known.deleting {
        return Err(Deleting);
    }
    let until = at_least.map(|span| later(now, span)).filter(|until| Some(*until) > known.awake_until);
    let mut next = known.clone();
    next.last_activity = next.last_activity.max(now);
    if let Some(until) = until {
        next.awake_until = Some(until);
    }
    if known.desired == Desired::Awake {
        if let Some(wake) = next.last_wake.as_mut().filter(|wake| wake.origin == rollout::ORIGIN) {
            // It is awake on somebody's account from here on.
            (wake.origin, wake.reason) = (origin.to_owned(), reason.to_owned());
            return Ok(Some(next));
        }
        let worth_it = until.is_some() || now.duration_since(known.last_activity) >= ACTIVITY_STEP;
        return Ok(worth_it.then_some(next));
    }
    next.desired = Desired::Awake;
    next.epoch += u64::from(!planted!(SameEpoch));
    if known.rest.as_ref().is_some_and(|rest| rest.forced)
        && let Some(pair) = &mut next.pair
    {
        pair.condemned.get_or_insert((now, "its time was up; it was woken anew".to_owned()));
    }
    next.rest = next.rest.filter(|_| planted!(WakeKeepsDraining));
    if planted!(WakeRevives) && next.pair.is_none() {
        next.pair =
            next.retiring.pop().map(|pair| Box::new(dormouse_state::Pair { condemned: None, ..pair }));
    }
    next.last_wake =
        Some(Cause { at: now, origin: origin.to_owned(), reason: reason.to_owned(), duration_ms: None });
    next.note(now, "Woken", sentence(origin, reason));
    Ok(Some(next))
}

/// Puts a service to sleep. `requests`: how many its proxy has taken so far, when that is known.
pub fn sleep(
    known: &ServiceRecord,
    origin: &str,
    reason: &str,
    requests: Option<u64>,
    now: Timestamp,
) -> Option<ServiceRecord> {
    if known.desired == Desired::Asleep {
        return None;
    }
    let mut next = known.clone();
    next.desired = Desired::Asleep;
    next.awake_until = None;
    next.rest = Some(Rest { since: now, requests, drain_at: None, forced: false });
    next.last_sleep =
        Some(Cause { at: now, origin: origin.to_owned(), reason: reason.to_owned(), duration_ms: None });
    next.note(now, "Slept", sentence(origin, reason));
    Some(next)
}

/// Puts a service to sleep whose time is up, even while it is used: no request takes it back.
pub fn force_sleep(known: &ServiceRecord, reason: &str, now: Timestamp) -> Option<ServiceRecord> {
    let mut next = sleep(known, "maxAwake", reason, None, now)?;
    if let Some(rest) = &mut next.rest {
        rest.forced = true;
    }
    Some(next)
}

/// Deletes a service: it sleeps, and its row goes last.
pub fn delete(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    if known.deleting {
        return None;
    }
    let mut next = sleep(known, "delete", "deleted", None, now).unwrap_or_else(|| known.clone());
    next.deleting = true;
    next.note(now, "Deleting", "deleted: its tasks and records end first");
    Some(next)
}

/// A row for tasks that have none: they and their records end, and the row goes last. A record may stand in the zone that was
/// made for a pair of which nothing is left; it is to be found out.
pub fn bury(name: &str, now: Timestamp) -> Option<ServiceRecord> {
    let spec = ServiceSpec::defaults_for("none");
    let mut next = delete(&ServiceRecord::declared(name, BTreeMap::default(), spec, now), now)?;
    let sought = DnsChange::sought(PairId::default(), now);
    next.dns = DnsMemory { pending: Some(sought), ..DnsMemory::default() };
    Some(next)
}

/// `at + span`, saturating.
pub fn later(at: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| at.checked_add(span).ok()).unwrap_or(Timestamp::MAX)
}

/// Time from `earlier` to `at`; zero when it lies ahead.
pub fn since(at: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(earlier)).unwrap_or_default()
}

fn sentence(origin: &str, reason: &str) -> String {
    if reason.is_empty() { origin.to_owned() } else { format!("{origin}: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn hello() -> ServiceRecord {
        declare(None, &Service::new("hello", ServiceSpec::defaults_for("demo")), at(0)).unwrap()
    }

    #[test]
    fn declaring_the_same_again_changes_nothing() {
        let manifest = Service::new("hello", ServiceSpec::defaults_for("demo"));
        assert_eq!(declare(Some(&hello()), &manifest, at(1)), None);
        let mut other = manifest.clone();
        other.spec.port = 80;
        assert_eq!(declare(Some(&hello()), &other, at(1)).unwrap().generation, 2);
    }

    #[test]
    fn each_wake_from_sleep_has_an_epoch_of_its_own() {
        let awake = wake(&hello(), "api", "", None, at(1)).unwrap().unwrap();
        assert_eq!((awake.epoch, awake.desired), (1, Desired::Awake));
        assert_eq!(wake(&awake, "api", "", None, at(2)).unwrap(), None, "a second wake adds nothing");
        assert_eq!(wake(&awake, "api", "", None, at(30)).unwrap().unwrap().last_activity, at(30));
        let asleep = sleep(&awake, "idle", "", Some(7), at(40)).unwrap();
        assert_eq!(asleep.rest.as_ref().unwrap().requests, Some(7));
        let again = wake(&asleep, "api", "", None, at(41)).unwrap().unwrap();
        assert_eq!((again.epoch, again.rest), (2, None));
    }

    #[test]
    fn for_a_time_at_least() {
        let hour = Duration::from_secs(3600);
        let awake = wake(&hello(), "api", "", Some(hour), at(0)).unwrap().unwrap();
        assert_eq!(awake.awake_until, Some(at(3600)));
        let shorter = wake(&awake, "api", "", Some(hour / 2), at(1)).unwrap();
        assert_eq!(shorter, None, "a shorter time takes nothing away");
    }

    #[test]
    fn what_is_deleted_does_not_wake() {
        let going = delete(&hello(), at(1)).unwrap();
        assert_eq!(wake(&going, "api", "", None, at(2)), Err(Deleting));
        let manifest = Service::new("hello", ServiceSpec::defaults_for("demo"));
        assert!(!declare(Some(&going), &manifest, at(3)).unwrap().deleting, "declared again, it stays");
    }
}

//! What happened to a service between two of its records, for those who count it.

use crate::intent::{later, since};
use crate::lifecycle::rollout;
use dormouse_state::{Condition, ConditionType as Type, Desired, ServiceRecord};
use jiff::Timestamp;
use std::time::Duration;

/// Who wakes services.
pub const WAKE_ORIGINS: [&str; 6] = ["request", "page", "api", "schedule", "dependency", rollout::ORIGIN];

/// Who or what puts them to sleep.
pub const SLEEP_ORIGINS: [&str; 6] = ["idle", "api", "container", "maxAwake", "delete", rollout::ORIGIN];

/// Something that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// It is wanted awake now, and was not; by whom, in one word.
    Woken(String),
    /// It is not wanted awake any more; by whom, in one word.
    Slept(String),
    /// A wake has come to its end: users are answered.
    Ready(Took),
    /// A pair ended before its time.
    PairLost,
    /// Requests or sockets were still open when a drain was over.
    DrainCut,
}

/// How long a wake took, and where the time went.
///
/// Service and proxy start beside each other. So `instance`, `service` and `path` add up to `total` when the service
/// is the later of the two, and `proxy` and `path` when the proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Took {
    /// From the wake until users are answered.
    pub total: Duration,
    /// From the wake until an instance had room for the service's task.
    pub instance: Duration,
    /// From there until the service's container answered.
    pub service: Duration,
    /// From the wake until the proxy served.
    pub proxy: Duration,
    /// From when both did until users are answered: the record, and the first probe through it.
    pub path: Duration,
}

impl Took {
    /// The parts by their names.
    pub const fn phases(&self) -> [(&'static str, Duration); 4] {
        [("instance", self.instance), ("service", self.service), ("proxy", self.proxy), ("path", self.path)]
    }
}

/// What happened between a record and the one that takes its place.
pub fn between(before: &ServiceRecord, after: &ServiceRecord) -> Vec<Transition> {
    let mut found = Vec::new();
    let origin = |cause: &Option<dormouse_state::Cause>| {
        cause.as_ref().map_or_else(|| "unknown".to_owned(), |cause| cause.origin.clone())
    };
    match (before.desired, after.desired) {
        (Desired::Asleep, Desired::Awake) => found.push(Transition::Woken(origin(&after.last_wake))),
        (Desired::Awake, Desired::Asleep) => found.push(Transition::Slept(origin(&after.last_sleep))),
        _ => {}
    }
    found.extend(took(before, after).map(Transition::Ready));
    if after.failures > before.failures {
        found.push(Transition::PairLost);
    }
    let cut = fresh(before, after).filter(|event| event.reason == "DrainCut");
    found.extend(cut.map(|_| Transition::DrainCut));
    found
}

/// Events of `after` that `before` does not have, the newest first.
pub fn fresh<'a>(
    before: &'a ServiceRecord,
    after: &'a ServiceRecord,
) -> impl Iterator<Item = &'a dormouse_state::Event> {
    let known = before.events.last();
    after.events.iter().rev().take_while(move |event| Some(*event) != known)
}

fn took(before: &ServiceRecord, after: &ServiceRecord) -> Option<Took> {
    let wake = after.last_wake.as_ref()?;
    let total = Duration::from_millis(wake.duration_ms?);
    let was_open = before.last_wake.as_ref().is_some_and(|known| known.duration_ms.is_none());
    // The same wake: another one that is over at once has nothing to tell of its parts.
    if !was_open || before.epoch != after.epoch {
        return None;
    }
    let parts = parts(&after.conditions, wake.at, later(wake.at, total));
    let [instance, service, proxy, path] = parts.map(|(_, from, to)| since(to, from));
    Some(Took { total, instance, service, proxy, path })
}

/// The parts of a wake that has come to its end, each from when to when: as [`Took`] has them.
pub fn parts(
    conditions: &[Condition],
    woken: Timestamp,
    over: Timestamp,
) -> [(&'static str, Timestamp, Timestamp); 4] {
    let end = |kind: Type| -> Timestamp {
        let condition = conditions.iter().find(|known| known.kind == kind && known.status);
        // What held already when it was woken took no time.
        condition.map_or(woken, |condition| condition.last_transition_time.max(woken))
    };
    let (instance, service, proxy) =
        (end(Type::CapacityAvailable), end(Type::ServiceRunning), end(Type::ProxyRunning));
    [
        ("instance", woken, instance),
        ("service", instance, service),
        ("proxy", woken, proxy),
        ("path", service.max(proxy), over),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent;
    use crate::testing::{moment, secs};
    use dormouse_manifests::{Service, ServiceSpec};

    const WOKEN: &str = "2026-03-01T10:00:00Z";

    fn asleep() -> ServiceRecord {
        let service = Service::new("hello", ServiceSpec::defaults_for("demo"));
        intent::declare(None, &service, moment("2026-03-01T00:00:00Z")).unwrap()
    }

    fn waking() -> ServiceRecord {
        intent::wake(&asleep(), "request", "GET /", None, moment(WOKEN)).unwrap().unwrap()
    }

    /// What became of a wake after so many seconds; conditions that came true after so many.
    fn ready(total: u64, conditions: &[(Type, i64)]) -> ServiceRecord {
        let mut record = waking();
        record.last_wake.as_mut().unwrap().duration_ms = Some(total * 1000);
        let condition = |(kind, after): &(Type, i64)| Condition {
            kind: *kind,
            status: true,
            reason: String::new(),
            message: String::new(),
            last_transition_time: moment(WOKEN) + jiff::SignedDuration::from_secs(*after),
        };
        record.conditions = conditions.iter().map(condition).collect();
        record
    }

    fn lost(record: &ServiceRecord) -> ServiceRecord {
        ServiceRecord { failures: record.failures + 1, ..record.clone() }
    }

    fn cut(record: &ServiceRecord, times: usize) -> ServiceRecord {
        let mut next = record.clone();
        (0..times).for_each(|n| next.note(moment(WOKEN), "DrainCut", format!("{n}")));
        next
    }

    #[test]
    fn what_happened() {
        use Transition::{DrainCut, PairLost, Slept, Woken};
        let slept = intent::sleep(&waking(), "idle", "", None, moment("2026-03-01T10:01:00Z")).unwrap();
        for (before, after, found) in [
            (asleep(), asleep(), vec![]),
            (asleep(), waking(), vec![Woken("request".into())]),
            (waking(), waking(), vec![]),
            (waking(), slept, vec![Slept("idle".into())]),
            (waking(), lost(&waking()), vec![PairLost]),
            (lost(&waking()), waking(), vec![]),
            (waking(), cut(&waking(), 2), vec![DrainCut, DrainCut]),
            (cut(&waking(), 1), cut(&waking(), 1), vec![]),
        ] {
            assert_eq!(between(&before, &after), found);
        }
    }

    #[test]
    fn where_the_time_of_a_wake_went() {
        use Type::{CapacityAvailable, ProxyRunning, ServiceRunning};
        // Conditions, total → instance, service, proxy, path.
        for (conditions, total, parts) in [
            (&[(CapacityAvailable, 40), (ServiceRunning, 50), (ProxyRunning, 20)][..], 53, [40, 10, 20, 3]),
            (&[(CapacityAvailable, 0), (ServiceRunning, 5), (ProxyRunning, 20)], 21, [0, 5, 20, 1]),
            // What held before the wake, or is not known.
            (&[(CapacityAvailable, -60), (ServiceRunning, 4)], 6, [0, 4, 0, 2]),
            // Never less than nothing, whatever the clock did.
            (&[(CapacityAvailable, 9), (ServiceRunning, 3), (ProxyRunning, 30)], 6, [9, 0, 30, 0]),
        ] {
            let found = between(&waking(), &ready(total, conditions));
            let [Transition::Ready(took)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(took.total, secs(total));
            assert_eq!(took.phases().map(|(_, part)| part.as_secs()), parts, "{conditions:?}");
        }
    }

    #[test]
    fn a_wake_is_over_once() {
        let over = ready(5, &[]);
        assert_eq!(between(&over, &over), vec![]);
        let another = ServiceRecord { epoch: over.epoch + 1, ..over };
        assert_eq!(between(&waking(), &another), vec![], "another wake");
    }
}

//! A changed manifest comes into use. While its service is awake, a new pair gets ready beside the one that serves, and
//! takes its place; one that is to be checked is tried once, and taken back when it does not come up.

use super::{Step, View, backoff, pairs};
use crate::capacity::Room;
use crate::explain::explain;
use crate::intent::{self, later, since};
use crate::naming;
use crate::observed::TaskStatus;
use crate::settings::Settings;
use crate::status;
use dormouse_manifests::ServiceSpec;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Pair, Rollout, ServiceRecord, planted};
use jiff::Timestamp;
use std::time::Duration;

/// Origin of the wakes and sleeps that a check asks for.
pub const ORIGIN: &str = "rollout";
/// A pair that is to take over has become ready by then. With the hand-over after it, two pairs are there for less
/// than ten minutes.
pub(super) const READY_IN: Duration = Duration::from_secs(300);
/// What came up for its check stays for this long: whoever asked meanwhile is heard of by then.
pub(super) const CHECKED_FOR: Duration = Duration::from_secs(5);
/// So many pairs of a manifest may fail beside one that serves, or in its check.
pub const TRIES: u32 = 3;

/// Differs whenever tasks of their own are needed for a manifest. What only decides when it wakes and sleeps is read
/// anew with every plan.
pub fn version(spec: &ServiceSpec) -> String {
    let at_once = ServiceSpec::defaults_for("");
    let runs = ServiceSpec {
        idle_after: at_once.idle_after,
        max_awake: at_once.max_awake,
        drain: at_once.drain,
        wake: at_once.wake,
        awake: at_once.awake,
        depends_on: at_once.depends_on,
        rollout_check: at_once.rollout_check,
        ..spec.clone()
    };
    // A plain tree always serialises.
    naming::content_hash(&serde_json::to_vec(&runs).unwrap_or_default())
}

/// Whether a pair runs another manifest than is declared. Of one from before that was written down it is not known.
fn is_outdated(pair: &Pair, next: &ServiceRecord) -> bool {
    pair.generation != next.generation
        && pair.runs.as_ref().is_some_and(|runs| runs.version != version(&next.spec))
}

/// What becomes of the pair that is to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on its way.
    Waits,
    /// Only the path that users take is still to be tried, at this address.
    Probe(String),
    /// It takes over.
    Fit,
    /// It is of no use: why.
    Failed(String),
}

pub(super) fn fate(pair: &Pair, view: &View<'_>, now: Timestamp) -> Fate {
    let ended = Role::ALL.into_iter().find_map(|role| Some((role, pair.task(role).end.as_ref()?)));
    if let Some((role, end)) = ended {
        return Fate::Failed(format!("its {role} task ended: {}", explain(&end.reason)));
    }
    let runs = |role| view.task(pair.task(role)).is_some_and(|task| task.status == TaskStatus::Running);
    if planted!(TakesOverUnready) && Role::ALL.into_iter().all(runs) {
        return Fate::Fit;
    }
    let halves =
        [Role::Service, Role::Proxy].map(|role| status::half(pair, role, view, view.beat(pair, role), now));
    let lacks = halves.into_iter().find(|(fine, ..)| !fine).map(|(.., message)| message);
    let address = view.task(&pair.proxy).and_then(|task| task.public_address.clone());
    let (lacks, otherwise) = match (lacks, address) {
        (None, Some(address)) if status::is_proven(view, &address, now) || planted!(UnprobedReady) => {
            return Fate::Fit;
        }
        (None, Some(address)) => (format!("it is not reached at {address}"), Fate::Probe(address)),
        (None, None) => ("its proxy has no public address yet".to_owned(), Fate::Waits),
        (Some(message), _) => (message.into_owned(), Fate::Waits),
    };
    if since(now, pair.intended_at) < READY_IN {
        return otherwise;
    }
    let why = match (view.refusal, view.room_of(pair)) {
        (Some(refusal), _) => explain(&refusal.why),
        (None, Room::No { message, .. }) if pair.service.task_arn.is_none() => message.clone(),
        _ => lacks,
    };
    Fate::Failed(format!("not ready within 5 minutes: {why}"))
}

/// Has the pair that is to take over do so, or gives it up.
pub(super) fn follow(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp, steps: &mut Vec<Step>) {
    if next.desired == Desired::Asleep {
        return;
    }
    let Some(successor) = next.successor.as_ref().filter(|pair| !is_outdated(pair, next)) else { return };
    match fate(successor, view, now) {
        Fate::Waits => {}
        Fate::Probe(address) => steps.push(Step::Probe { address }),
        Fate::Fit => take_over(next, now),
        Fate::Failed(why) => give_up(next, why, now),
    }
}

/// A change that needs no tasks of its own is in use as soon as it is known.
pub(super) fn keep_up(next: &mut ServiceRecord) {
    let current =
        |pair: Option<&Pair>| pair.is_some_and(|pair| pair.runs.is_some() && !is_outdated(pair, next));
    let (serving, successor) = (current(next.pair.as_deref()), current(next.successor.as_deref()));
    let generation = next.generation;
    let pairs =
        next.pair.iter_mut().filter(|_| serving).chain(next.successor.iter_mut().filter(|_| successor));
    pairs.for_each(|pair| pair.generation = generation);
}

fn take_over(next: &mut ServiceRecord, now: Timestamp) {
    let Some(mut pair) = next.successor.take() else { return };
    pair.ready_at = Some(now);
    pair.ready_before = next.pair.as_ref().and_then(|old| old.service_ready_at());
    let generation = pair.generation;
    let old = next.pair.replace(pair);
    next.failures = 0;
    next.note(now, "RolledOut", format!("generation {generation} is ready: requests move to it"));
    if let Some(mut old) = old {
        old.replaced = old.condemned.is_none();
        old.condemned.get_or_insert((now, format!("generation {generation} took its place")));
        next.retiring.push(*old);
    }
}

fn give_up(next: &mut ServiceRecord, why: String, now: Timestamp) {
    let Some(mut pair) = next.successor.take() else { return };
    let generation = pair.generation;
    pair.condemned = Some((now, "it did not become ready".to_owned()));
    next.retiring.push(*pair);
    let rollout = next.rollout.get_or_insert_with(|| Rollout::of(generation));
    rollout.tries += 1;
    rollout.retry_at = Some(later(now, backoff(rollout.tries)));
    rollout.failure = Some(why.clone());
    let (tries, check) = (rollout.tries, rollout.check);
    next.note(now, "RolloutFailed", format!("generation {generation}, try {tries} of {TRIES}: {why}"));
    if check && tries >= TRIES && !planted!(ChecksNothing) {
        roll_back(next, why, now);
    }
}

/// Parts with a pair that is not to take over any more; where there is none to take over from, it just is the pair.
pub(super) fn part(next: &mut ServiceRecord, now: Timestamp) {
    let why = match &next.successor {
        Some(_) if next.desired == Desired::Asleep => "it sleeps",
        Some(pair) if is_outdated(pair, next) => "its manifest changed",
        _ => return,
    };
    if let Some(mut pair) = next.successor.take() {
        pair.condemned = Some((now, why.to_owned()));
        next.retiring.push(*pair);
    }
}

/// Intends a pair of a changed manifest beside the one that serves: one at a time, and with nothing else of the
/// service left.
pub(super) fn intend(settings: &Settings, next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let serves = |pair: &&Pair| pair.condemned.is_none() && pair.ready_at.is_some();
    let Some(pair) = next.pair.as_deref().filter(serves).filter(|pair| is_outdated(pair, next)) else {
        return;
    };
    let alone = next.retiring.is_empty() && next.strays.is_empty() || planted!(TwoRolloutsAtOnce);
    let may = next.rollout.as_ref().is_none_or(|rollout| {
        (rollout.tries < TRIES || planted!(RollsOutForEver))
            && !rollout.rolled_back
            && rollout.retry_at.is_none_or(|at| at <= now)
    });
    if next.desired == Desired::Asleep
        || next.successor.is_some()
        || !may
        || !alone
        || planted!(NeverRollsOut)
    {
        return;
    }
    let serving = pair.generation;
    let Some(pair) = pairs::new(settings, next, view, now) else { return };
    next.note(
        now,
        "RollingOut",
        format!("generation {} gets ready beside generation {serving}", pair.generation),
    );
    next.successor = Some(Box::new(pair));
}

/// Whether a manifest that is being checked did not come up from sleep. Then it is taken back, and all is to be planned
/// anew.
pub(super) fn fails_its_check(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) -> bool {
    let checks = next.rollout.as_ref().is_some_and(|rollout| rollout.check);
    let serves = next.pair.as_ref().is_some_and(|pair| pair.ready_at.is_some()) || next.successor.is_some();
    if !checks || serves || next.desired == Desired::Asleep || planted!(ChecksNothing) {
        return false;
    }
    let late = status::not_ready_since(next).is_some_and(|at| since(now, at) >= status::SLOW);
    let why = match (next.failures >= TRIES, late) {
        (true, _) => status::last_loss(next),
        (false, true) => "not ready after 10 minutes".to_owned(),
        (false, false) => return false,
    };
    let nobody_waits = view.activator.in_flight == 0 && is_for_the_check(next);
    roll_back(next, why.clone(), now);
    if nobody_waits && let Some(asleep) = intent::sleep(next, ORIGIN, &why, None, now) {
        *next = asleep;
    }
    true
}

/// Whether nobody but the check has asked for the service since its wake.
pub(super) fn is_for_the_check(next: &ServiceRecord) -> bool {
    next.last_wake.as_ref().is_some_and(|wake| wake.origin == ORIGIN && next.last_activity <= wake.at)
}

fn roll_back(next: &mut ServiceRecord, why: String, now: Timestamp) {
    let Some(rollout) = &mut next.rollout else { return };
    let failed = rollout.generation;
    rollout.check = false;
    rollout.failure = Some(why.clone());
    let Some(good) = rollout.good.take() else {
        next.note(now, "RolloutFailed", format!("generation {failed}: {why}; there is none to go back to"));
        return;
    };
    rollout.rolled_back = true;
    rollout.retry_at = None;
    next.generation += 1;
    if !planted!(RollbackForgets) {
        (next.labels, next.spec) = (good.labels, good.spec);
    }
    (next.failures, next.retry_at) = (0, None);
    let back = good.generation;
    next.note(
        now,
        "RolledBack",
        format!("generation {failed} did not come up: {why}; generation {back} is back"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_tasks_of_its_own_and_what_does_not() {
        type Change = fn(&mut ServiceSpec);
        let same: [Change; 6] = [
            |spec| spec.idle_after = dormouse_manifests::IdleAfter::Never,
            |spec| spec.max_awake = Some(Duration::from_secs(60)),
            |spec| spec.drain = Duration::ZERO,
            |spec| spec.wake.hold = Duration::ZERO,
            |spec| spec.depends_on = vec!["db".into()],
            |spec| spec.rollout_check = true,
        ];
        let other: [Change; 7] = [
            |spec| spec.image = Some("other".into()),
            |spec| spec.command = vec!["run".into()],
            |spec| drop(spec.env.insert("A".into(), "b".into())),
            |spec| spec.port = 80,
            |spec| spec.memory += 1,
            |spec| spec.proxy.cpu += 1,
            |spec| spec.health.failures += 1,
        ];
        let base = ServiceSpec::defaults_for("demo");
        let changed = |change: Change| {
            let mut spec = base.clone();
            change(&mut spec);
            version(&spec) != version(&base)
        };
        assert_eq!(same.map(changed), [false; 6]);
        assert_eq!(other.map(changed), [true; 7]);
    }
}

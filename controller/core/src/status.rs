//! Phase and conditions, derived from what is observed.

use crate::capacity::Room;
use crate::explain::explain;
use crate::findings::Findings;
use crate::intent::since;
use crate::lifecycle::rollout::TRIES;
use crate::lifecycle::{Step, View};
use crate::observed::{Beat, TaskStatus};
use crate::settings::Settings;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{ConditionType as Type, Desired, Event, Launch, Pair, Phase, ServiceRecord, planted};
use jiff::Timestamp;
use std::borrow::Cow;
use std::time::Duration;

/// A probe older than this proves nothing.
const PROBE_FRESH: Duration = Duration::from_secs(10);
/// Sidecars that run report at least this often.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(60);
/// A wake that takes longer is explained.
pub(crate) const SLOW: Duration = Duration::from_secs(600);

/// What a condition is found to be: status, reason, message.
pub(crate) type Finding = (bool, &'static str, Cow<'static, str>);

/// Brings phase and conditions of `next` up to date; asks for a probe when only that is missing.
pub(crate) fn update(
    settings: &Settings,
    next: &mut ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
    steps: &mut Vec<Step>,
) {
    let mut found = Findings::default();
    let record = &*next;
    let pair = record.pair.as_deref().filter(|pair| pair.condemned.is_none());
    match (record.desired, pair) {
        (Desired::Awake, Some(pair)) => {
            up(record, pair, view, now, &mut found);
            let ready = ready(settings, record, pair, view, now, &found, steps);
            found.insert(Type::Ready, ready);
        }
        (Desired::Awake, None) => {
            let why = match record.retry_at.filter(|at| *at > now) {
                Some(at) => format!("the next try is at {}", clock(at)).into(),
                None if record.retiring.is_empty() => "its task definitions are being registered".into(),
                None => "its earlier tasks are still ending".into(),
            };
            found.insert(Type::Ready, (false, "Waiting", why));
        }
        (Desired::Asleep, _) => {
            let why = record.last_sleep.as_ref().map_or_else(
                || "it was not woken yet".into(),
                |cause| format!("{}: {}", cause.origin, cause.reason).into(),
            );
            found.insert(Type::Ready, (false, "Asleep", why));
        }
    }
    if let Some(conflict) = view.conflict {
        found.insert(Type::Conflict, (true, "ForeignRecord", conflict.to_owned().into()));
    }
    if let Some(finding) = degraded(record, pair, view, now, &found) {
        found.insert(Type::Degraded, finding);
    }
    if found.are(Type::Ready) {
        became_ready(next, now);
    } else if let Some((_, _, why)) = found.get(Type::Degraded) {
        became_slow(next, why, now);
    }
    next.phase = phase(next, &found);
    if !found.say(&next.conditions) {
        next.conditions = found.conditions(&next.conditions, now).into();
    }
}

/// Whether two records differ in nothing but the reasons and messages of the same conditions.
pub fn differs_in_words_only(before: &ServiceRecord, after: &ServiceRecord) -> bool {
    let standing = |record: &ServiceRecord| -> Vec<(Type, bool)> {
        record.conditions.iter().map(|condition| (condition.kind, condition.status)).collect()
    };
    if before.conditions == after.conditions || standing(before) != standing(after) {
        return false;
    }
    let worded = ServiceRecord { conditions: before.conditions.clone(), ..after.clone() };
    worded == *before
}

/// Everything below Ready.
fn up(next: &ServiceRecord, pair: &Pair, view: &View<'_>, now: Timestamp, found: &mut Findings) {
    let capacity = match (&pair.service.task_arn, view.room_of(pair)) {
        _ if let Some(why) = &pair.on_fargate => {
            (true, "FargateFallback", format!("its task is on Fargate until it sleeps: {why}").into())
        }
        (Some(_), _) if next.spec.proxy.spot && pair.proxy.parameters.launch == Launch::Fargate => {
            let message =
                "its task has an instance; its proxy is on demand, since Fargate Spot had no capacity";
            (true, "SpotFallback", message.into())
        }
        (Some(_), _) => (true, "Placed", "its task has an instance".into()),
        (None, Room::Yes) => (true, "Room", "an instance has room for its task".into()),
        (None, Room::No { reason, message }) => (false, *reason, message.clone().into()),
    };
    found.insert(Type::CapacityAvailable, capacity);
    let before =
        |kind: Type| next.conditions.iter().find(|known| known.kind == kind).map(|known| known.status);
    for (role, kind) in [(Role::Service, Type::ServiceRunning), (Role::Proxy, Type::ProxyRunning)] {
        let beat = view.beat(pair, role);
        let mut finding = half(pair, role, view, beat, now);
        // After a restart of the controller nobody has reported yet: what was true stays true until then.
        if !finding.0
            && beat.is_none()
            && pair.ready_at.is_some()
            && before(kind) == Some(true)
            && runs(pair, role, view)
        {
            finding = (true, "Running", format!("the {role} task runs; its sidecar is to report").into());
        }
        found.insert(kind, finding);
    }
    let watches: Vec<bool> =
        Role::ALL.iter().filter_map(|role| view.beat(pair, *role)?.peer).map(|peer| peer.healthy).collect();
    let peers = match watches.as_slice() {
        [true, true] => (true, "Healthy", "proxy and service see each other".into()),
        [] if before(Type::PeersHealthy) == Some(true) => {
            (true, "Healthy", "the sidecars are to report".into())
        }
        _ if watches.contains(&false) => (false, "Unhealthy", "one does not see the other".into()),
        _ => (false, "Waiting", "they have not seen each other yet".into()),
    };
    found.insert(Type::PeersHealthy, peers);
    let public = view.task(&pair.proxy).and_then(|task| task.public_address.as_deref());
    // Whoever follows the record of a pair that was replaced is served by that one until it moves.
    let by_the_old = next
        .dns
        .published_pair
        .is_some_and(|published| next.retiring.iter().any(|pair| pair.id == published && pair.serves_on()));
    let dns = match (&next.dns.published, &next.dns.pending) {
        (Some(at), None) if Some(at.as_str()) == public => {
            (true, "Published", format!("its record is {at}").into())
        }
        (Some(at), _) if by_the_old => (true, "Moving", format!("its record moves away from {at}").into()),
        (_, Some(_)) => (false, "Pending", "its record is on the way to the name servers".into()),
        _ => (false, "Withdrawn", "it has no record yet".into()),
    };
    found.insert(Type::DnsPublished, dns);
}

fn runs(pair: &Pair, role: Role, view: &View<'_>) -> bool {
    view.task(pair.task(role)).is_some_and(|task| task.status == TaskStatus::Running && !task.stopping)
}

/// Whether one half of a pair runs and serves.
pub(crate) fn half(pair: &Pair, role: Role, view: &View<'_>, beat: Option<&Beat>, now: Timestamp) -> Finding {
    let intent = pair.task(role);
    let Some(task) = view.task(intent) else {
        let reason = if intent.task_arn.is_some() { "Unseen" } else { "Intended" };
        return (false, reason, format!("the {role} task is being started").into());
    };
    if task.is_ending() {
        return (false, "Ending", format!("the {role} task is {}", task.status.as_str()).into());
    }
    match beat {
        Some(beat) if beat.state == SidecarState::Serving && since(now, beat.at) < SILENT_AFTER => {
            let message = match role {
                Role::Proxy => "the proxy task runs and serves",
                Role::Service => "the service task runs and serves",
            };
            (true, "Running", message.into())
        }
        Some(beat) if since(now, beat.at) >= SILENT_AFTER => {
            (false, "Silent", format!("its sidecar has not reported since {}", clock(beat.at)).into())
        }
        Some(beat) => {
            let detail = beat.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            (false, "Starting", format!("the {role} task is up and does not answer yet{detail}").into())
        }
        None => (false, "Starting", format!("the {role} task is {}", task.status.as_str()).into()),
    }
}

/// Whether a probe through the path that users take has succeeded lately.
pub(crate) fn is_proven(view: &View<'_>, address: &str, now: Timestamp) -> bool {
    view.probed.is_some_and(|(at, probed)| probed == address && since(now, at) <= PROBE_FRESH)
}

#[allow(clippy::too_many_arguments)]
fn ready(
    settings: &Settings,
    next: &ServiceRecord,
    pair: &Pair,
    view: &View<'_>,
    now: Timestamp,
    found: &Findings,
    steps: &mut Vec<Step>,
) -> Finding {
    let given_up = not_ready_since(next).is_some_and(|at| since(now, at) >= SILENT_AFTER);
    if planted!(ReadyWhenGivenUp) && given_up {
        return (true, "Ready", "it was waited for long enough".into());
    }
    // Route 53 has taken the change: until the last name server has it, the wildcard answers in its place.
    let taken = settings.wildcard.is_some()
        && next
            .dns
            .pending
            .as_ref()
            .is_some_and(|pending| pending.address.is_some() && pending.change_id.is_some());
    for kind in [Type::CapacityAvailable, Type::ServiceRunning, Type::ProxyRunning, Type::DnsPublished] {
        if let Some((false, reason, message)) = found.get(kind)
            && !(kind == Type::DnsPublished && taken)
        {
            return (false, reason, message.clone());
        }
    }
    let Some(address) = view.task(&pair.proxy).and_then(|task| task.public_address.clone()) else {
        return (false, "NoAddress", "its proxy has no public address yet".into());
    };
    let was = next.conditions.iter().any(|known| known.kind == Type::Ready && known.status);
    if was || is_proven(view, &address, now) || planted!(UnprobedReady) {
        return (true, "Ready", format!("it answers at {address}").into());
    }
    steps.push(Step::Probe { address });
    (false, "Probing", "the path that users take is being tried".into())
}

fn degraded(
    next: &ServiceRecord,
    pair: Option<&Pair>,
    view: &View<'_>,
    now: Timestamp,
    found: &Findings,
) -> Option<Finding> {
    is_broken(next, pair, view, now, found).or_else(|| rollout_failed(next, now))
}

/// A changed manifest that did not come into use; what was there before does.
fn rollout_failed(next: &ServiceRecord, now: Timestamp) -> Option<Finding> {
    let rollout = next.rollout.as_ref()?;
    let (generation, why) = (rollout.generation, rollout.failure.as_ref()?);
    if rollout.rolled_back {
        let message = format!("generation {generation} did not come up, and was taken back: {why}");
        return Some((true, "RolledBack", message.into()));
    }
    let again = match rollout.retry_at.filter(|at| *at > now && rollout.tries < TRIES) {
        Some(at) => format!("the next try is at {}", clock(at)),
        None if rollout.tries < TRIES => "it is tried again".to_owned(),
        None => "the next wake tries it again, and so does another `dormouse apply`".to_owned(),
    };
    Some((
        true,
        "RolloutFailed",
        format!("generation {generation} did not become ready: {why}; {again}").into(),
    ))
}

fn is_broken(
    next: &ServiceRecord,
    pair: Option<&Pair>,
    view: &View<'_>,
    now: Timestamp,
    found: &Findings,
) -> Option<Finding> {
    let is = |kind: Type| found.are(kind);
    if let Some(refusal) = view.refusal {
        return Some((true, "CallRefused", explain(&refusal.why).into()));
    }
    if next.desired == Desired::Asleep || is(Type::Ready) {
        return None;
    }
    if is(Type::Conflict) {
        return Some((true, "Conflict", "its name is taken in the zone by a record that is not ours".into()));
    }
    let room = pair.map_or(view.room, |pair| view.room_of(pair));
    if let Room::No { reason, message } = room
        && !["ScalingUp", "Unknown"].contains(reason)
        && pair.is_none_or(|pair| pair.service.task_arn.is_none())
    {
        return Some((true, reason, message.clone().into()));
    }
    if next.failures > 0 {
        let lost = match next.failures {
            1 => "a pair was lost".to_owned(),
            several => format!("{several} pairs in a row were lost"),
        };
        let message = format!("{lost}: {}", last_loss(next));
        return Some((true, "CrashLoop", message.trim_end_matches(": ").to_owned().into()));
    }
    let waited = not_ready_since(next).map_or(Duration::ZERO, |at| since(now, at));
    (waited >= SLOW).then(|| {
        let why = found.get(Type::Ready).map_or("", |(_, _, message)| message);
        (true, "SlowWake", format!("not ready after 10 minutes: {why}").into())
    })
}

/// Why the last pair was lost. A task's own reason says more than its pair's.
pub(crate) fn last_loss(next: &ServiceRecord) -> String {
    let newest = |reason: &str| next.events.iter().rev().find(|event| event.reason == reason);
    let last = newest("TaskEnded").or_else(|| newest("PairLost"));
    last.map(|event| event.message.clone()).unwrap_or_default()
}

/// Since when it is waited for: its wake, or the loss of what was ready. `None`: it was ready when last seen.
pub(crate) fn not_ready_since(next: &ServiceRecord) -> Option<Timestamp> {
    let woken = next.last_wake.as_ref()?.at;
    match next.conditions.iter().find(|known| known.kind == Type::Ready) {
        Some(ready) if ready.status => None,
        Some(ready) => Some(woken.max(ready.last_transition_time)),
        None => Some(woken),
    }
}

fn became_ready(next: &mut ServiceRecord, now: Timestamp) {
    if let Some(pair) = &mut next.pair {
        pair.ready_at.get_or_insert(now);
        let generation = pair.generation;
        next.proven = generation;
        // What was rolled back is told of until the next change.
        next.rollout.take_if(|rollout| !rollout.rolled_back && rollout.generation <= generation);
    }
    let Some(wake) = next.last_wake.as_mut().filter(|wake| wake.duration_ms.is_none()) else { return };
    let took = since(now, wake.at);
    let milliseconds = took.as_millis().try_into().unwrap_or(u64::MAX);
    wake.duration_ms = Some(milliseconds);
    next.took(milliseconds);
    next.note(now, "Ready", format!("ready {:.1} s after the wake", took.as_secs_f64()));
}

/// A wait that takes too long is an event once, whatever it waits for.
fn became_slow(next: &mut ServiceRecord, why: &str, now: Timestamp) {
    let Some(waits_since) = not_ready_since(next).filter(|_| next.desired == Desired::Awake) else { return };
    let is_told = |event: &Event| event.reason == "SlowWake" && event.at >= waits_since;
    if since(now, waits_since) >= SLOW && !next.events.iter().any(is_told) {
        next.note(now, "SlowWake", why);
    }
}

fn phase(next: &ServiceRecord, found: &Findings) -> Phase {
    let ready = found.are(Type::Ready);
    let left = next.pairs().next().is_some() || next.dns.withdrawn_at.is_none() || !next.strays.is_empty();
    match (next.desired, ready, left) {
        (Desired::Awake, true, _) => Phase::Awake,
        (Desired::Awake, false, _) => Phase::Waking,
        (Desired::Asleep, _, true) => Phase::Draining,
        (Desired::Asleep, _, false) => Phase::Asleep,
    }
}

/// To the second: a message must not change with every plan.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

//! What a sidecar is answered: where its other half is, whether to drain, when to report again.

use crate::intent::since;
use crate::observed::{Beat, Tasks};
use dormouse_manifests::Protocol;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Answer, PeerAddress, Role, SidecarState};
use dormouse_state::{ConditionType, Desired, PairId, ServiceRecord, planted};
use jiff::Timestamp;
use std::time::Duration;

/// While a pair is on its way up, seconds of waiting are at stake.
const WAKING_MS: u64 = 200;
/// While it goes to sleep, so that a late request is heard in time.
const RESTING_MS: u64 = 500;
/// When nothing happens; well within [`crate::idle::FRESH`].
const STEADY_MS: u64 = 5_000;
/// A task that has started has its address within seconds.
const SOUGHT_FOR: Duration = Duration::from_secs(60);
/// So that the moment has come.
const JUST_AFTER_MS: u64 = 20;
/// Port of the proxy's traffic and, for HTTP, of its `/health`.
const PROXY_PORT: u16 = 9060;
/// Port of the proxy's `/health` when its traffic is raw TCP.
const PROXY_HEALTH_PORT: u16 = 9061;

/// The answer to a heartbeat; `None` when its task belongs to no pair of the service. `idle_in`: how long until the
/// service falls asleep if nobody uses it; the proxy's next report is to come right after that.
pub fn answer(
    record: &ServiceRecord,
    tasks: &Tasks,
    identity: &Identity,
    idle_in: Option<Duration>,
) -> Option<Answer> {
    let id = PairId { epoch: identity.epoch, attempt: identity.attempt };
    let pair = record.pairs().find(|pair| pair.id == id)?;
    let leaving = pair.condemned.is_some() && !pair.serves_on();
    let drains = record.rest.as_ref().is_some_and(|rest| rest.drain_at.is_some());
    let other = pair.task(identity.role.peer());
    let address = other
        .task_arn
        .as_ref()
        .and_then(|arn| tasks.by_arn.get(arn))
        .filter(|task| other.is_open() && !task.is_ending())
        .and_then(|task| task.private_address.clone());
    let runs = pair.runs.as_ref();
    let protocol = runs.map_or(record.spec.protocol, |runs| runs.protocol);
    let port = match (identity.role, protocol) {
        (Role::Proxy, _) => runs.map_or(record.spec.port, |runs| runs.port),
        (Role::Service, Protocol::Http | Protocol::H2c) => PROXY_PORT,
        (Role::Service, Protocol::Tcp) => PROXY_HEALTH_PORT,
    };
    // A drain that is taken back is as urgent as a start.
    let both_serve = [ConditionType::ServiceRunning, ConditionType::ProxyRunning]
        .iter()
        .all(|kind| record.conditions.iter().any(|known| known.kind == *kind && known.status));
    let is_successor = record.successor.as_ref().is_some_and(|successor| successor.id == id);
    let interval_ms = match (record.desired, both_serve && !is_successor) {
        _ if pair.replaced => RESTING_MS,
        (Desired::Asleep, _) => RESTING_MS,
        (Desired::Awake, false) if planted!(SlowToHear) => STEADY_MS * 3,
        (Desired::Awake, false) => WAKING_MS,
        (Desired::Awake, true) => STEADY_MS,
    };
    let due = idle_in.filter(|_| identity.role == Role::Proxy).map_or(u64::MAX, |idle_in| {
        u64::try_from(idle_in.as_millis()).unwrap_or(u64::MAX).saturating_add(JUST_AFTER_MS)
    });
    let interval_ms = interval_ms.min(due.max(WAKING_MS));
    Some(Answer {
        peer: address.map(|host| PeerAddress { host, port }),
        drain: (leaving || drains) && !planted!(UnsaidDrain),
        interval_ms,
        controllers: Vec::new(),
    })
}

/// Whether to look at once where the other half of a pair is: it runs, and its half is told nothing. One that is not found
/// soon is left to the sweep: each look takes a call that others need.
pub fn is_blind(record: &ServiceRecord, identity: &Identity, answer: &Answer, now: Timestamp) -> bool {
    let id = PairId { epoch: identity.epoch, attempt: identity.attempt };
    let Some(pair) = record.pairs().find(|pair| pair.id == id) else { return false };
    // While there is no other half yet, there is nothing to look for.
    let other = Some(pair.task(identity.role.peer())).filter(|other| other.task_arn.is_some());
    let lately = other.and_then(|other| other.started_at).is_some_and(|at| since(now, at) < SOUGHT_FOR);
    answer.peer.is_none() && record.desired == Desired::Awake && lately
}

/// Whether a heartbeat says something that a plan may depend on now. A steady one does not.
pub fn is_news(record: &ServiceRecord, before: Option<&Beat>, beat: &Beat) -> bool {
    let Some(before) = before else { return true };
    let counts = |beat: &Beat| beat.activity.map(|activity| (activity.requests, activity.in_flight));
    before.state != beat.state
        || before.peer != beat.peer
        || before.sleep_requested != beat.sleep_requested
        || before.busy != beat.busy
        || before.detail != beat.detail
        // On the way to sleep a request matters at once, and so does the end of the last one.
        || ((record.rest.is_some() || record.retiring.iter().any(|pair| pair.replaced))
            && (counts(before) != counts(beat) || beat.state == SidecarState::Draining))
}

#[cfg(test)]
mod tests;

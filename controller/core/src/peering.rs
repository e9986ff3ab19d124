//! What a sidecar is answered: where its other half is, whether to drain, when to report again.

use crate::observed::Tasks;
use dormouse_manifests::Protocol;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Answer, PeerAddress, Role};
use dormouse_state::{Desired, PairId, ServiceRecord};

/// While a pair is on its way up, seconds of waiting are at stake.
const WAKING_MS: u64 = 200;
/// While it goes to sleep, so that a late request is heard in time.
const RESTING_MS: u64 = 500;
/// When nothing happens; well within [`crate::idle::FRESH`].
const STEADY_MS: u64 = 5_000;
/// Port of the proxy's traffic and, for HTTP, of its `/health`.
const PROXY_PORT: u16 = 9060;
/// Port of the proxy's `/health` when its traffic is raw TCP.
const PROXY_HEALTH_PORT: u16 = 9061;

/// The answer to a heartbeat; `None` when its task belongs to no pair of the service.
pub fn answer(record: &ServiceRecord, tasks: &Tasks, identity: &Identity) -> Option<Answer> {
    let id = PairId { epoch: identity.epoch, attempt: identity.attempt };
    let pair = record.pairs().find(|pair| pair.id == id)?;
    let leaving = pair.condemned.is_some();
    let drains = record.rest.as_ref().is_some_and(|rest| rest.drain_at.is_some());
    let other = pair.task(identity.role.peer());
    let address = other
        .task_arn
        .as_ref()
        .and_then(|arn| tasks.by_arn.get(arn))
        .filter(|task| other.is_open() && !task.is_ending())
        .and_then(|task| task.private_address.clone());
    let port = match (identity.role, record.spec.protocol) {
        (Role::Proxy, _) => record.spec.port,
        (Role::Service, Protocol::Http) => PROXY_PORT,
        (Role::Service, Protocol::Tcp) => PROXY_HEALTH_PORT,
    };
    let interval_ms = match (record.desired, pair.ready_at) {
        (Desired::Asleep, _) => RESTING_MS,
        (Desired::Awake, None) => WAKING_MS,
        (Desired::Awake, Some(_)) => STEADY_MS,
    };
    Some(Answer {
        peer: address.map(|host| PeerAddress { host, port }),
        drain: leaving || drains,
        interval_ms,
    })
}

//! Where the halves of a pair run, and what becomes of it where there is no capacity.
//!
//! A pair keeps to what it was intended for: another pool takes another pair. What was short is remembered of the pool,
//! whoever found it so, and for a while: the instances' lack by their group, which tries on by itself; Spot's by the
//! controller.

use super::View;
use crate::capacity::Room;
use crate::intent::{later, since};
use crate::settings::Settings;
use crate::status;
use dormouse_manifests::Fallback;
use dormouse_state::{Desired, Launch, Pair, RunParameters, ServiceRecord, TaskEnd, planted};
use jiff::Timestamp;
use std::time::Duration;

/// Fargate Spot had no capacity: proxies are on demand for this long, whoever's they are.
pub const SPOT_IS_SHORT_FOR: Duration = Duration::from_secs(300);

/// Who waits for an instance for so long runs on Fargate instead. One boots and joins in half of it.
const PATIENCE: Duration = Duration::from_secs(180);

/// [`TaskEnd::code`] of an intent for which there was no capacity.
pub const NO_CAPACITY: &str = "NoCapacity";
/// ECS's `stopCode` of a task that Spot took back.
const SPOT_INTERRUPTION: &str = "SpotInterruption";

/// Reasons for which no instance is on its way.
const NO_PROSPECTS: &[&str] = &["AtMaximum", "TooLarge", "WrongArchitecture", "LaunchFailed"];

/// Whether AWS says that Fargate has no capacity. It has no code for it, whether it fails the call or, later, the task.
///
/// Source: Amazon ECS Developer Guide, "Stopped tasks error messages", "Capacity is unavailable at this time".
pub fn says_no_capacity(words: &str) -> bool {
    words.contains("Capacity is unavailable")
}

/// Whether a task ended for want of capacity, and not for anything of its own.
pub(super) fn is_lack(end: &TaskEnd) -> bool {
    end.code == NO_CAPACITY || end.code == SPOT_INTERRUPTION
}

/// When Fargate Spot was last found short, by a refusal or by what became of a task that it had accepted.
pub(super) fn spot_short_at(record: &ServiceRecord, now: Timestamp) -> Option<Timestamp> {
    let on_spot = record
        .pairs()
        .map(|pair| &pair.proxy)
        .filter(|intent| intent.parameters.launch == Launch::FargateSpot);
    let lacks = on_spot.filter_map(|intent| intent.end.as_ref()).filter(|end| is_lack(end));
    lacks.map(|end| end.at).filter(|at| since(now, *at) < SPOT_IS_SHORT_FOR).max()
}

/// Why no instance is on its way.
fn no_prospects(room: &Room) -> Option<&str> {
    match room {
        Room::No { reason, message } if NO_PROSPECTS.contains(reason) => Some(message),
        _ => None,
    }
}

/// Whether a pair's service task has, or is getting, a place to run.
pub(super) fn has_prospects(pair: &Pair, view: &View<'_>) -> bool {
    pair.service.task_arn.is_some() || no_prospects(view.room_of(pair)).is_none()
}

/// When a service that waits for an instance is not to wait any longer.
pub(super) fn patience_ends_at(next: &ServiceRecord) -> Option<Timestamp> {
    let may_leave = next.spec.fallback == Fallback::Fargate && next.desired == Desired::Awake;
    status::not_ready_since(next).filter(|_| may_leave).map(|at| later(at, PATIENCE))
}

/// Why a service task that has no place yet runs on Fargate; `None`: it waits for an instance.
pub(super) fn fallback(next: &ServiceRecord, view: &View<'_>, now: Timestamp) -> Option<String> {
    if next.spec.fallback != Fallback::Fargate || planted!(WaitsForEver) {
        return None;
    }
    let late = patience_ends_at(next).is_some_and(|at| at <= now) || planted!(FallsBackAtOnce);
    match view.room {
        Room::Yes => None,
        Room::No { message, .. } if late => Some(format!("none within 3 minutes: {message}")),
        room => no_prospects(room).map(str::to_owned),
    }
}

/// A pair that waits for an instance while none is to be had makes way for one on Fargate. One that may run already is
/// asked for again first.
pub(super) fn leave_the_queue(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let Some(why) = fallback(next, view, now).filter(|_| next.desired == Desired::Awake) else { return };
    let waits = |pair: &mut Box<Pair>| {
        let service = &pair.service;
        let is_placed = service.task_arn.is_some() || !service.is_open();
        let waits = service.parameters.launch == Launch::Ec2 && !is_placed && !view.is_in_doubt(pair);
        pair.condemned.is_none() && waits
    };
    let pairs = [next.pair.take_if(waits), next.successor.take_if(waits)];
    next.retiring.extend(
        pairs
            .into_iter()
            .flatten()
            .map(|pair| Pair { condemned: Some((now, format!("no instance is to be had: {why}"))), ..*pair }),
    );
}

/// Where a new proxy runs.
pub(super) fn proxy(next: &ServiceRecord, view: &View<'_>) -> Launch {
    if next.spec.proxy.spot && (!view.spot_is_short || planted!(SpotForEver)) {
        Launch::FargateSpot
    } else {
        Launch::Fargate
    }
}

/// What a service task is run with on Fargate. It is where proxies are: an interface of its own is its only way to the
/// registry, and from their subnets there is one.
pub(super) fn on_fargate(settings: &Settings, on_an_instance: RunParameters) -> RunParameters {
    RunParameters {
        cluster: settings.proxy_cluster.clone(),
        subnets: settings.proxy_subnets.clone(),
        launch: Launch::Fargate,
        public_ip: true,
        ..on_an_instance
    }
}

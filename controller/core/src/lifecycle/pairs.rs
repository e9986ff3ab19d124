//! The pair that serves: intended, run, put to sleep, given up.

use super::{Refusal, Step, View, backoff, definitions, identity, pools, retiring, rollout};
use crate::capacity::Room;
use crate::idle;
use crate::intent::{later, since};
use crate::observed::{Beat, TaskStatus};
use crate::settings::Settings;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{
    Desired, Launch, Pair, PairId, RunParameters, Runs, ServiceRecord, TaskIntent, planted,
};
use jiff::Timestamp;
use std::time::Duration;

/// A task that has not come to run by then never will.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(600);
/// A pair that lasted this long since it was ready did not fail at starting.
const LASTED: Duration = Duration::from_secs(600);
/// A row is written, and a proxy hears of it, in this time, or not at all.
pub(super) const TOLD_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn plan(
    settings: &Settings,
    next: &mut ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
    steps: &mut Vec<Step>,
) {
    condemn_the_dead(next, view, now);
    condemn_the_outdated(next, now);
    pools::leave_the_queue(next, view, now);
    rest(settings, next, view, now);
    if let Some(pair) = next.pair.take_if(|pair| pair.condemned.is_some()) {
        next.retiring.push(*pair);
    }
    rollout::part(next, now);
    if next.pair.is_none() {
        next.pair = next.successor.take();
    }
    retiring::plan(settings, next, view, now, steps);
    intend(settings, next, view, now);
    rollout::intend(settings, next, view, now);
    run(next, view, now, steps);
}

/// A half without its other half is of no use, nor is one that never came up.
fn condemn_the_dead(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let Some(pair) = next.pair.as_mut() else { return };
    if planted!(BlindForTheGrace) && since(now, pair.intended_at) < STUCK_AFTER {
        return;
    }
    let ended = Role::ALL.iter().find(|role| !pair.task(**role).is_open());
    let stuck = Role::ALL.iter().find(|role| {
        let intent = pair.task(**role);
        // A task that is not seen right now may well run.
        let starting = view.task(intent).is_some_and(|task| task.status < TaskStatus::Running);
        starting && intent.started_at.is_some_and(|at| since(now, at) >= STUCK_AFTER)
    });
    let why = match (ended, stuck) {
        (Some(role), _) => format!("its {role} task ended"),
        (None, Some(role)) => format!("its {role} task did not come to run within 10 minutes"),
        (None, None) => return,
    };
    let unplaced = Role::ALL.iter().any(|role| pair.task(*role).end.as_ref().is_some_and(pools::is_lack));
    let lasted = pair.ready_at.is_some_and(|at| since(now, at) >= LASTED);
    let intended_at = pair.intended_at;
    pair.condemned = Some((now, why.clone()));
    if next.desired == Desired::Awake {
        // Where there is no capacity, nothing of the service's own has failed.
        next.failures = if lasted { 0 } else { next.failures.saturating_add(u32::from(!unplaced)) };
        // Tries are spaced from intent to intent: a pair that lasted is replaced at once.
        next.retry_at = Some(later(intended_at, backoff(next.failures)));
        next.note(now, "PairLost", why);
    }
}

/// A pair that never was of use is replaced when its manifest changes: what kept it down may be mended by that.
/// One that was ready is used to its end.
fn condemn_the_outdated(next: &mut ServiceRecord, now: Timestamp) {
    let definitions = &next.definitions;
    let Some(pair) = next.pair.as_mut().filter(|pair| pair.condemned.is_none() && pair.ready_at.is_none())
    else {
        return;
    };
    let outdated = Role::ALL.into_iter().any(|role| {
        let current = definitions::of(definitions, role).and_then(|known| known.arn.as_ref());
        current.is_some_and(|arn| *arn != pair.task(role).parameters.task_definition)
    });
    if outdated && next.desired == Desired::Awake {
        pair.condemned = Some((now, "its manifest changed".into()));
        next.retry_at = Some(later(pair.intended_at, backoff(next.failures)));
    }
}

/// The way to sleep: record gone and forgotten by resolvers, then the drain, then the end.
fn rest(settings: &Settings, next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    if next.desired == Desired::Awake {
        return;
    }
    let drain = next.spec.drain;
    let (Some(pair), Some(rest)) = (next.pair.as_mut(), next.rest.as_mut()) else { return };
    let forgotten = if planted!(ResolversForgetAtOnce) { Duration::ZERO } else { settings.dns_ttl };
    let withdrawn_at = next.dns.withdrawn_at.or(planted!(StopsWhileFound).then_some(Timestamp::MIN));
    let Some(withdrawn_at) = withdrawn_at else { return };
    if pair.condemned.is_some() || now < later(withdrawn_at, forgotten) {
        return;
    }
    let drain_at = *rest.drain_at.get_or_insert(now);
    let beat = view.beat(pair, Role::Proxy);
    let at_proxy = beat.and_then(|beat| beat.activity);
    let open = at_proxy.map_or(0, |activity| idle::open(&activity)).saturating_add(view.activator.in_flight);
    // A proxy that runs and has not reported, to this controller at least, may have served.
    let is_up = view.task(&pair.proxy).is_some_and(|task| task.status >= TaskStatus::Running);
    let never_served =
        pair.ready_at.is_none() && beat.map_or(!is_up, |beat| beat.state == SidecarState::Starting);
    let drained = at_proxy.is_some()
        && beat.is_some_and(|beat| beat.state == SidecarState::Draining && beat.at >= drain_at);
    let late = now >= drained_by(drain_at, beat, is_up, drain) || planted!(NoDrain);
    if !(late || open == 0 && (never_served || drained)) {
        return;
    }
    let why = if late && open > 0 { "it sleeps; the drain's time was up" } else { "it sleeps" };
    pair.condemned = Some((now, why.into()));
    if pair.ready_at.is_some() {
        // It came up and went down as it was told: nothing fails any more.
        (next.failures, next.retry_at) = (0, None);
    }
    if open > 0 {
        next.note(now, "DrainCut", format!("{open} requests or sockets were still open after the drain"));
    }
}

/// When a drain's time is up. It counts from when the proxy says that it drains: it is told so with a heartbeat's answer,
/// once that is written, which may be slow. One that says nothing is not waited for much longer.
pub(super) fn drained_by(
    drain_at: Timestamp,
    beat: Option<&Beat>,
    is_up: bool,
    drain: Duration,
) -> Timestamp {
    let began = match beat.and_then(|beat| beat.draining_since) {
        _ if drain.is_zero() => drain_at,
        Some(since) => since.max(drain_at),
        None if is_up => later(drain_at, TOLD_WITHIN),
        None => drain_at,
    };
    later(began, drain)
}

/// Intends a new pair when there is to be one.
fn intend(settings: &Settings, next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    if next.desired == Desired::Asleep || next.pair.is_some() || next.retry_at.is_some_and(|at| now < at) {
        return;
    }
    // Two generations at the most: a pair that does not want to go must not let others pile up.
    let generations = next.retiring.iter().filter(|pair| !pair.is_over()).count();
    if generations + next.strays.len().div_ceil(2) >= 2 && !planted!(PileUp) {
        return;
    }
    if let Some(pair) = new(settings, next, view, now) {
        next.retry_at = None;
        next.pair = Some(Box::new(pair));
    }
}

/// From here on, in seconds since 1970, rows do not begin at 1: the first second of 2026.
const NAMED_BY_ROW_SINCE: i64 = 1_767_225_600;

/// The number of an epoch's first try. A row that was lost may have left a task that no listing shows, since it is being
/// stopped: what is made for the row that comes after it must not get that one's name. So each row begins with the second
/// in which it was made; its tries are seconds apart, and never catch up with those of a later row.
pub fn first_attempt(created_at: Timestamp) -> u32 {
    let second = (created_at.as_second() - NAMED_BY_ROW_SINCE).max(1);
    u32::try_from(second).unwrap_or(u32::MAX / 2)
}

/// A new pair under a new name, of the manifest as it stands; `None` while its definitions are not registered.
pub(super) fn new(
    settings: &Settings,
    next: &mut ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
) -> Option<Pair> {
    let registered = |role| definitions::of(&next.definitions, role).and_then(|known| known.arn.clone());
    let (proxy, service) = (registered(Role::Proxy)?, registered(Role::Service)?);
    let last = next.last_pair.filter(|last| last.epoch == next.epoch);
    let again = last.map_or(1, |last| last.attempt.saturating_add(u32::from(!planted!(SameAttempt))));
    let attempt = again.max(first_attempt(next.created_at));
    let id = PairId { epoch: next.epoch, attempt };
    let incarnation = next.created_at.as_millisecond().to_string();
    next.last_pair = Some(id);
    let on_fargate = pools::fallback(next, view, now);
    if let Some(why) = &on_fargate {
        next.note(now, "FargateFallback", format!("its service task runs on Fargate: {why}"));
    }
    let service = RunParameters {
        cluster: settings.service_cluster.clone(),
        task_definition: service,
        container: crate::naming::SIDECAR_CONTAINER.into(),
        subnets: settings.service_subnets.clone(),
        security_groups: settings.security_groups.clone(),
        launch: Launch::Ec2,
        public_ip: false,
        controller_url: settings.controller_url.clone(),
        incarnation: incarnation.clone(),
    };
    Some(Pair {
        id,
        intended_at: now,
        generation: next.generation,
        runs: Some(Runs {
            version: rollout::version(&next.spec),
            port: next.spec.port,
            protocol: next.spec.protocol,
        }),
        ready_at: None,
        ready_before: None,
        condemned: None,
        replaced: false,
        drain_at: None,
        proxy: TaskIntent::new(RunParameters {
            cluster: settings.proxy_cluster.clone(),
            task_definition: proxy,
            container: crate::naming::PROXY_CONTAINER.into(),
            subnets: settings.proxy_subnets.clone(),
            security_groups: settings.security_groups.clone(),
            launch: pools::proxy(next, view),
            public_ip: true,
            controller_url: settings.controller_url.clone(),
            incarnation,
        }),
        service: TaskIntent::new(match on_fargate {
            Some(_) => pools::on_fargate(settings, service),
            None => service,
        }),
        on_fargate,
    })
}

/// Runs what is intended and not known to run; the client token makes a repeated call harmless.
fn run(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp, steps: &mut Vec<Step>) {
    if view.refusal.map(Refusal::retry_at).is_some_and(|at| now < at) {
        return;
    }
    // A service that was never up is not brought up to be put down.
    if next.desired == Desired::Asleep {
        return;
    }
    let name = &next.name;
    let to_serve = next.pair.iter_mut().chain(&mut next.successor).filter(|pair| pair.condemned.is_none());
    to_serve.for_each(|pair| run_pair(name, pair, view, now, steps));
}

fn run_pair(name: &str, pair: &mut Pair, view: &View<'_>, now: Timestamp, steps: &mut Vec<Step>) {
    // A proxy without a service costs money for nothing. It starts beside one that has, or is getting, an instance.
    let prospects = pools::has_prospects(pair, view);
    let room = *view.room_of(pair) == Room::Yes;
    let in_doubt = view.is_in_doubt(pair);
    let answers = view.beat(pair, Role::Service).is_some_and(|beat| beat.state == SidecarState::Serving);
    for role in Role::ALL {
        let id = pair.id;
        let intent = pair.task_mut(role);
        let waits = match role {
            Role::Proxy if planted!(ProxyAfterService) && !answers => true,
            Role::Proxy => !prospects,
            // It may have taken the last room itself.
            Role::Service => !room && !in_doubt,
        };
        if intent.task_arn.is_some() || !intent.is_open() || waits {
            continue;
        }
        intent.attempted_at.get_or_insert(now);
        let identity = identity(name, id, role);
        steps.push(Step::Run { identity, parameters: (*intent.parameters).clone() });
    }
}

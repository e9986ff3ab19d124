//! A service's pairs: run, adopt, retire, stop.
//!
//! # Layout
//!
//! - `settle`: what became of the tasks that were intended
//! - `desire`: when the intention flips by itself
//! - `definitions`: task definitions to register and deregister
//! - `pairs`: the pair that serves
//! - `retiring`: what is on its way out
//! - [`pools`]: where halves run, and what becomes of it where there is no capacity
//! - [`rollout`]: a changed manifest comes into use
//! - [`outcome`]: what is remembered of a step once it was taken

mod definitions;
mod desire;
pub mod outcome;
mod pairs;
pub mod pools;
mod retiring;
pub mod rollout;
mod settle;
#[cfg(test)]
mod tests;

use crate::capacity::Room;
use crate::definition::Content;
use crate::idle::{self, AtActivator, Use};
use crate::intent::{later, since};
use crate::observed::{Beat, Task, TaskStatus, Tasks};
use crate::settings::Settings;
use crate::status;
use crate::template;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Launch, Pair, PairId, RunParameters, ServiceRecord, TaskIntent, planted};
use jiff::Timestamp;
use std::time::Duration;

pub use pairs::first_attempt;

/// A StopTask that failed is made again within this, however often it has.
const STOP_AGAIN_WITHIN: Duration = Duration::from_secs(15);

/// A call of whose failure nothing follows counts as failed no more often than this: its tries stay 20 s apart, as those of
/// AWS's own SDKs do.
///
/// Source: AWS SDKs and Tools Reference Guide, "Retry behavior".
const PASSING_TRIES: u32 = 3;

/// A call that was refused or went unanswered, and how often in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When last.
    pub at: Timestamp,
    /// How often in a row, from 1.
    pub tries: u32,
    /// In words.
    pub why: String,
}

impl Refusal {
    /// One more, after those in a row that are known.
    pub fn again(known: Option<&Refusal>, why: String, now: Timestamp) -> Refusal {
        Refusal { at: now, tries: known.map_or(0, |known| known.tries) + 1, why }
    }

    /// The same of a call that starts nothing and was throttled or not answered: it may be taken at any moment.
    pub fn passing(known: Option<&Refusal>, why: String, now: Timestamp) -> Refusal {
        let refusal = Refusal::again(known, why, now);
        let tries = refusal.tries.min(PASSING_TRIES.max(known.map_or(0, |known| known.tries)));
        Refusal { tries, ..refusal }
    }

    /// When the call may be tried again.
    pub fn retry_at(&self) -> Timestamp {
        later(self.at, backoff(self.tries.saturating_sub(1)))
    }

    /// The same of a StopTask: what is to end is paid for, and somebody may wait for its place.
    pub fn stop_again_at(&self) -> Timestamp {
        later(self.at, Duration::from_secs(1 << self.tries.saturating_sub(1).min(6)).min(STOP_AGAIN_WITHIN))
    }
}

/// What is observed, as far as one service is concerned.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// All known tasks of the installation.
    pub tasks: &'a Tasks,
    /// The last heartbeat of each of its sidecars.
    pub beats: &'a [(Identity, Beat)],
    /// Requests at the activator.
    pub activator: AtActivator,
    /// Whether an instance has room for its service task.
    pub room: &'a Room,
    /// Whether a service that depends on this one is to be awake; of one that sleeps: whether such a service was woken
    /// since it was put to sleep.
    pub dependents_awake: bool,
    /// When a probe through the path that users take last succeeded, and at which address.
    pub probed: Option<(Timestamp, &'a str)>,
    /// What of its name in the zone is not ours.
    pub conflict: Option<&'a str>,
    /// The last refusal of a call made for it.
    pub refusal: Option<&'a Refusal>,
    /// The last StopTask for it that was refused, if none was accepted since.
    pub stop_refusal: Option<&'a Refusal>,
    /// Its service task for which RunTask was last called and not answered: it may run.
    pub unanswered: Option<&'a Identity>,
    /// Fargate Spot lately had no capacity.
    pub spot_is_short: bool,
    /// Whether its definitions were compared under these very settings, with the generation that its record has
    /// observed.
    pub compared: bool,
}

impl View<'_> {
    /// The observed task of an intent.
    pub fn task(&self, intent: &TaskIntent) -> Option<&Task> {
        self.tasks.by_arn.get(intent.task_arn.as_deref()?)
    }

    /// Whether it is not known of a pair's service task that RunTask was called for if it runs. The same call tells.
    pub fn is_in_doubt(&self, pair: &Pair) -> bool {
        pair.service.task_arn.is_none()
            && self.unanswered.is_some_and(|own| is_of(own, pair.id, Role::Service))
    }

    /// Whether there is room for a pair's service task: on Fargate there always is.
    pub fn room_of(&self, pair: &Pair) -> &Room {
        if pair.service.parameters.launch == Launch::Ec2 { self.room } else { &Room::Yes }
    }

    /// The last heartbeat of a role of a pair.
    pub fn beat(&self, pair: &Pair, role: Role) -> Option<&Beat> {
        self.beats.iter().find(|(own, _)| is_of(own, pair.id, role)).map(|(_, beat)| beat)
    }

    /// Use of a service.
    pub fn usage(&self, record: &ServiceRecord, now: Timestamp) -> Use {
        let beat = |role| self.beat(record.pair.as_ref()?, role);
        let mut usage = idle::usage(record, beat(Role::Proxy), beat(Role::Service), self.activator, now);
        // Whoever is still led to a pair whose place was taken uses the service.
        let replaced = record.retiring.iter().filter(|pair| pair.replaced);
        let used = replaced.filter_map(|pair| idle::last_use(self.beat(pair, Role::Proxy)?, now));
        usage.last = used.fold(usage.last, Timestamp::max);
        usage
    }
}

/// An effect on the world. Each is named by an intent in the plan's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Register a task definition.
    Register {
        /// Of which half.
        role: Role,
        /// Its content.
        content: Box<Content>,
    },
    /// Deregister a revision that nothing names any more.
    Deregister {
        /// Its ARN.
        arn: String,
    },
    /// Run a task; the same call however often it is made.
    Run {
        /// Which task.
        identity: Identity,
        /// Everything else.
        parameters: RunParameters,
    },
    /// Stop a task.
    Stop {
        /// Cluster.
        cluster: String,
        /// ARN.
        arn: String,
        /// For `stoppedReason`.
        reason: String,
    },
    /// Ask the proxy at its public address whether it serves.
    Probe {
        /// Public address.
        address: String,
    },
    /// Remove the service's row: nothing of it is left.
    Remove,
}

/// What to remember, and what to do once that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The record to write, if it differs from the one planned from.
    pub record: ServiceRecord,
    /// Then these.
    pub steps: Vec<Step>,
    /// When Fargate Spot was found short, to be remembered for everybody.
    pub spot_short_at: Option<Timestamp>,
    /// Plan again at the latest after this time; `None`: when something changes.
    pub requeue: Option<Duration>,
}

/// Plans one service. Nothing mutates before the first complete listing of tasks.
pub fn plan(settings: &Settings, record: &ServiceRecord, view: &View<'_>, now: Timestamp) -> Plan {
    let mut next = record.clone();
    let mut steps = Vec::new();
    if view.tasks.listed_at.is_none() && !planted!(BeforeListing) {
        return Plan { record: next, steps, spot_short_at: None, requeue: None };
    }
    // Rows from before it was kept.
    next.metered_since.get_or_insert(now);
    settle::settle(&mut next, view, now);
    let spot_short_at = pools::spot_short_at(&next, now);
    let view = &View { spot_is_short: view.spot_is_short || spot_short_at.is_some(), ..*view };
    rollout::follow(&mut next, view, now, &mut steps);
    rollout::keep_up(&mut next);
    desire::decide(&mut next, view, now);
    let waits = view.refusal.is_some_and(|refusal| now < refusal.retry_at());
    let is_known = record.observed_generation == record.generation && next.generation == record.generation;
    let compared = view.compared && is_known;
    definitions::plan(settings, &mut next, waits, compared, &mut steps);
    pairs::plan(settings, &mut next, view, now, &mut steps);
    if rollout::fails_its_check(&mut next, view, now) {
        return plan(settings, &next, &View { compared: false, ..*view }, now);
    }
    status::update(settings, &mut next, view, now, &mut steps);
    if next.deleting && (is_gone(&next, view) || planted!(RowGoesFirst)) {
        steps.push(Step::Remove);
    }
    let requeue = requeue(settings, &next, view, &steps, now);
    Plan { record: next, steps, spot_short_at, requeue }
}

/// Whether nothing of a service is left but its row.
fn is_gone(record: &ServiceRecord, view: &View<'_>) -> bool {
    // One that is ending anyway needs no intent, but its row.
    let lives = view.tasks.by_arn.of(&record.name).any(|task| task.status != TaskStatus::Stopped);
    !lives
        && record.pairs().next().is_none()
        && record.strays.is_empty()
        && record.definitions == dormouse_state::Definitions::default()
        && record.dns.withdrawn_at.is_some()
}

/// The next moment at which time alone changes the plan.
fn requeue(
    settings: &Settings,
    next: &ServiceRecord,
    view: &View<'_>,
    steps: &[Step],
    now: Timestamp,
) -> Option<Duration> {
    let usage = view.usage(next, now);
    let rest = next.rest.as_ref();
    let probes = steps.iter().any(|step| matches!(step, Step::Probe { .. }));
    let awake = next.desired == Desired::Awake;
    let moments = [
        idle::idle_at(next, &usage, view.dependents_awake, now),
        idle::ends_at(next),
        template::expires_at(next),
        next.retry_at.filter(|_| next.desired == Desired::Awake && next.pair.is_none()),
        view.refusal.map(Refusal::retry_at),
        view.stop_refusal.map(Refusal::stop_again_at),
        rest.and(next.dns.withdrawn_at).map(|at| later(at, settings.dns_ttl)),
        rest.and_then(|rest| rest.drain_at).map(|at| later(at, next.spec.drain)),
        rest.and_then(|rest| rest.drain_at).map(|at| later(at, pairs::TOLD_WITHIN + next.spec.drain)),
        // Windows open and close on the minute.
        (!next.spec.awake.is_empty()).then(|| later(now, Duration::from_secs(20))),
        // A wake that does not get on is explained.
        status::not_ready_since(next).filter(|_| awake).map(|at| later(at, status::SLOW)),
        probes.then(|| later(now, Duration::from_secs(1))),
        pools::patience_ends_at(next),
        next.successor.as_ref().map(|pair| later(pair.intended_at, rollout::READY_IN)),
        next.pair.as_ref().and_then(|pair| pair.ready_at).map(|at| later(at, rollout::CHECKED_FOR)),
        next.rollout.as_ref().filter(|_| awake).and_then(|rollout| rollout.retry_at),
        (!next.strays.is_empty()).then(|| later(next.created_at, retiring::WITHDRAW_FIRST)),
        (!next.strays.is_empty()).then(|| later(next.created_at, next.spec.drain)),
        next.dns.withdrawn_at.filter(|_| !next.strays.is_empty()).map(|at| later(at, settings.dns_ttl)),
    ];
    let serving =
        next.pair.iter().flat_map(|pair| Role::ALL.map(|role| (pair, role))).flat_map(|(pair, role)| {
            let beat = view.beat(pair, role);
            let silent = beat.map(|beat| later(beat.at, status::SILENT_AFTER)).filter(|_| awake);
            let stuck = pair.task(role).started_at.map(|at| later(at, pairs::STUCK_AFTER));
            [silent, stuck]
        });
    let missing = next.pairs().flat_map(|pair| Role::ALL.map(|role| pair.task(role))).map(|intent| {
        let arn = intent.task_arn.as_ref().filter(|arn| view.tasks.missing.contains(*arn))?;
        intent
            .started_at
            .filter(|_| !view.tasks.by_arn.contains_key(arn))
            .map(|at| later(at, settle::MISSING_GRACE))
    });
    let draining = next.pairs().map(|pair| {
        let since = view.beat(pair, Role::Proxy)?.draining_since?;
        Some(later(since, next.spec.drain))
    });
    let retiring = next.retiring.iter().flat_map(|pair| {
        let condemned = pair.condemned.as_ref().map(|(at, _)| *at);
        let held = condemned.map(|at| later(at, retiring::WITHDRAW_FIRST));
        let dns = [next.dns.withdrawn_at, next.dns.published_at];
        let [withdrawn, moved] = dns.map(|at| at.map(|at| later(at, settings.dns_ttl)));
        // Its drain counts from any of them.
        let drained = |from: Option<Timestamp>| from.map(|at| later(at, next.spec.drain));
        let told = pair.drain_at.map(|at| later(at, pairs::TOLD_WITHIN));
        let begins = [condemned, held, withdrawn, moved, pair.drain_at, told];
        begins.into_iter().chain(begins.map(drained))
    });
    moments
        .into_iter()
        .chain(serving)
        .chain(missing)
        .chain(draining)
        .chain(retiring)
        .flatten()
        .filter(|at| *at > now)
        .min()
        // A little past the moment, so that it has come.
        .map(|at| since(at, now) + Duration::from_millis(5))
}

/// Seconds between tries: 5, 10, 20 … 300.
pub fn backoff(tries: u32) -> Duration {
    if planted!(NoBackoff) {
        return Duration::ZERO;
    }
    Duration::from_secs(5u64.saturating_mul(1 << tries.min(10)).min(300))
}

/// Whether a task of a service is that role of that pair of it.
fn is_of(own: &Identity, pair: PairId, role: Role) -> bool {
    (own.role, own.epoch, own.attempt) == (role, pair.epoch, pair.attempt)
}

/// The identity of a role of a pair.
pub fn identity(service: &str, pair: PairId, role: Role) -> Identity {
    Identity { service: service.to_owned(), role, epoch: pair.epoch, attempt: pair.attempt }
}

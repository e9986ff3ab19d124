//! Where a service is on its way up, for those who wait for it.

use super::words::between;
use crate::views::{condition, holds, is_ready};
use dormouse_core::view::ServiceView;
use dormouse_state::{ConditionType as Type, Desired, Phase};
use jiff::Timestamp;
use std::time::Duration;

/// Where a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// On its way up.
    Waking,
    /// On its way up, with something in the way.
    Troubled,
    /// It answers.
    Ready,
    /// Nobody wants it awake.
    Asleep,
    /// It is being deleted.
    Going,
}

/// Where a service is on its way up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) standing: Standing,
    /// When it was woken.
    pub(super) since: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) state: State,
    /// What is going on in it.
    pub(super) how: String,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Done, and how long it took if that is known.
    Done(Option<Duration>),
    /// Going on, and since when if that is known.
    Now(Option<Timestamp>),
    /// Its turn comes.
    Later,
}

/// When a service's task was first seen to run, by who watched. No record tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The last task that was looked at, and whether it ran.
    task: Option<(String, bool)>,
    ran_at: Option<Timestamp>,
}

impl Seen {
    /// Takes one more look.
    pub(super) fn look(&mut self, view: &ServiceView, now: Timestamp) {
        let looked = view.status.service.as_ref().and_then(|task| {
            let arn = task.task_arn.clone()?;
            Some((arn, runs(view)))
        });
        let same = |before: &(String, bool)| looked.as_ref().is_some_and(|(arn, _)| *arn == before.0);
        let before = self.task.as_ref().filter(|before| same(before));
        match (before, &looked) {
            (Some((_, false)), Some((_, true))) => self.ran_at = Some(now),
            (Some((_, true)), Some((_, true))) => {}
            _ => self.ran_at = None,
        }
        self.task = looked;
    }
}

/// Whether its task's containers run.
fn runs(view: &ServiceView) -> bool {
    holds(view, Type::ServiceRunning)
        || view.status.service.as_ref().is_some_and(|task| task.state == "RUNNING")
}

impl Progress {
    /// Where a service is. `asked`: a wake is under way that the view need not show yet.
    pub(super) fn of(view: &ServiceView, seen: &Seen, asked: bool) -> Progress {
        let status = &view.status;
        let standing = match status.desired {
            _ if view.metadata.deleting => Standing::Going,
            Desired::Asleep if asked => Standing::Waking,
            Desired::Asleep => Standing::Asleep,
            Desired::Awake if is_ready(view) => Standing::Ready,
            Desired::Awake if holds(view, Type::Degraded) => Standing::Troubled,
            Desired::Awake => Standing::Waking,
        };
        let since = (status.desired == Desired::Awake)
            .then(|| status.last_wake.as_ref().map(|wake| wake.at))
            .flatten();
        Progress { standing, since, steps: steps(view, seen, since) }
    }

    /// The step that goes on.
    pub(super) fn current(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.state, State::Now(_)))
    }
}

/// What is known of a step's end: not yet, at an unknown time, or when.
#[derive(Clone, Copy)]
enum End {
    Open,
    Unknown,
    At(Timestamp),
}

fn steps(view: &ServiceView, seen: &Seen, since: Option<Timestamp>) -> Vec<Step> {
    let awake = view.status.desired == Desired::Awake;
    let end = |kinds: &[Type]| {
        if !kinds.iter().all(|kind| awake && holds(view, *kind)) {
            return End::Open;
        }
        let times = kinds.iter().filter_map(|kind| condition(view, *kind));
        times.map(|condition| condition.last_transition_time).max().map_or(End::Unknown, End::At)
    };
    let accepted = if awake { since.map_or(End::Unknown, End::At) } else { End::Open };
    let task = match seen.ran_at {
        _ if !awake || !runs(view) => End::Open,
        Some(at) => End::At(at),
        None => End::Unknown,
    };
    let ends = [
        ("Request accepted", accepted, String::new()),
        ("Machine", end(&[Type::CapacityAvailable]), machine(view)),
        ("Containers", task, containers(view)),
        ("Application", end(&[Type::ServiceRunning]), "it starts: its first answer is waited for".to_owned()),
        (
            "Health check",
            end(&[Type::ProxyRunning, Type::PeersHealthy]),
            "the proxy and the application look for each other".to_owned(),
        ),
        ("Address", end(&[Type::Ready]), way(view)),
    ];
    let mut before = since;
    let mut current = true;
    ends.into_iter()
        .map(|(what, end, how)| {
            let state = match end {
                End::At(at) => {
                    let took = before.map(|before| between(before, at));
                    before = Some(before.map_or(at, |before| before.max(at)));
                    State::Done(took)
                }
                End::Unknown => {
                    before = None;
                    State::Done(None)
                }
                End::Open if std::mem::take(&mut current) => State::Now(before),
                End::Open => State::Later,
            };
            Step { what, state, how }
        })
        .collect()
}

fn machine(view: &ServiceView) -> String {
    let words = condition(view, Type::CapacityAvailable).or_else(|| condition(view, Type::Ready));
    let waking = view.status.phase == Phase::Waking;
    words.filter(|_| waking).map_or_else(|| "looking for room".to_owned(), |found| found.message.clone())
}

fn containers(view: &ServiceView) -> String {
    let words = match view.status.service.as_ref().map(|task| task.state.as_str()) {
        Some("PROVISIONING") => "the network is being attached",
        Some("PENDING") => "the image is being pulled",
        Some("ACTIVATING") => "the last preparations",
        _ => "about to be placed",
    };
    words.to_owned()
}

fn way(view: &ServiceView) -> String {
    let words = if holds(view, Type::DnsPublished) {
        "the path that you will take is being tried"
    } else {
        "the address is being published"
    };
    words.to_owned()
}

#[cfg(test)]
mod tests;

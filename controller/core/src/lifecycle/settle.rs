//! What became of the tasks that were intended: adopted, ended, or never there.

use super::{View, is_of, pools};
use crate::explain::explain;
use crate::intent::since;
use crate::naming::SIDECAR_CONTAINER;
use crate::observed::{Task, TaskStatus};
use dormouse_peer::wire::Role;
use dormouse_state::{DnsChange, Pair, PairId, ServiceRecord, TaskEnd, TaskIntent, planted};
use jiff::Timestamp;
use std::time::Duration;

/// A task that RunTask answered with may be MISSING for a while, and stopped tasks stay visible for an hour.
pub(super) const MISSING_GRACE: Duration = Duration::from_secs(300);
/// After this, a task that RunTask may have made would stand in a listing.
const NEVER_RAN_AFTER: Duration = Duration::from_secs(60);
/// Exit code of a proxy that nobody used while the controller was silent.
const EXIT_IDLE: i32 = 11;
/// Exit code of a process that SIGTERM ended.
const EXIT_TERMINATED: i32 = 143;

pub(super) fn settle(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let tasks = view.tasks.by_arn.of(&next.name);
    let mut events = Vec::new();
    for pair in next.pairs_mut() {
        let was_ready = pair.ready_at.is_some();
        let leaving = pair.condemned.as_ref().map(|(at, _)| *at);
        for role in Role::ALL {
            let id = pair.id;
            let is_it = |task: &&Task| task.identity.as_ref().is_some_and(|own| is_of(own, id, role));
            let intent = pair.task_mut(role);
            if !intent.is_open() {
                continue;
            }
            if intent.task_arn.is_none()
                && !planted!(NeverAdopts)
                && let Some(task) = tasks.clone().find(is_it)
            {
                intent.task_arn = Some(task.arn.clone());
                intent.started_at = Some(now);
            }
            intent.end = end(intent, view, role, was_ready, leaving, now);
            if let Some(end) = &intent.end
                && intent.stop_at.is_none()
                && leaving.is_none()
            {
                events.push(format!("{role} task ended: {}", explain(&end.reason)));
            }
        }
    }
    for event in events {
        next.note(now, "TaskEnded", event);
    }
    strays(next, tasks, view, now);
}

fn end(
    intent: &TaskIntent,
    view: &View<'_>,
    role: Role,
    was_ready: bool,
    leaving: Option<Timestamp>,
    now: Timestamp,
) -> Option<TaskEnd> {
    let Some(arn) = &intent.task_arn else {
        let leaving = leaving?;
        let Some(attempted_at) = intent.attempted_at else {
            return gone("NeverRan", "it was not needed any more", now);
        };
        // RunTask is repeated until the pair is condemned: only what is listed after that tells.
        let settled = since(view.tasks.listed_at?, attempted_at.max(leaving)) >= NEVER_RAN_AFTER;
        return if settled || planted!(UnansweredNeverRan) {
            gone("NeverRan", "RunTask started nothing", now)
        } else {
            None
        };
    };
    match view.tasks.by_arn.get(arn) {
        Some(task) if task.status == TaskStatus::Stopped => Some(TaskEnd {
            at: now,
            code: code(task),
            reason: words(task),
            clean: is_clean(task, role, was_ready),
        }),
        Some(_) => None,
        None => {
            let missing = view.tasks.missing.contains(arn);
            let fresh = intent.started_at.is_some_and(|at| since(now, at) < MISSING_GRACE);
            if missing && (!fresh || planted!(MissingIsGone)) {
                gone("Missing", "ECS knows nothing of it any more", now)
            } else {
                None
            }
        }
    }
}

fn code(task: &Task) -> String {
    if task.stopped_reason.as_deref().is_some_and(pools::says_no_capacity) {
        return pools::NO_CAPACITY.to_owned();
    }
    task.stop_code.clone().unwrap_or_else(|| "Unknown".to_owned())
}

fn gone(code: &str, reason: &str, now: Timestamp) -> Option<TaskEnd> {
    Some(TaskEnd { at: now, code: code.into(), reason: reason.into(), clean: false })
}

/// Ends what a condemned pair never called for: no task can exist.
pub(super) fn end_unattempted(pair: &mut Pair, now: Timestamp) {
    for role in Role::ALL {
        let intent = pair.task_mut(role);
        if intent.is_open() && intent.task_arn.is_none() && intent.attempted_at.is_none() {
            intent.end = gone("NeverRan", "it was not needed any more", now);
        }
    }
}

/// Whether a task ended because it asked to. A container that ended by itself brings the others of its task
/// down with SIGTERM, so the others' codes tell who was first.
fn is_clean(task: &Task, role: Role, was_ready: bool) -> bool {
    match role {
        Role::Proxy => task.exit_codes.values().any(|code| *code == EXIT_IDLE),
        Role::Service => {
            let sidecar = task.exit_codes.get(SIDECAR_CONTAINER);
            let others = task.exit_codes.iter().filter(|(name, _)| *name != SIDECAR_CONTAINER);
            was_ready
                && task.stop_code.as_deref() == Some("EssentialContainerExited")
                && sidecar == Some(&0)
                && others.into_iter().all(|(_, code)| *code == 0 || *code == EXIT_TERMINATED)
        }
    }
}

fn words(task: &Task) -> String {
    let reason = task.stopped_reason.clone().unwrap_or_else(|| "no reason given".into());
    let codes: Vec<_> =
        task.exit_codes.iter().map(|(container, code)| format!("{container} exited with {code}")).collect();
    if codes.is_empty() { reason } else { format!("{reason} ({})", codes.join(", ")) }
}

/// A proxy that this record does not know may have a record in the zone that it does not know either, or one that was
/// taken out a moment ago: when resolvers have forgotten it is to be found out.
fn doubt_the_zone(next: &mut ServiceRecord, pair: PairId, now: Timestamp) {
    if next.dns.pending.is_none() && next.dns.published.is_none() {
        next.dns.withdrawn_at = None;
        next.dns.pending = Some(DnsChange::sought(pair, now));
    }
}

/// Tasks with this service's mark that no open intent of it names: a row was lost, or a call outlived its
/// intent.
fn strays<'a>(
    next: &mut ServiceRecord,
    own: impl Iterator<Item = &'a Task>,
    view: &View<'a>,
    now: Timestamp,
) {
    let tasks = view.tasks;
    // Whatever is over or long gone needs no intent any more.
    next.strays.retain(|arn, _| {
        tasks.by_arn.get(arn).is_some_and(|task| task.status != TaskStatus::Stopped)
            && !tasks.missing.contains(arn)
    });
    let longer = planted!(PrefixMatch).then(|| {
        let name = next.name.clone();
        tasks.by_arn.values().filter(move |task| {
            let own = task.identity.as_ref();
            own.is_some_and(|own| own.service != name && own.service.starts_with(&name))
        })
    });
    for task in own.chain(longer.into_iter().flatten()) {
        let Some(own) = &task.identity else { continue };
        let id = PairId { epoch: own.epoch, attempt: own.attempt };
        // Newer than all that this record knows: the row before it was lost, and its names are used up. (If it
        // is the record that is behind, it cannot be written, and nothing comes of this plan.)
        if next.last_pair < Some(id) {
            next.last_pair = Some(id);
            next.epoch = next.epoch.max(id.epoch);
        }
        let named = next
            .pairs()
            .filter(|pair| pair.id == id)
            .map(|pair| pair.task(own.role))
            .any(|intent| intent.task_arn.as_ref().map_or(intent.is_open(), |arn| *arn == task.arn));
        // One that ends by itself is followed to its end: until then its names are not free.
        if named || task.status == TaskStatus::Stopped {
            continue;
        }
        if next.strays.insert(task.arn.clone(), task.cluster.clone()).is_none() && own.role == Role::Proxy {
            doubt_the_zone(next, id, now);
        }
    }
}

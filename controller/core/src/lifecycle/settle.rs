//! What became of the tasks that were intended: adopted, ended, or never there.

use super::{View, identity};
use crate::explain::explain;
use crate::intent::since;
use crate::naming::SIDECAR_CONTAINER;
use crate::observed::{Task, TaskStatus};
use crate::settings::Settings;
use dormouse_peer::wire::Role;
use dormouse_state::{PairId, ServiceRecord, TaskEnd, TaskIntent};
use jiff::Timestamp;
use std::time::Duration;

/// A task that RunTask answered with may be MISSING for a while, and stopped tasks stay visible for an hour.
const MISSING_GRACE: Duration = Duration::from_secs(300);
/// After this, a task that RunTask may have made would stand in a listing.
const NEVER_RAN_AFTER: Duration = Duration::from_secs(60);
/// Exit code of a proxy that nobody used while the controller was silent.
const EXIT_IDLE: i32 = 11;
/// Exit code of a process that SIGTERM ended.
const EXIT_TERMINATED: i32 = 143;

pub(super) fn settle(settings: &Settings, next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let name = next.name.clone();
    let (mut events, mut known) = (Vec::new(), Vec::new());
    for pair in next.pair.iter_mut().chain(&mut next.retiring) {
        known.push(pair.id);
        let was_ready = pair.ready_at.is_some();
        let leaving = pair.condemned.is_some();
        for role in Role::ALL {
            let own = identity(&name, pair.id, role);
            let intent = pair.task_mut(role);
            if !intent.is_open() {
                continue;
            }
            if intent.task_arn.is_none()
                && let Some(task) =
                    view.tasks.by_arn.values().find(|task| task.identity.as_ref() == Some(&own))
            {
                intent.task_arn = Some(task.arn.clone());
                intent.started_at = Some(now);
            }
            intent.end = end(intent, view, role, was_ready, leaving, now);
            if let Some(end) = &intent.end
                && intent.stop_at.is_none()
                && !leaving
            {
                events.push(format!("{role} task ended: {}", explain(&end.reason)));
            }
        }
    }
    for event in events {
        next.note(now, "TaskEnded", event);
    }
    strays(settings, next, view, &known);
}

fn end(
    intent: &TaskIntent,
    view: &View<'_>,
    role: Role,
    was_ready: bool,
    leaving: bool,
    now: Timestamp,
) -> Option<TaskEnd> {
    let gone = |code: &str, reason: &str| {
        Some(TaskEnd { at: now, code: code.into(), reason: reason.into(), clean: false })
    };
    let Some(arn) = &intent.task_arn else {
        let Some(attempted_at) = intent.attempted_at else {
            return if leaving { gone("NeverRan", "it was not needed any more") } else { None };
        };
        let listed_at = view.tasks.listed_at?;
        let settled = leaving && since(listed_at, attempted_at) >= NEVER_RAN_AFTER;
        return if settled { gone("NeverRan", "RunTask started nothing") } else { None };
    };
    match view.tasks.by_arn.get(arn) {
        Some(task) if task.status == TaskStatus::Stopped => Some(TaskEnd {
            at: now,
            code: task.stop_code.clone().unwrap_or_else(|| "Unknown".into()),
            reason: words(task),
            clean: is_clean(task, role, was_ready),
        }),
        Some(_) => None,
        None => {
            let missing = view.tasks.missing.contains(arn);
            let fresh = intent.started_at.is_some_and(|at| since(now, at) < MISSING_GRACE);
            if missing && !fresh { gone("Missing", "ECS knows nothing of it any more") } else { None }
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

/// Tasks with this service's mark that no pair of it names: a row was lost, or a call outlived its intent.
fn strays(settings: &Settings, next: &mut ServiceRecord, view: &View<'_>, known: &[PairId]) {
    let tasks = view.tasks;
    // Whatever is over or long gone needs no intent any more.
    next.strays.retain(|arn, _| {
        tasks.by_arn.get(arn).is_some_and(|task| task.status != TaskStatus::Stopped)
            && !tasks.missing.contains(arn)
    });
    for task in tasks.by_arn.values() {
        let Some(own) = task.identity.as_ref().filter(|own| own.service == next.name) else { continue };
        let id = PairId { epoch: own.epoch, attempt: own.attempt };
        // A pair newer than all that this record knows: the record is stale, not the task.
        let stale = next.last_pair.is_some_and(|last| id > last) && !next.deleting;
        if known.contains(&id) || stale || task.is_ending() {
            continue;
        }
        let cluster = match own.role {
            Role::Proxy => &settings.proxy_cluster,
            Role::Service => &settings.service_cluster,
        };
        next.strays.entry(task.arn.clone()).or_insert_with(|| cluster.clone());
    }
}

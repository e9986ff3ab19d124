//! An instance's way out: empty for long → intended → DRAINING → looked at again → terminated.
//!
//! Everything but the last step is taken back as soon as the instance is wanted or turns out busy.

use super::{Demand, Placement, Step};
use crate::intent::{later, since};
use crate::observed::{Fleet, Instance, Member};
use crate::settings::Settings;
use dormouse_state::{CapacityMemory, Removal, planted};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// An instance that has not joined the cluster by then never will.
const NEVER_JOINED: Duration = Duration::from_secs(600);
/// A termination that is tried again and again is dated anew this often: each date is a write.
const DATED_EVERY: Duration = Duration::from_secs(5);
/// What the budget of removals is counted over: a minute from the last try, which may be that much younger than its date.
const BUDGET_TIME: Duration = Duration::from_secs(60 + DATED_EVERY.as_secs());

pub(super) fn plan(
    settings: &Settings,
    demand: &Demand,
    fleet: &Fleet,
    placement: &Placement,
    memory: &mut CapacityMemory,
    steps: &mut Vec<Step>,
    now: Timestamp,
) -> Option<Duration> {
    let joined = joined(fleet);
    let staying: BTreeMap<&str, &Member> = fleet
        .group
        .members
        .iter()
        .filter(|member| member.is_part())
        .map(|member| (member.ec2_id.as_str(), member))
        .collect();
    // Those that are gone count for the budget for a while.
    memory.removals.retain(|id, removal| {
        staying.contains_key(id.as_str())
            || removal.terminate_at.is_some_and(|at| since(now, at) < BUDGET_TIME)
    });
    memory.empty_since.retain(|id, _| staying.contains_key(id.as_str()));
    let occupied = |id: &str| {
        !planted!(KillsBusy)
            && joined.get(id).is_some_and(|instance| {
                // A task that does not come to its end is counted no more, and holds its resources.
                instance.tasks > 0
                    || instance.remaining != instance.registered
                    || demand.occupied.contains_key(&instance.arn)
                    || demand.placed_since.iter().any(|(on, _)| *on == instance.arn)
            })
    };
    let nominated = |id: &str| placement.nominated.contains(id) && !planted!(NominatedGo);
    let busy = |id: &str| nominated(id) || occupied(id);
    for id in staying.keys() {
        if busy(id) {
            memory.empty_since.remove(*id);
        } else {
            memory.empty_since.entry((*id).to_owned()).or_insert(now);
        }
    }
    // Somebody has raised the minimum: none may go any more. A Terminate that nothing came of for a minute was refused.
    let none_may_go = fleet.group.desired <= fleet.group.min;
    if none_may_go {
        let begun = memory.removals.iter_mut().filter(|(id, _)| staying.contains_key(id.as_str()));
        for (_, removal) in begun {
            removal.terminate_at = removal.terminate_at.filter(|at| since(now, *at) < BUDGET_TIME);
        }
    }
    take_back(&joined, &|id: &str| busy(id) || none_may_go, memory, steps);
    choose(settings, fleet, &joined, &staying, memory, now);
    if none_may_go {
        return requeue(settings, &joined, memory, now);
    }
    advance(settings, &joined, &staying, &occupied, memory, steps, now);
    requeue(settings, &joined, memory, now)
}

/// Takes back the removals of instances that somebody waits for.
pub(super) fn call_back(
    fleet: &Fleet,
    placement: &Placement,
    memory: &mut CapacityMemory,
    steps: &mut Vec<Step>,
) {
    take_back(&joined(fleet), &|id: &str| placement.nominated.contains(id), memory, steps);
}

fn joined(fleet: &Fleet) -> BTreeMap<&str, &Instance> {
    fleet.instances.iter().map(|instance| (instance.ec2_id.as_str(), instance)).collect()
}

/// Removals of instances that are wanted again.
fn take_back(
    joined: &BTreeMap<&str, &Instance>,
    busy: &dyn Fn(&str) -> bool,
    memory: &mut CapacityMemory,
    steps: &mut Vec<Step>,
) {
    let back: Vec<String> = memory
        .removals
        .iter()
        .filter(|(id, removal)| removal.terminate_at.is_none() && busy(id))
        .map(|(id, _)| id.clone())
        .collect();
    for id in back {
        let Some(instance) = joined.get(id.as_str()) else { continue };
        // Forgotten only once it is seen ACTIVE: until then the call is repeated.
        if instance.active {
            memory.removals.remove(&id);
        } else {
            // Whatever becomes of the call: how long it has been draining is not known any more.
            if let Some(removal) = memory.removals.get_mut(&id) {
                removal.draining_at = None;
            }
            steps.push(Step::Activate(vec![instance.arn.clone()]));
        }
    }
}

/// Chooses instances that were empty for long, within the budget: at most one in ten at a time and in a minute,
/// one at least.
fn choose(
    settings: &Settings,
    fleet: &Fleet,
    joined: &BTreeMap<&str, &Instance>,
    staying: &BTreeMap<&str, &Member>,
    memory: &mut CapacityMemory,
    now: Timestamp,
) {
    let budget = if planted!(NoRemovalBudget) { usize::MAX } else { (staying.len() / 10).max(1) };
    let above_min =
        usize::try_from(fleet.group.desired.saturating_sub(fleet.group.min)).unwrap_or(usize::MAX);
    let gone = memory.removals.keys().filter(|id| !staying.contains_key(id.as_str())).count();
    for (id, empty_since) in memory.empty_since.clone() {
        let open = memory.removals.len();
        if open >= budget || open - gone >= above_min {
            return;
        }
        // One that drains already goes too, whoever drained it: a removal may have been forgotten over a reading
        // that was older than its Drain call.
        let delay = if joined.contains_key(id.as_str()) { settings.scale_in_delay } else { NEVER_JOINED };
        if since(now, empty_since) >= delay && !memory.removals.contains_key(&id) && !planted!(NeverShrinks) {
            memory.removals.insert(id, Removal { intended_at: now, draining_at: None, terminate_at: None });
        }
    }
}

fn advance(
    settings: &Settings,
    joined: &BTreeMap<&str, &Instance>,
    staying: &BTreeMap<&str, &Member>,
    occupied: &dyn Fn(&str) -> bool,
    memory: &mut CapacityMemory,
    steps: &mut Vec<Step>,
    now: Timestamp,
) {
    for (id, removal) in memory.removals.iter_mut().filter(|(id, _)| staying.contains_key(id.as_str())) {
        let instance = joined.get(id.as_str());
        if !memory.empty_since.contains_key(id) && removal.terminate_at.is_none() {
            continue;
        }
        // Seen too late: whatever runs there is not cut off, and the wait begins anew.
        if occupied(id) {
            removal.draining_at = None;
            continue;
        }
        match instance {
            Some(instance) if instance.active && !planted!(NoDraining) => {
                removal.draining_at = None;
                steps.push(Step::Drain(vec![instance.arn.clone()]));
                continue;
            }
            // Never joined, or left the cluster: there is nothing to drain, the wait is the same.
            _ => {
                removal.draining_at.get_or_insert(now);
            }
        }
        let waited = removal.draining_at.is_some_and(|at| since(now, at) >= settings.drain_wait);
        if waited {
            if removal.terminate_at.is_none() {
                removal.terminate_at = Some(now);
                // It lowers what is desired by one. What is asked for right now stays what is written down.
                if !steps.iter().any(|step| matches!(step, Step::SetDesired(_))) {
                    memory.target = memory.target.map(|target| target.saturating_sub(1));
                }
            } else if removal.terminate_at.is_some_and(|at| since(now, at) >= DATED_EVERY) {
                removal.terminate_at = Some(now);
            }
            steps.push(Step::Terminate(id.clone()));
        }
    }
}

fn requeue(
    settings: &Settings,
    joined: &BTreeMap<&str, &Instance>,
    memory: &CapacityMemory,
    now: Timestamp,
) -> Option<Duration> {
    let empties = memory.empty_since.iter().map(|(id, at)| {
        later(*at, if joined.contains_key(id.as_str()) { settings.scale_in_delay } else { NEVER_JOINED })
    });
    let drains = memory
        .removals
        .values()
        .filter_map(|removal| removal.draining_at)
        .map(|at| later(at, settings.drain_wait));
    let budget =
        memory.removals.values().filter_map(|removal| removal.terminate_at).map(|at| later(at, BUDGET_TIME));
    empties
        .chain(drains)
        .chain(budget)
        .filter(|at| *at > now)
        .min()
        .map(|at| since(at, now) + Duration::from_millis(5))
}

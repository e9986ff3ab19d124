//! Wanted service tasks against instances: who has room, when to grow, what to remove.
//!
//! # Layout
//!
//! - [`demand`]: the service tasks that wait for an instance
//! - [`joining`]: instances that boot, and who waits for them
//! - [`place`]: which instance has room for which
//! - `lack`: launches that failed, remembered for a while
//! - `pack`: how many new ones are needed
//! - [`processor`]: which one a task is for, and what the group launches
//! - `removal`: an instance's way out, in steps that can be taken back until the last one

pub mod demand;
pub mod joining;
mod lack;
mod pack;
pub mod place;
pub mod processor;
mod removal;
#[cfg(test)]
mod tests;

pub use demand::{Demand, Want, demand, short_of};
pub use place::{Placement, Room, place};

use crate::intent::since;
use crate::observed::{Fleet, Group, Resources};
use crate::settings::Settings;
use dormouse_state::{CapacityMemory, InstanceSize, planted};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// A reading of the group is no older than this.
const READS_LAG: Duration = Duration::from_secs(60);

/// An effect on the group or its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Raise the desired capacity; never below what is desired now, never above the maximum.
    SetDesired(u32),
    /// Protect instances (EC2 ids) from scale-in.
    Protect(Vec<String>),
    /// Set container instances (ARNs) DRAINING.
    Drain(Vec<String>),
    /// Set container instances (ARNs) ACTIVE again.
    Activate(Vec<String>),
    /// Terminate an instance (EC2 id) and lower the desired capacity by one.
    Terminate(String),
}

/// What to remember, then what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// To be written if it differs from the one planned from.
    pub memory: CapacityMemory,
    /// Then these.
    pub steps: Vec<Step>,
    /// Who has room.
    pub placement: Placement,
    /// Plan again at the latest after this time.
    pub requeue: Option<Duration>,
}

/// Container instances that ECS lately had no room on although it looked so, by ARN, each with the smallest task that
/// was refused there: a smaller one may have room.
pub type Full = BTreeMap<String, Resources>;

/// Plans the capacity of the group. `full`: what looks free there and is not.
pub fn plan(
    settings: &Settings,
    demand: &Demand,
    fleet: &Fleet,
    memory: &CapacityMemory,
    full: &Full,
    now: Timestamp,
) -> Plan {
    let mut memory = memory.clone();
    let mut steps = Vec::new();
    // Where all sleeps there is no instance to be measured by.
    if let Some(Resources { cpu, memory: mib }) = place::largest(fleet) {
        memory.size = Some(InstanceSize { cpu, memory: mib });
    }
    lack::remember(fleet, &mut memory, now);
    let placement = place(settings, demand, fleet, &memory, full);
    // What was asked for is asked for again until it is seen, or until nobody waits for it any more: the call
    // may never have been made, and if it was, another controller's reading of the group may be older than it.
    let goal = place::desired(fleet, &memory).saturating_add(placement.grow).min(place::most(fleet));
    let asked = Some(goal).filter(|goal| *goal > fleet.group.desired && placement.fresh > 0);
    if asked.is_none() && memory.asked_at.is_none_or(|at| since(now, at) >= READS_LAG) {
        (memory.target, memory.asked_at) = (None, None);
    }
    // More run than are desired: all of them protected, the group itself can end none, and one that is terminated
    // lowers what is desired below its minimum. What truly runs is desired first, then removed like all others.
    let running = surplus(fleet, &memory).min(fleet.group.max);
    let surplus = Some(running).filter(|running| *running > goal.max(fleet.group.desired));
    if let Some(goal) = surplus.or(asked) {
        ask(goal, &mut memory, &mut steps, now);
    }
    if planted!(ZeroUntilPlaced) && demand.occupied.is_empty() && !fleet.instances.is_empty() {
        steps.push(Step::SetDesired(0));
    }
    let requeue = removal::plan(settings, demand, fleet, &placement, &mut memory, &mut steps, now);
    if planted!(ScaleInByDesired) {
        let terminates = |step: &&mut Step| matches!(step, Step::Terminate(_));
        let fewer = fleet.group.desired.saturating_sub(1);
        steps.iter_mut().filter(terminates).for_each(|step| *step = Step::SetDesired(fewer));
    }
    if planted!(DrainsOthers) {
        let others = fleet.instances.iter().filter(|other| fleet.own().all(|own| own.arn != other.arn));
        let empty = others.filter(|other| other.active && other.tasks == 0);
        steps.extend(empty.map(|other| Step::Drain(vec![other.arn.clone()])));
    }
    steps.extend(protect(&fleet.group, &memory));
    Plan { memory, steps, placement, requeue }
}

/// What can be done while the group cannot be read: an instance that somebody waits for, and that is not to be terminated
/// yet, is called back.
pub fn call_back(
    settings: &Settings,
    demand: &Demand,
    fleet: &Fleet,
    memory: &CapacityMemory,
    full: &Full,
) -> Plan {
    let (mut memory, mut steps) = (memory.clone(), Vec::new());
    let placement = place(settings, demand, fleet, &memory, full);
    removal::call_back(fleet, &placement, &mut memory, &mut steps);
    Plan { memory, steps, placement, requeue: None }
}

/// Protects what is in service and not on its way out. For that nothing but the group need be known.
pub fn protect(group: &Group, memory: &CapacityMemory) -> Option<Step> {
    let bare = group.members.iter().filter(|member| member.lifecycle == "InService" && !member.protected);
    let stays = bare.filter(|member| !memory.removals.contains_key(&member.ec2_id));
    let ids: Vec<String> = stays.map(|member| member.ec2_id.clone()).collect();
    (!ids.is_empty() && !planted!(Unprotected)).then_some(Step::Protect(ids))
}

fn ask(goal: u32, memory: &mut CapacityMemory, steps: &mut Vec<Step>, now: Timestamp) {
    if memory.target != Some(goal) && !planted!(GrowsUnintended) {
        (memory.target, memory.asked_at) = (Some(goal), Some(now));
    }
    steps.push(Step::SetDesired(goal));
}

/// Instances that are in service to stay.
fn surplus(fleet: &Fleet, memory: &CapacityMemory) -> u32 {
    let ends = |id: &str| memory.removals.get(id).is_some_and(|removal| removal.terminate_at.is_some());
    let stays = fleet
        .group
        .members
        .iter()
        .filter(|member| member.lifecycle == "InService" && member.protected && !ends(&member.ec2_id));
    stays.count().try_into().unwrap_or(u32::MAX)
}

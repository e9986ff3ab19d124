//! Instances of another group in the same cluster: they have room like ours, are never changed, and say nothing of ours.

use super::*;
use crate::capacity::Step;
use crate::capacity::joining::is_joining;
use crate::capacity::processor::is_in_doubt;
use crate::observed::Instance;
use crate::testing::fleet::{SIZE, group};
use dormouse_manifests::Architecture;

fn large(id: &str, tasks: u32) -> Fleet {
    let mut fleet = group(4).having("i-1", 0).beside(id, tasks);
    fleet.instance(id).registered = Resources { cpu: 2 * SIZE.cpu, memory: 2 * SIZE.memory };
    fleet
}

fn placed_on(fleet: &Fleet, want: Want) -> (Vec<&'static str>, u32) {
    let placement = placed(&Demand { waiting: vec![want], ..Demand::default() }, fleet);
    (rooms(&placement), placement.grow)
}

#[test]
fn their_room_is_used() {
    let mut fleet = large("i-9", 0);
    fleet.instance("i-9").remaining = fleet.instance("i-9").registered;
    assert_eq!(placed_on(&fleet, want("huge", SIZE.cpu + 1, 1000)), (vec!["Yes"], 0));
}

/// More of the group's instances would be of no use: they are not as large.
#[test]
fn what_fits_only_theirs_starts_none_of_ours() {
    assert_eq!(placed_on(&large("i-9", 3), want("huge", SIZE.cpu + 1, 1000)), (vec!["TooLarge"], 0));
    let memory = planned(&waiting(0), &large("i-9", 3), &CapacityMemory::default(), 0).memory;
    let size = memory.size.map(|size| (size.cpu, size.memory));
    assert_eq!(size, Some((SIZE.cpu, SIZE.memory)), "the size that is remembered is the group's");
}

#[test]
fn their_processor_says_nothing_of_what_the_group_launches() {
    let mut theirs = group(4).beside("i-9", 0);
    theirs.instance("i-9").architecture = Some(Architecture::X86_64);
    let arm = Want { architecture: Some(Architecture::Arm64), ..want("a", 256, 512) };
    assert_eq!(placed_on(&theirs, arm.clone()), (vec!["ScalingUp"], 1));
    theirs.launches = Some(Architecture::Arm64);
    let demand = Demand { waiting: vec![arm], ..Demand::default() };
    assert!(!is_in_doubt(&Settings::example(), &demand, &theirs), "and is read for nobody");
}

#[test]
fn one_of_ours_that_boots_is_missing_whoever_else_is_there() {
    let fleet = group(4).beside("i-9", 0);
    assert!(!is_joining(&fleet));
    assert!(is_joining(&fleet.clone().expecting("i-1")));
    assert!(!is_joining(&fleet.having("i-1", 0)));
}

/// Empty for hours, bare, drained by their own controller: nothing is done to them, whatever is done to ours.
#[test]
fn they_are_left_alone() {
    let fleet = group(4).having("i-1", 0).beside("i-9", 0).beside("i-8", 0).drained("i-8");
    let mut memory = CapacityMemory::default();
    let mut touched = Vec::new();
    for second in 0..600 {
        let plan = planned(&Demand::default(), &fleet, &memory, second);
        memory = plan.memory;
        touched.extend(plan.steps.into_iter().flat_map(|step| match step {
            Step::Protect(ids) | Step::Drain(ids) | Step::Activate(ids) => ids,
            Step::Terminate(id) => vec![id],
            Step::SetDesired(_) => Vec::new(),
        }));
    }
    let theirs = |id: &String| fleet.own().all(|own: &Instance| own.ec2_id != *id && own.arn != *id);
    assert!(!touched.is_empty() && !touched.iter().any(theirs), "{touched:?}");
}

//! More instances.

use super::*;
use crate::capacity::Step;
use crate::testing::fleet::group;

fn set(plan: &Plan) -> Vec<u32> {
    plan.steps
        .iter()
        .filter_map(|step| if let Step::SetDesired(n) = step { Some(*n) } else { None })
        .collect()
}

fn grow(count: usize, fleet: &Fleet) -> Vec<u32> {
    set(&planned(&waiting(count), fleet, &CapacityMemory::default(), 0))
}

#[test]
fn as_many_as_waiting_tasks_need() {
    for (count, desired) in [(0, vec![]), (1, vec![1]), (3, vec![1]), (4, vec![2]), (9, vec![3])] {
        assert_eq!(grow(count, &group(5)), desired, "{count} wait");
    }
}

#[test]
fn never_above_the_maximum() {
    let plan = planned(&waiting(9), &group(2), &CapacityMemory::default(), 0);
    assert_eq!(set(&plan), [2]);
    let mut rooms = rooms(&plan.placement);
    rooms.sort_unstable();
    assert_eq!(rooms, [vec!["AtMaximum"; 3], vec!["ScalingUp"; 6]].concat());
}

#[test]
fn a_maximum_that_was_lowered_lowers_nothing() {
    let mut fleet = group(5).having("i-a", 3).having("i-b", 3);
    fleet.group.max = 1;
    assert_eq!(grow(4, &fleet), Vec::<u32>::new());
}

#[test]
fn instances_that_are_coming_are_counted() {
    let fleet = group(5).expecting("i-a");
    assert_eq!(grow(3, &fleet), Vec::<u32>::new());
    assert_eq!(grow(4, &fleet), [2]);
    let mut ordered = group(5);
    ordered.group.desired = 2;
    assert_eq!(grow(6, &ordered), Vec::<u32>::new(), "desired, not yet launched");
}

#[test]
fn what_is_asked_for_is_remembered_first_and_asked_for_until_it_is_seen() {
    let fleet = group(5);
    let first = planned(&waiting(4), &fleet, &CapacityMemory::default(), 0);
    assert_eq!((set(&first), first.memory.target), (vec![2], Some(2)));
    let again = planned(&waiting(4), &fleet, &first.memory, 1);
    assert_eq!((set(&again), again.memory.target), (vec![2], Some(2)), "the call may never have been made");
    let mut seen = fleet.clone();
    seen.group.desired = 2;
    let done = planned(&waiting(4), &seen, &again.memory, 2);
    assert_eq!((set(&done), done.memory.target), (vec![], Some(2)), "a later reading may be an older one");
    let forgotten = planned(&waiting(4), &seen, &done.memory, 60);
    assert_eq!((set(&forgotten), forgotten.memory.target), (vec![], None));
}

#[test]
fn a_reading_from_before_another_s_call_does_not_lower_what_it_asked_for() {
    let memory = CapacityMemory { target: Some(4), ..CapacityMemory::default() };
    let stale = group(5).having("i-a", 3);
    assert_eq!(set(&planned(&waiting(1), &stale, &memory, 0)), [4]);
}

#[test]
fn a_reading_that_goes_back_in_time_does_not_lower_what_was_seen() {
    let asked = planned(&waiting(4), &group(5), &CapacityMemory::default(), 0);
    assert_eq!(set(&asked), [2]);
    let mut seen = group(5);
    seen.group.desired = 2;
    let seen = planned(&waiting(4), &seen, &asked.memory, 3);
    let back = planned(&waiting(1), &group(5), &seen.memory, 9);
    assert_eq!(set(&back), [2]);
}

#[test]
fn what_runs_beyond_what_is_desired_is_desired_so_that_it_can_be_removed() {
    let mut fleet = group(5).having("i-a", 0).having("i-b", 0);
    fleet.group.desired = 0;
    assert_eq!(set(&planned(&waiting(0), &fleet, &CapacityMemory::default(), 0)), [2]);
    fleet.group.max = 1;
    assert_eq!(set(&planned(&waiting(0), &fleet, &CapacityMemory::default(), 0)), [1]);
    // One that is not protected is the group's own to end.
    fleet.member("i-a").protected = false;
    fleet.member("i-b").protected = false;
    assert_eq!(set(&planned(&waiting(0), &fleet, &CapacityMemory::default(), 0)), Vec::<u32>::new());
}

#[test]
fn what_nobody_waits_for_any_more_is_not_asked_for() {
    let memory = CapacityMemory { target: Some(2), ..CapacityMemory::default() };
    let plan = planned(&waiting(0), &group(5), &memory, 0);
    assert_eq!((set(&plan), plan.memory.target), (vec![], None));
}

#[test]
fn a_failed_launch_is_the_reason() {
    let mut fleet = group(5).expecting("i-a");
    fleet.launch_failure = Some("InsufficientInstanceCapacity".into());
    assert_eq!(rooms(&placed(&waiting(1), &fleet)), ["LaunchFailed"]);
}

#[test]
fn unprotected_instances_are_protected() {
    let mut fleet = group(5).having("i-a", 1).having("i-b", 1).having("i-c", 1).expecting("i-d");
    for id in ["i-a", "i-b", "i-c", "i-d"] {
        fleet.member(id).protected = false;
    }
    fleet.member("i-c").lifecycle = "Terminating".into();
    fleet.member("i-d").lifecycle = "Pending".into();
    let plan = planned(&waiting(0), &fleet, &CapacityMemory::default(), 0);
    assert_eq!(plan.steps, [Step::Protect(vec!["i-a".into(), "i-b".into()])]);
}

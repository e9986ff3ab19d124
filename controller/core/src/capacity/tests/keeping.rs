//! Room that is kept for whoever comes next; instances that only stand by; and what is remembered of their size.

use super::*;
use crate::capacity::{Step, demand};
use crate::testing::fleet::{SIZE, group};
use crate::testing::scene::Scene;
use dormouse_state::InstanceSize;
use std::collections::BTreeMap;

fn with_headroom(
    headroom: u32,
    demand: &Demand,
    fleet: &Fleet,
    memory: &CapacityMemory,
    second: i64,
) -> Plan {
    let settings = Settings { headroom, ..Settings::example() };
    plan(&settings, demand, fleet, memory, &BTreeMap::new(), at(second))
}

/// So many wait, and something is awake.
fn awake(count: usize) -> Demand {
    Demand { slot: Some(Resources { cpu: 288, memory: 544 }), ..waiting(count) }
}

fn grown(plan: &Plan) -> u32 {
    plan.placement.grow
}

#[test]
fn so_many_free_slots_are_kept_while_anything_is_awake() {
    let memory = CapacityMemory::default();
    let one_free = group(5).having("i-a", 2);
    for (headroom, demand, fleet, new) in [
        (0, awake(0), group(5), 0),
        (1, awake(0), group(5), 1),
        (3, awake(0), group(5), 1),
        (4, awake(0), group(5), 2),
        // What is free is room already.
        (1, awake(0), one_free.clone(), 0),
        (2, awake(0), one_free.clone(), 1),
        // Who waits comes first, on what is there and on what is new.
        (1, awake(1), one_free.clone(), 1),
        (2, awake(1), one_free.clone(), 1),
        (3, awake(1), one_free.clone(), 1),
        (4, awake(1), one_free.clone(), 2),
        // Nothing is awake: nothing is kept.
        (4, waiting(0), one_free, 0),
    ] {
        let plan = with_headroom(headroom, &demand, &fleet, &memory, 0);
        assert_eq!(grown(&plan), new, "{headroom} beside {} waiting", demand.waiting.len());
    }
}

#[test]
fn headroom_takes_nobodys_place_at_the_maximum() {
    let plan = with_headroom(9, &awake(3), &group(1), &CapacityMemory::default(), 0);
    assert_eq!((rooms(&plan.placement), grown(&plan)), (vec!["ScalingUp"; 3], 1));
}

#[test]
fn an_instance_that_is_kept_is_not_removed_until_all_sleeps() {
    let fleet = group(5).having("i-a", 0);
    let long_empty =
        CapacityMemory { empty_since: [("i-a".to_owned(), at(0))].into(), ..CapacityMemory::default() };
    let kept = with_headroom(1, &awake(0), &fleet, &long_empty, 1000);
    assert_eq!((kept.memory.removals.len(), kept.steps), (0, vec![]));
    let goes = with_headroom(1, &waiting(0), &fleet, &long_empty, 1000);
    assert_eq!(goes.memory.removals.len(), 1);
}

#[test]
fn a_slot_is_as_large_as_the_largest_declared_service_while_one_is_to_be_awake() {
    let (asleep, mut large, awake) = (Scene::asleep(), Scene::asleep(), Scene::waking());
    large.record.spec.memory = 4000;
    let of = |scenes: &[&Scene]| demand(scenes.iter().map(|scene| &scene.record), &awake.tasks, None).slot;
    assert_eq!(of(&[&asleep, &large]), None);
    assert_eq!(of(&[&asleep, &large, &awake]), Some(Resources { cpu: 288, memory: 4032 }));
}

#[test]
fn what_stands_in_the_warm_pool_is_no_instance_yet() {
    for lifecycle in ["Warmed:Stopped", "Warmed:Running", "Warmed:Pending:Wait", "Warmed:Hibernated"] {
        let mut fleet = group(5).having("i-warm", 0);
        fleet.group.desired = 0;
        (fleet.member("i-warm").lifecycle, fleet.member("i-warm").protected) = (lifecycle.into(), false);
        let old = CapacityMemory {
            empty_since: [("i-warm".to_owned(), at(0))].into(),
            ..CapacityMemory::default()
        };
        // It is neither placed on, nor protected, nor removed; Auto Scaling takes it when one more is desired.
        let plan = planned(&waiting(1), &fleet, &old, 5000);
        assert_eq!(plan.steps, [Step::SetDesired(1)], "{lifecycle}");
        assert_eq!((plan.memory.removals.len(), plan.memory.empty_since.len()), (0, 0), "{lifecycle}");
    }
}

#[test]
fn the_size_is_remembered_for_when_there_is_no_instance() {
    let plan = planned(&waiting(0), &group(5).having("i-a", 1), &CapacityMemory::default(), 0);
    let size = InstanceSize { cpu: SIZE.cpu, memory: SIZE.memory };
    assert_eq!(plan.memory.size, Some(size));
    let large = |name: &str| want(name, 100, 9000);
    let demand = Demand { waiting: vec![large("a"), large("b")], ..Demand::default() };
    let none = planned(&demand, &group(5), &CapacityMemory::default(), 0);
    assert_eq!(grown(&none), 1, "nothing is known: only the number of tasks counts");
    let known =
        planned(&demand, &group(5), &CapacityMemory { size: Some(size), ..CapacityMemory::default() }, 0);
    assert_eq!(grown(&known), 2);
    // One that would not have fitted is tried: the next instance may be larger.
    let small =
        CapacityMemory { size: Some(InstanceSize { cpu: 50, memory: 50 }), ..CapacityMemory::default() };
    assert_eq!(rooms(&planned(&demand, &group(5), &small, 0).placement), ["ScalingUp", "ScalingUp"]);
}

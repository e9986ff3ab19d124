//! What the records want of a fleet.

use super::*;
use crate::capacity::{demand, short_of};
use crate::observed::TaskStatus;
use crate::testing::fleet::{arn, group};
use crate::testing::scene::Scene;
use dormouse_peer::wire::Role;

fn of(scene: &Scene, fleet_at: i64) -> Demand {
    demand([&scene.record].into_iter(), &scene.tasks, Some(at(fleet_at)))
}

#[test]
fn an_intended_task_waits() {
    let demand = of(&Scene::waking(), 0);
    assert_eq!(demand.waiting, [want("hello", 288, 544)]);
}

#[test]
fn what_is_asleep_wants_nothing() {
    assert_eq!(of(&Scene::asleep(), 0), Demand::default());
    let mut scene = Scene::waking();
    scene.sleep();
    assert_eq!(of(&scene, 0).waiting, []);
}

#[test]
fn between_two_pairs_it_still_wants_its_instance() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.end(Role::Service, &[]);
    scene.step();
    assert_eq!(scene.record.pair, None);
    assert_eq!(of(&scene, 0).waiting.len(), 1);
}

#[test]
fn between_two_pairs_it_comes_after_all_that_can_use_an_instance_now() {
    let mut failing = Scene::waking();
    failing.start_both();
    failing.end(Role::Service, &[]);
    failing.step();
    let mut scene = Scene::waking();
    scene.record.name = "younger".into();
    scene.record.pair.as_mut().unwrap().intended_at = at(60);
    let demand = demand([&failing.record, &scene.record].into_iter(), &failing.tasks, None);
    assert_eq!(demand.waiting.iter().map(|want| &*want.service).collect::<Vec<_>>(), ["younger", "hello"]);
}

#[test]
fn who_was_refused_is_put_behind_until_its_next_try() {
    let waiting = ["a", "b", "c", "d"].map(|name| want(name, 1, 1)).to_vec();
    let mut demand = Demand { waiting, ..Demand::default() };
    demand.put_behind(|name| ["a", "c"].contains(&name));
    assert_eq!(demand.waiting.iter().map(|want| &*want.service).collect::<Vec<_>>(), ["b", "d", "a", "c"]);
}

#[test]
fn a_started_task_waits_no_more() {
    let mut scene = Scene::waking();
    scene.start_both();
    let demand = of(&scene, 1);
    assert_eq!((demand.waiting.len(), demand.placed_since.len()), (0, 0));
    assert_eq!(demand.occupied, [(arn("a"), 1)].into());
}

#[test]
fn a_task_that_is_known_and_not_yet_remembered_waits_no_more() {
    let mut scene = Scene::waking();
    scene.make(Role::Service);
    assert_eq!(scene.pair().service.task_arn, None);
    assert_eq!(of(&scene, 1).waiting, []);
}

#[test]
fn what_started_after_the_reading_is_not_in_it() {
    let mut scene = Scene::waking();
    scene.start_both();
    assert_eq!(of(&scene, 0).placed_since, [(arn("a"), Resources { cpu: 288, memory: 544 })]);
}

#[test]
fn a_task_occupies_its_instance_until_it_is_over() {
    let mut scene = Scene::waking();
    scene.start_both();
    let service = scene.arn(Role::Service);
    for (status, count) in
        [(TaskStatus::Provisioning, 1), (TaskStatus::Stopping, 1), (TaskStatus::Stopped, 0)]
    {
        scene.set(&service, status);
        assert_eq!(of(&scene, 1).occupied.len(), count, "{status:?}");
    }
}

#[test]
fn whoever_waits_longest_comes_first() {
    let (mut first, mut second) = (Scene::waking().record, Scene::waking().record);
    (first.name, second.name) = ("zebra".into(), "ant".into());
    second.pair.as_mut().unwrap().intended_at = at(5);
    let demand = demand([&second, &first].into_iter(), &Default::default(), None);
    assert_eq!(demand.waiting.iter().map(|want| want.service.as_str()).collect::<Vec<_>>(), ["zebra", "ant"]);
}

/// (Tasks that ECS counts on its instance, status of the one that is known there) → whether one must have ended.
#[test]
fn where_ecs_counts_fewer_tasks_than_are_known_one_has_ended() {
    for (counted, status, short) in [
        (0, TaskStatus::Running, true),
        (1, TaskStatus::Running, false),
        (2, TaskStatus::Running, false),
        (0, TaskStatus::Pending, true),
        // Not counted, or not any more.
        (0, TaskStatus::Provisioning, false),
        (0, TaskStatus::Stopping, false),
    ] {
        let mut scene = Scene::waking();
        scene.start(Role::Service);
        let task = scene.arn(Role::Service);
        scene.set(&task, status);
        let fleet = group(3).having("a", counted);
        let expected = if short { [arn("a")].into() } else { BTreeSet::new() };
        assert_eq!(short_of(&fleet, &scene.tasks), expected, "{counted} {status:?}");
    }
}

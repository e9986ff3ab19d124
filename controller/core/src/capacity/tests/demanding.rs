//! What the records want of a fleet.

use super::*;
use crate::capacity::demand;
use crate::observed::TaskStatus;
use crate::testing::fleet::arn;
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

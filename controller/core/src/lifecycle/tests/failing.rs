//! Pairs that end before their time.

use crate::lifecycle::{backoff, outcome};
use crate::observed::TaskStatus;
use crate::testing::scene::{Scene, runs, stops};
use crate::testing::{idle_after, secs};
use crate::{intent, lifecycle};
use dormouse_manifests::Service;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{ConditionType, Desired, PairId};

/// The service task crashes, and all of its pair goes.
fn crash(scene: &mut Scene) {
    scene.end(Role::Service, &[("app", 1), ("dormouse-service", 0)]);
    let proxy = scene.arn(Role::Proxy);
    scene.set(&proxy, TaskStatus::Stopped);
    scene.step();
}

#[test]
fn seconds_between_tries() {
    let waits: Vec<u64> = (0..9).map(|tries| backoff(tries).as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!(backoff(u32::MAX), secs(300));
}

#[test]
fn a_crash_is_followed_by_a_new_attempt() {
    let mut scene = Scene::ready();
    crash(&mut scene);
    assert_eq!(scene.pair().id, PairId { epoch: 1, attempt: 2 });
    assert_eq!(scene.record.failures, 1);
    assert_eq!(scene.events("TaskEnded"), 2, "{:?}", scene.record.events);
}

#[test]
fn tries_are_spaced_from_intent_to_intent() {
    let mut scene = Scene::waking();
    for failures in 1..8 {
        let intended = scene.pair().intended_at;
        let attempt = scene.pair().id.attempt;
        scene.start_both();
        crash(&mut scene);
        assert_eq!(scene.record.failures, failures);
        let due = intent::later(intended, backoff(failures));
        assert_eq!(scene.record.pair, None, "attempt {attempt}");
        scene.now = intent::later(due, secs(0)).checked_sub(jiff::SignedDuration::from_millis(1)).unwrap();
        let plan = scene.plan();
        assert_eq!(runs(&plan.steps), []);
        assert!(plan.requeue.unwrap() <= secs(1));
        scene.now = due;
        assert_eq!(runs(&scene.step()), Role::ALL);
        assert_eq!(scene.pair().id.attempt, attempt + 1);
    }
}

#[test]
fn a_pair_that_lasted_is_replaced_at_once_and_forgives_what_was_before() {
    let mut scene = Scene::ready();
    scene.record.failures = 5;
    scene.pass(600);
    scene.count(9, 1, 0);
    crash(&mut scene);
    assert_eq!((scene.record.failures, scene.pair().id.attempt), (0, 2));
}

#[test]
fn so_does_a_pair_that_slept_when_it_was_told() {
    let mut scene = Scene::ready();
    scene.record.failures = 5;
    scene.sleep();
    scene.withdraw();
    scene.pass(40);
    scene.step();
    scene.beat(Role::Proxy, SidecarState::Draining);
    scene.step();
    assert_eq!((scene.record.failures, scene.record.pair.as_ref()), (0, None));
}

#[test]
fn the_other_half_of_a_dead_one_is_stopped() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.step();
    scene.end(Role::Proxy, &[("dormouse-proxy", 1)]);
    let service = scene.arn(Role::Service);
    assert_eq!(stops(&scene.step()), [service]);
}

#[test]
fn a_burnt_token_needs_a_new_attempt() {
    let mut scene = Scene::waking();
    let identity = lifecycle::identity("hello", scene.pair().id, Role::Service);
    scene.start(Role::Proxy);
    outcome::burnt(&mut scene.record, &identity, "used up", scene.now);
    scene.pass(10);
    scene.step();
    assert_eq!(scene.pair().id.attempt, 2);
}

#[test]
fn at_most_two_generations_at_a_time() {
    let mut scene = Scene::waking();
    for _ in 0..2 {
        scene.start_both();
        scene.step();
        // Its proxy ends; its service does not want to.
        scene.end(Role::Proxy, &[]);
        scene.step();
        scene.pass(300);
        scene.step();
    }
    assert_eq!(scene.record.retiring.len(), 2);
    assert_eq!(scene.record.pair, None, "a third would be too much");
    let first = scene.record.retiring[0].service.task_arn.clone().unwrap();
    scene.set(&first, TaskStatus::Stopped);
    scene.step();
    assert_eq!(scene.pair().id.attempt, 3);
}

#[test]
fn a_missing_task_is_given_time_to_appear() {
    let mut scene = Scene::ready();
    let service = scene.arn(Role::Service);
    scene.tasks.by_arn.remove(&service);
    scene.tasks.missing.insert(service);
    scene.now = intent::later(scene.pair().service.started_at.unwrap(), secs(299));
    scene.step();
    assert_eq!(scene.pair().id.attempt, 1);
    scene.pass(1);
    scene.step();
    assert_eq!(scene.pair().id.attempt, 2);
}

#[test]
fn a_new_manifest_is_tried_at_once_when_the_old_one_does_not_come_up() {
    let mut scene = Scene::waking();
    scene.start_both();
    crash(&mut scene);
    assert!(scene.record.retry_at.is_some());
    let mut spec = scene.record.spec.clone().into_inner();
    spec.image = Some("mended".into());
    scene.record = intent::declare(Some(&scene.record), &Service::new("hello", spec), scene.now).unwrap();
    scene.register();
    scene.pass(5);
    scene.step();
    let definition = scene.record.definitions.service.as_ref().unwrap().arn.clone().unwrap();
    assert_eq!(scene.pair().service.parameters.task_definition, definition);
}

#[test]
fn a_pair_that_never_was_ready_goes_with_its_manifest() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.step();
    scene.pass(60);
    let mut spec = scene.record.spec.clone().into_inner();
    spec.image = Some("mended".into());
    scene.record = intent::declare(Some(&scene.record), &Service::new("hello", spec), scene.now).unwrap();
    scene.register();
    scene.step();
    assert_eq!((scene.pair().id.attempt, scene.record.retiring.len()), (2, 1));
    assert_eq!(scene.record.failures, 0, "that is no failure");
}

#[test]
fn a_pair_that_is_in_use_outlives_its_manifest() {
    let mut scene = Scene::ready();
    let mut spec = scene.record.spec.clone().into_inner();
    spec.image = Some("newer".into());
    scene.record = intent::declare(Some(&scene.record), &Service::new("hello", spec), scene.now).unwrap();
    scene.register();
    scene.step();
    assert_eq!(scene.pair().id.attempt, 1);
}

#[test]
fn what_does_not_come_up_and_is_not_asked_for_is_given_up() {
    let mut scene = Scene::with(|spec| spec.idle_after = idle_after(900)).woken();
    scene.start_both();
    scene.serve();
    // A record that is not ours keeps it from being ready.
    scene.conflict = Some("taken".into());
    scene.pass(1499);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "10 minutes to come up, 15 to be asked for");
    assert!(scene.is(ConditionType::Degraded));
    scene.pass(1);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn what_does_not_come_up_and_is_asked_for_is_tried_on() {
    let mut scene = Scene::waking();
    scene.pass(10_000);
    scene.activator.in_flight = 1;
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

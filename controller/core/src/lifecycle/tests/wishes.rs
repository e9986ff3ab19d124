//! The container's own wish to sleep, and its clean end.

use crate::testing::scene::{Scene, stops};
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::Desired;

fn wish(scene: &mut Scene) {
    scene.beat(Role::Service, SidecarState::Serving).sleep_requested = Some("done for today".into());
}

#[test]
fn a_wish_is_granted() {
    let mut scene = Scene::ready();
    wish(&mut scene);
    scene.step();
    let sleep = scene.record.last_sleep.as_ref().unwrap();
    assert_eq!((scene.record.desired, sleep.origin.as_str()), (Desired::Asleep, "container"));
    assert_eq!(sleep.reason, "done for today");
}

#[test]
fn a_wish_counts_once_for_a_pair() {
    let mut scene = Scene::ready();
    wish(&mut scene);
    scene.step();
    scene.pass(1);
    scene.wake();
    wish(&mut scene);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "the request came after it");
}

#[test]
fn a_wish_of_the_next_pair_counts_anew() {
    let mut scene = Scene::ready();
    wish(&mut scene);
    scene.step();
    scene.withdraw();
    scene.pass(10);
    scene.step();
    scene.beat(Role::Proxy, SidecarState::Draining);
    scene.step();
    scene.pass(60);
    scene.wake();
    scene.step();
    let mut scene = scene.made_ready();
    wish(&mut scene);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn a_wish_that_comes_while_it_falls_asleep_anyway_does_not_undo_the_wake_after_it() {
    let mut scene = Scene::ready();
    scene.sleep();
    wish(&mut scene);
    scene.step();
    scene.pass(1);
    scene.wake();
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn a_clean_end_puts_it_to_sleep() {
    for app in [0, 143] {
        let mut scene = Scene::ready();
        scene.pass(5);
        scene.end(Role::Service, &[("app", app), ("dormouse-service", 0)]);
        let proxy = scene.arn(Role::Proxy);
        scene.publish();
        scene.step();
        assert_eq!(scene.record.desired, Desired::Asleep, "{app}");
        assert_eq!((scene.record.failures, scene.record.pair.as_ref()), (0, None));
        scene.withdraw();
        scene.pass(10);
        assert_eq!(stops(&scene.step()), [proxy], "{app}");
    }
}

#[test]
fn a_proxy_that_nobody_used_while_no_controller_was_there_ends_cleanly() {
    let mut scene = Scene::ready();
    scene.end(Role::Proxy, &[("dormouse-proxy", 11)]);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn other_ends_are_not_clean() {
    let cases: [(Role, &[(&str, i32)]); 6] = [
        (Role::Service, &[("app", 1), ("dormouse-service", 0)]),
        (Role::Service, &[("app", 137), ("dormouse-service", 0)]),
        (Role::Service, &[("app", 0), ("dormouse-service", 10)]),
        (Role::Service, &[("app", 0)]),
        (Role::Proxy, &[("dormouse-proxy", 0)]),
        (Role::Proxy, &[("dormouse-proxy", 10)]),
    ];
    for (role, codes) in cases {
        let mut scene = Scene::ready();
        scene.end(role, codes);
        scene.step();
        assert_eq!((scene.record.desired, scene.record.failures), (Desired::Awake, 1), "{role} {codes:?}");
    }
}

#[test]
fn an_end_before_it_was_ready_is_not_clean() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.step();
    scene.end(Role::Service, &[("app", 0), ("dormouse-service", 0)]);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn a_task_that_was_stopped_from_outside_did_not_end_cleanly() {
    let mut scene = Scene::ready();
    scene.end(Role::Service, &[("app", 0), ("dormouse-service", 0)]);
    let service = scene.arn(Role::Service);
    scene.task(&service).stop_code = Some("UserInitiated".into());
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn whoever_waits_at_the_activator_gets_a_new_pair_after_a_clean_end() {
    let mut scene = Scene::ready();
    scene.pass(60);
    scene.end(Role::Service, &[("app", 0), ("dormouse-service", 0)]);
    scene.activator.in_flight = 1;
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    assert_eq!(scene.pair().id.attempt, 2);
}

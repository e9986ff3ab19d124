//! The way to sleep: record gone and forgotten, drain, end; and the way back.

use crate::intent;
use crate::observed::TaskStatus;
use crate::testing::scene::{Scene, stops};
use crate::testing::{idle_after, secs, window};
use dormouse_manifests::IdleAfter;
use dormouse_peer::wire::{Activity, Role, SidecarState};
use dormouse_state::{Desired, PairId, Phase};

/// Asleep since now, the record still in the zone.
fn resting() -> Scene {
    let mut scene = Scene::ready();
    scene.count(7, 0, 0);
    scene.step();
    scene.sleep();
    scene.step();
    scene
}

/// The record is gone and forgotten; the proxy is told to drain.
fn draining() -> Scene {
    let mut scene = resting();
    scene.withdraw();
    scene.pass(10);
    scene.step();
    assert!(scene.record.rest.as_ref().unwrap().drain_at.is_some());
    scene
}

fn condemned(scene: &Scene) -> bool {
    scene.record.pair.is_none()
}

#[test]
fn nothing_ends_while_the_record_stands() {
    let mut scene = resting();
    scene.pass(3600);
    assert_eq!(scene.step(), []);
    assert!(!condemned(&scene));
    assert_eq!(scene.record.phase, Phase::Draining);
}

#[test]
fn resolvers_are_given_the_time_to_live() {
    let mut scene = resting();
    scene.withdraw();
    scene.pass(9);
    let plan = scene.plan();
    assert_eq!(plan.record.rest.unwrap().drain_at, None);
    assert!(plan.requeue.unwrap() <= secs(2), "{:?}", plan.requeue);
    scene.pass(1);
    scene.step();
    assert_eq!(scene.record.rest.as_ref().unwrap().drain_at, Some(scene.now));
    assert!(!condemned(&scene), "open requests have the drain's time");
}

#[test]
fn it_ends_as_soon_as_the_proxy_says_that_it_is_empty() {
    let mut scene = draining();
    scene.pass(2);
    scene.beat(Role::Proxy, SidecarState::Draining);
    let proxy = scene.arn(Role::Proxy);
    assert_eq!(stops(&scene.step()), [proxy]);
    assert_eq!(scene.record.retiring[0].condemned.as_ref().unwrap().1, "it sleeps");
}

#[test]
fn what_the_proxy_said_before_it_was_told_proves_nothing() {
    let mut scene = resting();
    scene.beat(Role::Proxy, SidecarState::Draining);
    scene.withdraw();
    scene.pass(10);
    scene.step();
    assert!(!condemned(&scene));
}

#[test]
fn open_requests_are_waited_for_until_the_deadline() {
    let mut scene = draining();
    scene.beat(Role::Proxy, SidecarState::Draining).activity =
        Some(Activity { in_flight: 2, ..Activity::default() });
    scene.pass(29);
    assert_eq!(scene.step(), []);
    scene.pass(1);
    assert_eq!(stops(&scene.step()).len(), 1);
    assert_eq!(scene.events("DrainCut"), 1, "{:?}", scene.record.events);
}

#[test]
fn a_drain_counts_from_when_the_proxy_says_that_it_drains() {
    let mut scene = draining();
    let open = Activity { in_flight: 2, ..Activity::default() };
    scene.beat(Role::Proxy, SidecarState::Serving).activity = Some(open);
    // What is to be told was slow to write.
    scene.pass(6);
    scene.beat(Role::Proxy, SidecarState::Draining).activity = Some(open);
    scene.pass(29);
    scene.beat(Role::Proxy, SidecarState::Draining).activity = Some(open);
    assert_eq!(scene.step(), []);
    scene.pass(1);
    assert_eq!(stops(&scene.step()).len(), 1);
}

#[test]
fn open_sockets_and_the_activator_count_as_requests() {
    let mut sockets = draining();
    sockets.beat(Role::Proxy, SidecarState::Draining).activity =
        Some(Activity { open_sockets: 1, ..Activity::default() });
    assert_eq!(sockets.step(), []);
    let mut activator = draining();
    activator.beat(Role::Proxy, SidecarState::Draining);
    activator.activator.in_flight = 1;
    assert_eq!(activator.step(), []);
}

#[test]
fn counts_that_make_no_sense_do_no_harm() {
    let mut scene = draining();
    let absurd = Activity {
        in_flight: u64::MAX,
        open_sockets: u64::MAX,
        requests: 7,
        bytes: u64::MAX,
        idle_for_ms: u64::MAX,
    };
    scene.beat(Role::Proxy, SidecarState::Draining).activity = Some(absurd);
    scene.activator.in_flight = 5;
    assert_eq!(scene.step(), []);
}

#[test]
fn a_drain_of_nothing_cuts_at_once() {
    let mut scene = Scene::with(|spec| spec.drain = secs(0)).woken().made_ready();
    scene.sleep();
    scene.withdraw();
    scene.pass(10);
    assert_eq!(stops(&scene.step()).len(), 1);
}

#[test]
fn a_proxy_that_is_not_heard_of_has_the_drain_s_time_from_when_it_should_have_been_told() {
    let mut scene = draining();
    scene.beats.clear();
    scene.pass(39);
    assert_eq!(scene.step(), []);
    scene.pass(1);
    assert_eq!(stops(&scene.step()).len(), 1);
}

#[test]
fn what_was_never_up_ends_without_a_drain() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.pass(10);
    scene.step();
    scene.sleep();
    assert_eq!(stops(&scene.step()).len(), 1);
}

#[test]
fn a_proxy_that_runs_but_was_not_heard_may_have_served() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.pass(10);
    scene.serve();
    scene.beats.clear();
    scene.step();
    scene.sleep();
    assert_eq!(scene.step(), []);
    assert!(!condemned(&scene));
}

#[test]
fn a_pair_that_was_never_run_ends_at_once() {
    let mut scene = Scene::asleep();
    scene.room = crate::capacity::Room::No { reason: "AtMaximum", message: String::new() };
    scene.wake();
    scene.step();
    scene.sleep();
    scene.pass(10);
    scene.step();
    assert_eq!((scene.record.pair.as_ref(), scene.record.retiring.len()), (None, 0));
    assert_eq!(scene.record.phase, Phase::Asleep);
}

#[test]
fn the_service_is_stopped_once_the_containers_of_its_proxy_have_ended() {
    let mut scene = draining();
    let (proxy, service) = (scene.arn(Role::Proxy), scene.arn(Role::Service));
    scene.beat(Role::Proxy, SidecarState::Draining);
    assert_eq!(stops(&scene.step()), [proxy.as_str()]);
    scene.task(&proxy).stopping = true;
    scene.set(&proxy, TaskStatus::Stopping);
    scene.pass(5);
    assert_eq!(scene.step(), [], "it is on its way");
    // ECS may take long to let go of its interface.
    scene.set(&proxy, TaskStatus::Deprovisioning);
    assert_eq!(stops(&scene.step()), [service.as_str()]);
    scene.set(&proxy, TaskStatus::Stopped);
    scene.set(&service, TaskStatus::Stopped);
    assert_eq!(scene.step(), []);
    assert_eq!(scene.record.retiring, []);
    assert_eq!(scene.record.phase, Phase::Asleep);
}

#[test]
fn a_stop_that_had_no_effect_is_repeated() {
    let mut scene = draining();
    scene.beat(Role::Proxy, SidecarState::Draining);
    let first = scene.step();
    scene.pass(1);
    assert_eq!(scene.step(), first);
}

#[test]
fn a_wake_on_the_way_keeps_the_pair() {
    let mut scene = draining();
    let before = scene.pair().clone();
    scene.wake();
    assert_eq!(scene.step(), []);
    assert_eq!(scene.pair(), &before);
    assert_eq!((scene.record.epoch, &scene.record.rest), (2, &None));
}

#[test]
fn a_wake_after_the_end_was_decided_makes_a_new_pair() {
    let mut scene = draining();
    scene.beat(Role::Proxy, SidecarState::Draining);
    scene.step();
    scene.pass(1);
    scene.wake();
    let steps = scene.step();
    assert_eq!(scene.pair().id, PairId { epoch: 2, attempt: 1 });
    assert_eq!(stops(&steps).len(), 1, "the old one goes on ending: {steps:?}");
    assert_eq!(scene.record.failures, 0);
}

#[test]
fn a_request_that_came_after_the_flip_wakes_it() {
    let mut scene = resting();
    scene.count(7, 0, 5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "seven were known");
    scene.pass(1);
    scene.pass(1);
    scene.count(8, 0, 0);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    assert_eq!(scene.record.last_wake.as_ref().unwrap().origin, "request");
    assert_eq!(scene.pair().id.epoch, 1, "the same pair");
}

#[test]
fn a_request_from_before_the_flip_that_is_reported_after_it_does_not_wake_it() {
    let mut scene = resting();
    scene.pass(1);
    scene.count(9, 0, 3);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "the ninth ended two seconds before the flip");
    scene.pass(1);
    scene.count(10, 0, 0);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "the tenth came after it");
}

#[test]
fn idleness_is_proven_by_a_report_from_after_its_time() {
    let mut scene = Scene::with(|spec| spec.idle_after = idle_after(4)).woken().made_ready();
    scene.pass(1);
    scene.count(5, 0, 0);
    scene.pass(5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "nobody knows what came since");
    scene.count(5, 0, 5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn a_request_from_before_the_flip_that_is_reported_after_it_does_not() {
    let mut scene = resting();
    scene.pass(3);
    scene.count(9, 0, 4);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
    assert_eq!(scene.record.rest.as_ref().unwrap().requests, Some(9), "from now on one more counts");
    scene.pass(1);
    scene.count(10, 0, 0);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn idleness_is_proven_by_a_report_from_after_its_moment() {
    let mut scene = Scene::with(|spec| spec.idle_after = idle_after(60)).woken().made_ready();
    scene.pass(58);
    scene.count(0, 0, 58);
    scene.pass(4);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "somebody may have come since");
    scene.count(0, 0, 62);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn when_the_count_was_not_known_at_the_flip_the_first_one_heard_is_the_measure() {
    let mut scene = Scene::ready();
    scene.record = intent::sleep(&scene.record, "api", "", None, scene.now).unwrap();
    scene.count(40, 0, 5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
    scene.pass(1);
    scene.pass(1);
    scene.count(41, 0, 0);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn idle_services_fall_asleep_by_themselves() {
    let mut scene = Scene::with(|spec| spec.idle_after = idle_after(60)).woken().made_ready();
    let ready = scene.now;
    scene.pass(59);
    scene.count(0, 0, 59);
    let plan = scene.plan();
    assert_eq!(plan.record.desired, Desired::Awake);
    assert!(plan.requeue.unwrap() <= secs(2), "{:?}", plan.requeue);
    scene.pass(1);
    scene.count(0, 0, 60);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "ready at {ready}");
    assert_eq!(scene.record.last_sleep.as_ref().unwrap().reason, "not used for 1m");
}

#[test]
fn some_never_do() {
    let mut scene = Scene::with(|spec| spec.idle_after = IdleAfter::Never).woken().made_ready();
    scene.pass(1_000_000);
    scene.count(0, 0, 1_000_000);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn what_others_depend_on_stays() {
    let mut scene = Scene::ready();
    scene.pass(10_000);
    scene.count(0, 0, 10_000);
    scene.dependents_awake = true;
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    scene.dependents_awake = false;
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

/// Whoever was to wake it with the one that needs it crashed, or was not answered.
#[test]
fn what_others_depend_on_is_woken_once_it_is_found_asleep() {
    let mut scene = Scene::asleep();
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
    scene.dependents_awake = true;
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    assert_eq!(scene.record.last_wake.as_ref().unwrap().origin, "dependency");
}

#[test]
fn a_window_wakes_and_keeps_awake() {
    let always = window("daily", "00:00", "00:00", "UTC");
    let mut scene = Scene::with(|spec| spec.awake = vec![always]);
    scene.step();
    assert_eq!(scene.record.last_wake.as_ref().unwrap().origin, "schedule");
    let mut scene = scene.made_ready();
    scene.pass(10_000);
    scene.count(0, 0, 10_000);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn put_to_sleep_within_a_window_it_wakes_with_the_next_one() {
    // The tests begin at 22:13:20 UTC.
    let evening = window("daily", "22:00", "23:00", "UTC");
    let mut scene = Scene::with(|spec| spec.awake = vec![evening]);
    scene.step();
    scene.sleep();
    scene.pass(60);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "by hand");
    scene.pass(12 * 3600);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "the window is closed");
    scene.pass(12 * 3600);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake, "the next evening");
}

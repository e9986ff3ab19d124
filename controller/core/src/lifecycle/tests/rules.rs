//! The finer rules of idleness: a container that is busy, and a time that is up.

use crate::intent;
use crate::testing::scene::{Scene, runs, stops};
use crate::testing::{at, idle_after, secs};
use dormouse_manifests::IdleAfter;
use dormouse_peer::wire::{Activity, Role, SidecarState};
use dormouse_state::{Desired, PairId, Phase};

/// Unused for an hour, with a container that says this.
fn unused(busy: Option<bool>) -> Scene {
    let mut scene = Scene::ready();
    scene.pass(3600);
    scene.beat(Role::Service, SidecarState::Serving).busy = busy;
    scene.count(0, 0, 3600);
    scene
}

#[test]
fn a_busy_container_does_not_fall_asleep_for_idleness() {
    for (busy, desired) in
        [(None, Desired::Asleep), (Some(false), Desired::Asleep), (Some(true), Desired::Awake)]
    {
        let mut scene = unused(busy);
        scene.step();
        assert_eq!(scene.record.desired, desired, "{busy:?}");
    }
}

#[test]
fn no_longer_busy_it_sleeps_at_once() {
    let mut scene = unused(Some(true));
    scene.step();
    scene.pass(5);
    scene.beat(Role::Service, SidecarState::Serving).busy = Some(false);
    scene.count(0, 0, 3605);
    scene.step();
    assert_eq!(scene.record.last_sleep.as_ref().unwrap().origin, "idle");
}

#[test]
fn a_word_that_is_not_repeated_is_not_believed_for_ever() {
    let mut scene = unused(Some(true));
    scene.pass(299);
    scene.count(0, 0, 3899);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    scene.pass(2);
    scene.count(0, 0, 3901);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn being_busy_refuses_no_other_sleep() {
    let mut scene = unused(Some(true));
    scene.sleep();
    assert_eq!(scene.record.desired, Desired::Asleep, "by hand");
    let mut scene = unused(Some(true));
    scene.beat(Role::Service, SidecarState::Serving).sleep_requested = Some("done".into());
    scene.step();
    assert_eq!(scene.record.last_sleep.as_ref().unwrap().origin, "container");
}

/// Woken at second 0, used all the while, to sleep after an hour.
fn in_use() -> Scene {
    let mut scene = Scene::with(|spec| spec.max_awake = Some(secs(3600))).woken().made_ready();
    scene.pass(3600 - 31);
    scene.count(100, 2, 0);
    scene.step();
    scene
}

fn timed_out() -> Scene {
    let mut scene = in_use();
    assert_eq!(scene.record.desired, Desired::Awake);
    assert!(scene.plan().requeue.unwrap() <= secs(2), "it looks again when the time is up");
    scene.pass(1);
    scene.count(101, 2, 0);
    scene.step();
    scene
}

#[test]
fn a_time_that_is_up_ends_even_what_is_used() {
    let mut scene = timed_out();
    let cause = scene.record.last_sleep.clone().unwrap();
    assert_eq!((cause.origin.as_str(), cause.reason.as_str()), ("maxAwake", "awake for 1h"));
    // Requests that still come do not take it back; they are answered, and drained as ever.
    scene.pass(5);
    scene.count(200, 2, 0);
    assert_eq!(scene.step(), []);
    assert_eq!((scene.record.desired, scene.record.phase), (Desired::Asleep, Phase::Draining));
    scene.withdraw();
    scene.pass(10);
    scene.count(200, 1, 0);
    scene.step();
    scene.pass(2);
    scene.beat(Role::Proxy, SidecarState::Draining).activity =
        Some(Activity { in_flight: 1, ..Activity::default() });
    assert_eq!(scene.step(), [], "the last request has the drain's time");
    scene.beat(Role::Proxy, SidecarState::Draining).activity = Some(Activity::default());
    assert_eq!(stops(&scene.step()).len(), 1);
}

#[test]
fn a_wake_meanwhile_gets_a_pair_of_its_own() {
    let mut scene = timed_out();
    let old = scene.arn(Role::Proxy);
    scene.wake();
    let steps = scene.step();
    assert_eq!(scene.pair().id, PairId { epoch: 2, attempt: 1 });
    assert_eq!(runs(&steps).len(), 2);
    assert_eq!(scene.record.retiring.len(), 1);
    assert!(!stops(&steps).contains(&old.as_str()), "its record is withdrawn first");
    assert_eq!(crate::idle::ends_at(&scene.record), Some(crate::intent::later(scene.now, secs(3600))));
}

#[test]
fn neither_never_nor_a_wish_to_stay_gives_more_time() {
    let mut scene = in_use();
    scene.record.spec.idle_after = IdleAfter::Never;
    scene.record.awake_until = Some(at(10_000));
    scene.dependents_awake = true;
    scene.pass(1);
    // Once: whoever needs it was woken before this sleep, and does not wake it again.
    let plan = crate::lifecycle::plan(&scene.settings, &scene.record, &scene.view(), scene.now);
    assert_eq!(plan.record.desired, Desired::Asleep);
}

#[test]
fn a_sleep_that_was_taken_back_gives_no_more_time() {
    let mut scene = Scene::with(|spec| spec.max_awake = Some(secs(3600))).woken().made_ready();
    scene.pass(1000);
    scene.sleep();
    scene.step();
    scene.wake();
    scene.step();
    assert_eq!(scene.record.epoch, 2);
    assert_eq!(crate::idle::ends_at(&scene.record), Some(at(3600)), "the same pair, the same time");
}

#[test]
fn what_never_comes_up_ends_as_well() {
    let mut scene =
        Scene::with(|spec| (spec.max_awake, spec.idle_after) = (Some(secs(300)), idle_after(9999))).woken();
    scene.pass(300);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
    assert!(intent::sleep(&scene.record, "api", "", None, scene.now).is_none());
}

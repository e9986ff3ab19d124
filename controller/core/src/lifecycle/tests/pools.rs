//! Where the halves run: on an instance or on Fargate, on Spot or on demand.

use crate::capacity::{Room, demand};
use crate::lifecycle::{identity, outcome, pools};
use crate::observed::{TaskStatus, Tasks};
use crate::testing::scene::{Scene, runs};
use crate::testing::secs;
use dormouse_manifests::{Fallback, ServiceSpec};
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{ConditionType, Launch, Months, ServiceRecord};

fn no_room(reason: &'static str) -> Room {
    Room::No { reason, message: format!("{reason} in words") }
}

fn falls_back(spec: &mut ServiceSpec) {
    spec.fallback = Fallback::Fargate;
}

/// Asleep, with Fargate to fall back on.
fn scene(room: Room) -> Scene {
    let mut scene = Scene::with(falls_back);
    scene.room = room;
    scene
}

#[test]
fn a_service_runs_on_fargate_only_where_no_instance_is_to_be_had_and_it_may() {
    use Launch::{Ec2, Fargate};
    for (fallback, reason, launch, run) in [
        (Fallback::Fargate, None, Ec2, &Role::ALL[..]),
        (Fallback::Fargate, Some("ScalingUp"), Ec2, &[Role::Proxy]),
        (Fallback::Fargate, Some("Unknown"), Ec2, &[Role::Proxy]),
        (Fallback::Fargate, Some("AtMaximum"), Fargate, &Role::ALL),
        (Fallback::Fargate, Some("TooLarge"), Fargate, &Role::ALL),
        (Fallback::Fargate, Some("WrongArchitecture"), Fargate, &Role::ALL),
        (Fallback::Fargate, Some("LaunchFailed"), Fargate, &Role::ALL),
        (Fallback::None, Some("AtMaximum"), Ec2, &[]),
        (Fallback::None, Some("TooLarge"), Ec2, &[]),
        (Fallback::None, Some("LaunchFailed"), Ec2, &[]),
    ] {
        let mut scene = Scene::with(|spec| spec.fallback = fallback);
        scene.room = reason.map_or(Room::Yes, no_room);
        scene.wake();
        let steps = scene.step();
        assert_eq!(scene.pair().service.parameters.launch, launch, "{fallback:?} {reason:?}");
        assert_eq!(runs(&steps), run, "{fallback:?} {reason:?}");
    }
}

#[test]
fn on_fargate_it_runs_where_proxies_do_and_says_why() {
    let mut scene = scene(no_room("AtMaximum"));
    scene.wake();
    scene.step();
    let service = &scene.pair().service.parameters;
    assert_eq!((service.cluster.as_str(), service.public_ip), ("proxies", true));
    assert_eq!(service.subnets, ["subnet-p"]);
    // An instance that is free by now changes nothing: the pair keeps to its pool, and says why.
    scene.room = Room::Yes;
    scene = scene.made_ready();
    let capacity = scene.condition(ConditionType::CapacityAvailable).unwrap();
    assert_eq!((capacity.status, capacity.reason.as_str()), (true, "FargateFallback"));
    assert!(capacity.message.contains("AtMaximum in words"), "{}", capacity.message);
    assert!(!scene.is(ConditionType::Degraded), "{:?}", scene.record.conditions);
    assert_eq!(scene.events("FargateFallback"), 1);
}

#[test]
fn the_next_wake_tries_the_instances_again() {
    let mut scene = scene(no_room("LaunchFailed"));
    scene.wake();
    scene.step();
    assert_eq!(scene.pair().service.parameters.launch, Launch::Fargate);
    // Nothing was run yet: all of it ends at once.
    scene.sleep();
    scene.pass(120);
    scene.step();
    assert_eq!(scene.record.pair, None, "{:?}", scene.record);
    scene.room = Room::Yes;
    scene.wake();
    scene.step();
    assert_eq!(scene.pair().service.parameters.launch, Launch::Ec2);
    assert_eq!(scene.pair().on_fargate, None);
}

#[test]
fn who_waits_for_an_instance_that_does_not_come_leaves_the_queue() {
    // What is said of the instances, after how many seconds; whether it is on Fargate then.
    for (reason, after, leaves) in [
        ("LaunchFailed", 1, true),
        ("AtMaximum", 1, true),
        ("ScalingUp", 1, false),
        ("ScalingUp", 179, false),
        ("ScalingUp", 180, true),
    ] {
        let mut scene = scene(no_room("ScalingUp"));
        scene.wake();
        scene.step();
        scene.start(Role::Proxy);
        scene.room = no_room(reason);
        scene.pass(after);
        let steps = scene.step();
        let (attempt, launch) = (scene.pair().id.attempt, scene.pair().service.parameters.launch);
        let expected = if leaves { (2, Launch::Fargate) } else { (1, Launch::Ec2) };
        assert_eq!((attempt, launch), expected, "{reason} {after}");
        assert_eq!(runs(&steps).len(), if leaves { 2 } else { 0 }, "{reason} {after}");
        assert_eq!((scene.record.failures, scene.events("PairLost")), (0, 0), "nothing of its own failed");
    }
}

/// RunTask was called and not answered; its own task may be why there is no room any more.
#[test]
fn one_that_may_have_its_place_is_asked_for_again_before_it_leaves_the_queue() {
    let mut scene = scene(Room::Yes);
    scene.wake();
    assert_eq!(runs(&scene.step()), Role::ALL);
    let own = identity("hello", scene.pair().id, Role::Service);
    scene.start(Role::Proxy);
    scene.room = no_room("ScalingUp");
    scene.pass(200);
    // Another pair's call says nothing of this one.
    let other = Identity { attempt: own.attempt + 1, ..own.clone() };
    for (unanswered, is_asked) in [(Some(own), true), (Some(other), false), (None, false)] {
        scene.unanswered = unanswered;
        let steps = scene.plan().steps;
        let expected: &[Role] = if is_asked { &[Role::Service] } else { &Role::ALL };
        assert_eq!(runs(&steps), expected, "{:?}", scene.unanswered);
    }
    assert_eq!(scene.plan().record.pair.unwrap().service.parameters.launch, Launch::Fargate);
}

#[test]
fn it_is_looked_again_when_patience_ends() {
    let mut scene = scene(no_room("ScalingUp"));
    scene.wake();
    scene.step();
    scene.start(Role::Proxy);
    scene.pass(10);
    assert!(scene.plan().requeue.is_some_and(|after| after <= secs(171)), "{:?}", scene.plan().requeue);
}

#[test]
fn one_that_has_its_instance_stays_there() {
    let mut scene = scene(Room::Yes).woken().made_ready();
    scene.room = no_room("LaunchFailed");
    scene.pass(500);
    scene.step();
    assert_eq!((scene.pair().id.attempt, scene.pair().condemned.is_none()), (1, true));
}

#[test]
fn the_time_on_fargate_is_kept() {
    for (room, expected) in [(Room::Yes, 0), (no_room("AtMaximum"), 25)] {
        let mut scene = scene(room);
        scene.wake();
        scene.step();
        scene.start_both();
        scene.pass(25);
        for role in Role::ALL {
            scene.end(role, &[]);
        }
        scene.step();
        let seconds = |months: &Months| months.0.values().sum::<u64>();
        let record = &scene.record;
        assert_eq!((seconds(&record.awake), seconds(&record.awake_on_fargate)), (25, expected));
    }
}

#[test]
fn no_instance_is_wanted_for_one_on_fargate() {
    let wants =
        |record: &ServiceRecord| demand(std::iter::once(record), &Tasks::default(), None).waiting.len();
    for (room, expected) in [(no_room("ScalingUp"), 1), (no_room("AtMaximum"), 0)] {
        let mut scene = scene(room);
        scene.wake();
        scene.step();
        assert_eq!(wants(&scene.record), expected);
    }
}

#[test]
fn a_task_that_spot_accepted_and_could_not_keep_is_a_lack_like_a_refusal() {
    // `stopCode` and `stoppedReason`; whether Spot is short.
    for (code, reason, short) in [
        ("TaskFailedToStart", "Capacity is unavailable at this time. Please try again later", true),
        ("SpotInterruption", "Your Spot Task was interrupted.", true),
        ("TaskFailedToStart", "CannotPullContainerError: no such image", false),
        ("EssentialContainerExited", "Essential container in task exited", false),
    ] {
        let mut scene = Scene::with(|spec| spec.proxy.spot = true).woken();
        scene.start_both();
        scene.pass(10);
        let proxy = scene.arn(Role::Proxy);
        scene.set(&proxy, TaskStatus::Stopped);
        let task = scene.task(&proxy);
        (task.stop_code, task.stopped_reason) = (Some(code.into()), Some(reason.into()));
        let plan = scene.plan();
        assert_eq!(plan.spot_short_at, short.then_some(scene.now), "{code} {reason}");
        scene.step();
        assert_eq!(scene.record.failures, u32::from(!short), "{code} {reason}");
        // The pool's memory is the controller's; this very plan knows without.
        if let Some(pair) = &scene.record.pair {
            assert_eq!(pair.proxy.parameters.launch == Launch::Fargate, short, "{code} {reason}");
        }
    }
}

#[test]
fn a_refusal_by_spot_is_told_for_a_while() {
    let mut scene = Scene::with(|spec| spec.proxy.spot = true).woken();
    let first = scene.pair().id;
    outcome::unplaced(&mut scene.record, &identity("hello", first, Role::Proxy), "none left", scene.now);
    assert_eq!(pools::spot_short_at(&scene.record, scene.now), Some(scene.now));
    scene.pass(300);
    assert_eq!(pools::spot_short_at(&scene.record, scene.now), None);
}

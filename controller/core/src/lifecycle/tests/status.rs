//! Phase and conditions.

use crate::capacity::Room;
use crate::lifecycle::{Refusal, Step};
use crate::observed::TaskStatus;
use crate::testing::at;
use crate::testing::scene::{Scene, public};
use dormouse_peer::wire::{PeerHealth, Role, SidecarState};
use dormouse_state::ConditionType as Type;
use dormouse_state::{DnsChange, DnsMemory, Phase};

#[test]
fn asleep_says_why() {
    let mut scene = Scene::asleep();
    scene.step();
    assert_eq!(scene.condition(Type::Ready).unwrap().message, "it was not woken yet");
    let mut scene = Scene::ready();
    scene.sleep();
    scene.step();
    assert_eq!((scene.record.phase, scene.reason(Type::Ready)), (Phase::Draining, Some("Asleep")));
}

#[test]
fn each_step_on_the_way_up_is_the_reason_why_it_is_not_ready() {
    let mut scene = Scene::asleep();
    scene.room = Room::No { reason: "ScalingUp", message: "an instance is being started for it".into() };
    scene.wake();
    scene.step();
    assert_eq!(scene.reason(Type::Ready), Some("ScalingUp"));
    scene.room = Room::Yes;
    scene.step();
    assert_eq!(scene.reason(Type::Ready), Some("Intended"));
    scene.start_both();
    scene.step();
    assert_eq!(scene.reason(Type::Ready), Some("Starting"));
    scene.serve();
    scene.step();
    assert_eq!(scene.reason(Type::Ready), Some("Withdrawn"));
    scene.record.dns = DnsMemory {
        pending: Some(DnsChange {
            address: Some(public(1)),
            pair: scene.pair().id,
            intended_at: scene.now,
            change_id: None,
            seen: false,
        }),
        ..DnsMemory::default()
    };
    scene.step();
    assert_eq!(scene.reason(Type::Ready), Some("Pending"));
    scene.publish();
    assert_eq!(scene.step(), [Step::Probe { address: public(1) }]);
    assert_eq!(scene.reason(Type::Ready), Some("Probing"));
    scene.probed = Some((scene.now, public(1)));
    assert_eq!(scene.step(), []);
    assert_eq!((scene.record.phase, scene.reason(Type::Ready)), (Phase::Awake, Some("Ready")));
}

#[test]
fn only_a_fresh_probe_of_this_very_proxy_proves_anything() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.serve();
    scene.publish();
    scene.pass(30);
    for probed in [None, Some((at(19), public(1))), Some((at(30), public(2)))] {
        scene.probed = probed;
        scene.step();
        assert!(!scene.is(Type::Ready), "{:?}", scene.probed);
    }
    scene.probed = Some((at(20), public(1)));
    scene.step();
    assert!(scene.is(Type::Ready));
}

#[test]
fn the_time_of_a_wake_is_measured_once() {
    let mut scene = Scene::ready();
    assert_eq!(scene.record.last_wake.as_ref().unwrap().duration_ms, Some(30_000));
    assert_eq!(scene.pair().ready_at, Some(at(30)));
    scene.pass(10);
    scene.step();
    assert_eq!(scene.events("Ready"), 1);
    assert_eq!(scene.record.wakes, [30_000]);
}

#[test]
fn a_steady_service_is_not_written() {
    let mut scene = Scene::ready();
    let before = scene.record.clone();
    for _ in 0..50 {
        scene.pass(3);
        scene.serve();
        scene.step();
    }
    assert_eq!(scene.record, before);
}

#[test]
fn a_failing_service_is_written_when_something_happens_only() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.beat(Role::Proxy, SidecarState::Starting).detail = Some("connection refused".into());
    scene.step();
    let before = scene.record.clone();
    for _ in 0..50 {
        scene.pass(1);
        scene.beat(Role::Proxy, SidecarState::Starting).detail = Some("connection refused".into());
        scene.step();
    }
    assert_eq!(scene.record, before);
}

#[test]
fn the_time_of_a_transition_is_kept_while_the_words_change() {
    let mut scene = Scene::waking();
    scene.pass(10);
    scene.start_both();
    scene.step();
    assert_eq!(scene.condition(Type::ServiceRunning).unwrap().last_transition_time, at(0));
    scene.serve();
    scene.step();
    assert_eq!(scene.condition(Type::ServiceRunning).unwrap().last_transition_time, at(10));
}

#[test]
fn a_silent_sidecar_is_not_running_after_a_minute() {
    let mut scene = Scene::ready();
    let plan = scene.plan();
    assert!(plan.requeue.unwrap() <= crate::testing::secs(61));
    scene.pass(60);
    scene.step();
    assert_eq!(scene.reason(Type::ServiceRunning), Some("Silent"));
    assert_eq!(scene.record.phase, Phase::Waking);
}

#[test]
fn peers_that_do_not_see_each_other() {
    let mut scene = Scene::ready();
    let blind = PeerHealth { healthy: false, ever_healthy: true, failures: 2 };
    scene.beat(Role::Proxy, SidecarState::Serving).peer = Some(blind);
    scene.step();
    assert_eq!(scene.reason(Type::PeersHealthy), Some("Unhealthy"));
    assert!(scene.is(Type::Ready), "the peers decide what follows");
}

#[test]
fn a_conflict_is_said_and_degrades_what_is_to_be_awake() {
    let mut asleep = Scene::asleep();
    asleep.conflict = Some("hello.example.com is somebody's".into());
    asleep.step();
    assert!(asleep.is(Type::Conflict) && !asleep.is(Type::Degraded));
    let mut scene = Scene::waking();
    scene.conflict = asleep.conflict;
    scene.step();
    assert_eq!(scene.reason(Type::Degraded), Some("Conflict"));
    scene.conflict = None;
    scene.step();
    assert_eq!(scene.condition(Type::Degraded), None);
}

#[test]
fn a_lack_of_instances_degrades_unless_one_is_on_its_way() {
    for (reason, degraded) in
        [("ScalingUp", None), ("AtMaximum", Some("AtMaximum")), ("TooLarge", Some("TooLarge"))]
    {
        let mut scene = Scene::waking();
        scene.room = Room::No { reason, message: "words".into() };
        scene.step();
        assert_eq!(scene.reason(Type::Degraded), degraded);
    }
}

#[test]
fn a_refusal_is_explained() {
    let mut scene = Scene::waking();
    scene.refusal = Some(Refusal { at: scene.now, tries: 1, why: "RESOURCE:ENI".into() });
    scene.step();
    let degraded = scene.condition(Type::Degraded).unwrap();
    assert!(degraded.message.starts_with("no instance has a free network interface"), "{degraded:?}");
}

#[test]
fn a_crash_loop_tells_the_last_end() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.step();
    scene.end(Role::Service, &[("app", 1)]);
    scene.step();
    let degraded = scene.condition(Type::Degraded).unwrap();
    assert_eq!(degraded.reason, "CrashLoop");
    assert_eq!(scene.reason(Type::Ready), Some("Waiting"));
}

/// Whatever a wake waits for, that it takes too long is an event, once a wait.
#[test]
fn a_slow_wake_is_an_event_once() {
    for reason in ["ScalingUp", "AtMaximum"] {
        let mut scene = Scene::waking();
        scene.room = Room::No { reason, message: "no instance has room for it".into() };
        scene.activator.in_flight = 1;
        let slow = |scene: &mut Scene, seconds: i64| {
            scene.pass(seconds);
            scene.step();
            scene.record.events.iter().filter(|event| event.reason == "SlowWake").count()
        };
        assert_eq!(slow(&mut scene, 599), 0, "{reason}");
        assert_eq!(slow(&mut scene, 1), 1, "{reason}");
        assert_eq!(slow(&mut scene, 600), 1, "{reason}");
        let told = scene.record.events.iter().find(|event| event.reason == "SlowWake").unwrap();
        assert!(told.message.contains("no instance has room for it"), "{}", told.message);
    }
}

#[test]
fn a_slow_wake_is_explained_after_ten_minutes() {
    let mut scene = Scene::waking();
    scene.room = Room::No { reason: "ScalingUp", message: "an instance is being started for it".into() };
    scene.activator.in_flight = 1;
    scene.pass(599);
    let plan = scene.plan();
    scene.step();
    assert_eq!(scene.condition(Type::Degraded), None);
    assert!(plan.requeue.unwrap() <= crate::testing::secs(2));
    scene.pass(1);
    scene.step();
    assert_eq!(scene.reason(Type::Degraded), Some("SlowWake"));
}

#[test]
fn what_was_awake_for_days_is_not_slow_the_moment_it_is_lost() {
    let mut scene = Scene::ready();
    scene.pass(100_000);
    scene.serve();
    scene.count(9, 1, 0);
    scene.step();
    scene.end(Role::Proxy, &[]);
    scene.step();
    assert!(!scene.is(Type::Ready));
    assert_eq!(scene.condition(Type::Degraded), None, "{:?}", scene.record.conditions);
}

#[test]
fn a_replaced_pair_has_to_prove_itself_anew() {
    let mut scene = Scene::ready();
    scene.pass(60);
    scene.end(Role::Service, &[("app", 1)]);
    let proxy = scene.arn(Role::Proxy);
    scene.set(&proxy, TaskStatus::Stopped);
    scene.step();
    assert_eq!(scene.record.phase, Phase::Waking);
    scene.start_both();
    scene.pass(10);
    scene.serve();
    scene.publish();
    let steps = scene.step();
    assert_eq!(steps, [Step::Probe { address: public(2) }]);
    assert!(!scene.is(Type::Ready));
}

//! A changed manifest comes into use: beside the pair that serves, and in its check.

use crate::intent::{self, since};
use crate::lifecycle::rollout::{ORIGIN, TRIES};
use crate::observed::TaskStatus;
use crate::testing::scene::{Scene, public, runs, stops};
use crate::testing::secs;
use crate::{dns, idle, peering, testing, view};
use dormouse_manifests::{IdleAfter, Service, ServiceSpec};
use dormouse_peer::wire::{Activity, Role, SidecarState};
use dormouse_state::{ConditionType, Desired, DnsChange, DnsMemory, Pair, PairId, Phase};

/// Declares the service anew, with another spec.
fn declare(scene: &mut Scene, change: impl FnOnce(&mut ServiceSpec)) {
    let mut spec = scene.record.spec.clone().into_inner();
    change(&mut spec);
    scene.record =
        intent::declare(Some(&scene.record), &Service::new("hello", spec), scene.now).expect("a change");
}

fn other_env(spec: &mut ServiceSpec) {
    let version = spec.env.len();
    spec.env.insert(format!("VERSION_{version}"), "other".into());
}

/// Ready with its first manifest; its second is declared, and its pair intended.
fn rolling() -> Scene {
    let mut scene = Scene::ready();
    scene.record.dns.published_pair = Some(scene.pair().id);
    scene.pass(60);
    hear_the_old(&mut scene);
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    scene
}

/// Both halves of the serving pair report.
fn hear_the_old(scene: &mut Scene) {
    for role in Role::ALL {
        scene.beat(role, SidecarState::Serving);
    }
}

/// Does something with the pair that is to take over in the serving one's place.
fn with_successor(scene: &mut Scene, change: impl FnOnce(&mut Scene)) {
    std::mem::swap(&mut scene.record.pair, &mut scene.record.successor);
    change(scene);
    std::mem::swap(&mut scene.record.pair, &mut scene.record.successor);
}

/// The new pair serves, and its path was tried.
fn taken_over() -> Scene {
    let mut scene = rolling();
    with_successor(&mut scene, |scene| {
        scene.start_both();
        scene.serve();
    });
    scene.probed = Some((scene.now, public(2)));
    scene.step();
    scene
}

fn successor(scene: &Scene) -> &Pair {
    scene.record.successor.as_ref().expect("a pair that is to take over")
}

fn drains(scene: &Scene, pair: PairId) -> bool {
    let own = crate::lifecycle::identity("hello", pair, Role::Proxy);
    peering::answer(&scene.record, &scene.tasks, &own, None).unwrap().drain
}

#[test]
fn a_new_pair_gets_ready_beside_the_one_that_serves() {
    let scene = rolling();
    assert_eq!((scene.pair().id.attempt, scene.pair().generation), (1, 1));
    assert_eq!((successor(&scene).id.attempt, successor(&scene).generation), (2, 2));
    let steps = scene.plan().steps;
    assert_eq!((runs(&steps), stops(&steps)), (Role::ALL.to_vec(), Vec::new()));
    assert_eq!((scene.record.phase, scene.is(ConditionType::Ready)), (Phase::Awake, true));
    assert!(scene.plan().requeue.unwrap() <= secs(301), "it is given up in time");
}

#[test]
fn it_takes_over_once_its_path_was_tried() {
    let mut scene = rolling();
    with_successor(&mut scene, Scene::start_both);
    scene.step();
    assert!(scene.plan().steps.is_empty(), "it does not answer yet");
    with_successor(&mut scene, Scene::serve);
    let steps = scene.step();
    assert_eq!(steps, [crate::lifecycle::Step::Probe { address: public(2) }]);
    assert_eq!(scene.pair().id.attempt, 1);
    scene.probed = Some((scene.now, public(2)));
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    assert_eq!((scene.pair().id.attempt, scene.record.successor.is_none()), (2, true));
    assert_eq!(scene.events("RolledOut"), 1);
    assert_eq!((scene.record.proven, &scene.record.rollout), (2, &None));
}

#[test]
fn while_its_record_moves_it_is_ready_all_the_time() {
    let mut scene = taken_over();
    let old = scene.record.retiring[0].id;
    assert_eq!(scene.reason(ConditionType::DnsPublished), Some("Moving"));
    assert_eq!((scene.record.phase, scene.is(ConditionType::Ready)), (Phase::Awake, true));
    let wanted = dns::wanted::public(&scene.settings, &scene.record, &scene.view()).unwrap();
    assert_eq!(wanted.address, public(2), "its record is to move");
    assert!(!drains(&scene, old), "whoever is still led to the old one is served");
    scene.pass(500);
    hear_the_old(&mut scene);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new(), "however long that takes");
}

#[test]
fn the_old_pair_drains_once_nobody_is_led_to_it() {
    let mut scene = taken_over();
    let old = scene.record.retiring[0].clone();
    let (id, proxy, service) = (old.id, old.proxy.task_arn.unwrap(), old.service.task_arn.unwrap());
    scene.record.dns = DnsMemory {
        published: Some(public(2)),
        published_pair: Some(scene.pair().id),
        published_at: Some(scene.now),
        ..DnsMemory::default()
    };
    scene.pass(9);
    scene.step();
    assert!(!drains(&scene, id), "resolvers remember it");
    scene.pass(1);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    assert!(drains(&scene, id));
    let mut busy = scene.clone();
    let tell = |scene: &mut Scene, in_flight| {
        let serving = scene.record.pair.replace(Box::new(scene.record.retiring[0].clone()));
        scene.beat(Role::Proxy, SidecarState::Draining).activity =
            Some(Activity { requests: 9, in_flight, ..Activity::default() });
        scene.record.pair = serving;
    };
    tell(&mut scene, 0);
    assert_eq!(stops(&scene.step()), [proxy.as_str()]);
    scene.set(&proxy, TaskStatus::Stopped);
    assert_eq!(stops(&scene.step()), [service.as_str()], "its service goes after it");
    // With a request in flight, the drain's time is what it gets.
    tell(&mut busy, 1);
    busy.pass(29);
    tell(&mut busy, 1);
    assert_eq!(stops(&busy.step()), Vec::<&str>::new());
    busy.pass(1);
    assert_eq!(stops(&busy.step()), [proxy.as_str()]);
}

/// Each change of the zone that comes after it takes minutes: where the old pair is not found any more, that says nothing.
#[test]
fn its_drain_goes_on_while_the_one_that_took_its_place_is_withdrawn() {
    let mut scene = taken_over();
    let old = scene.record.retiring[0].clone();
    let settled = DnsMemory {
        published: Some(public(2)),
        published_pair: Some(scene.pair().id),
        published_at: Some(scene.now),
        ..DnsMemory::default()
    };
    scene.record.dns = settled.clone();
    scene.pass(10);
    scene.step();
    assert!(drains(&scene, old.id));
    scene.record.dns = DnsMemory { pending: Some(DnsChange::sought(scene.pair().id, scene.now)), ..settled };
    scene.pass(41);
    assert_eq!(stops(&scene.step()), [old.proxy.task_arn.unwrap().as_str()]);
}

#[test]
fn what_the_activator_forwards_is_waited_for_too() {
    let mut scene = taken_over();
    scene.publish();
    scene.activator.in_flight = 1;
    scene.pass(10);
    scene.step();
    let serving = scene.record.pair.replace(Box::new(scene.record.retiring[0].clone()));
    scene.beat(Role::Proxy, SidecarState::Draining);
    scene.record.pair = serving;
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    scene.activator.in_flight = 0;
    assert_eq!(stops(&scene.step()).len(), 1);
}

/// Ready since second 30, its new pair took over at second 90, and resolvers forget the old one at second 100.
#[test]
fn to_take_over_is_no_use() {
    // Second at which the old pair was last used, and at which the new one was → idle since.
    for (old, new, idle_since) in
        [(None, None, 30), (Some(60), None, 60), (Some(95), None, 95), (Some(60), Some(99), 99)]
    {
        let mut scene = taken_over();
        scene.publish();
        let report = |scene: &mut Scene, used: Option<i64>| {
            let idle =
                used.filter(|at| testing::at(*at) <= scene.now).map(|at| since(scene.now, testing::at(at)));
            scene.count(u64::from(idle.is_some()), 0, idle.unwrap_or_default().as_secs());
        };
        while !scene.record.retiring.is_empty() {
            report(&mut scene, new);
            let serving = scene.record.pair.replace(Box::new(scene.record.retiring[0].clone()));
            report(&mut scene, old);
            scene.record.pair = serving;
            scene.step();
            scene.pass(5);
            if scene.record.retiring.first().is_some_and(|pair| pair.proxy.stop_at.is_some()) {
                scene.record.retiring.clear();
            }
        }
        scene.pass(5);
        report(&mut scene, new);
        let usage = scene.view().usage(&scene.record, scene.now);
        let idle_at = idle::idle_at(&scene.record, &usage, false, scene.now);
        assert_eq!(idle_at, Some(testing::at(idle_since + 900)), "{old:?} {new:?}");
    }
}

#[test]
fn it_does_not_fall_asleep_while_its_users_are_at_the_old_pair() {
    let mut scene = taken_over();
    scene.record.spec.idle_after = IdleAfter::After(secs(30));
    for second in 0..4 {
        scene.pass(20);
        scene.count(0, 0, 20 * (second + 1));
        scene.beat(Role::Service, SidecarState::Serving);
        scene.step();
    }
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn one_that_fails_leaves_the_old_one_serving_and_is_tried_again_later_and_later() {
    let mut scene = rolling();
    let mut attempt = 2;
    for (tries, wait) in (1..).zip([10, 20]) {
        fail(&mut scene);
        scene.step();
        assert_eq!(scene.record.rollout.as_ref().unwrap().tries, tries);
        assert_eq!((scene.pair().id.attempt, scene.record.phase), (1, Phase::Awake));
        assert!(scene.is(ConditionType::Ready));
        assert_eq!(scene.reason(ConditionType::Degraded), Some("RolloutFailed"));
        let message = &scene.condition(ConditionType::Degraded).unwrap().message;
        assert!(message.contains("generation 2") && message.contains("app exited with 1"), "{message}");
        finish(&mut scene);
        scene.pass(wait - 1);
        hear_the_old(&mut scene);
        scene.step();
        assert_eq!(scene.record.successor, None, "{wait}");
        scene.pass(1);
        scene.step();
        attempt += 1;
        assert_eq!(successor(&scene).id.attempt, attempt);
    }
    fail(&mut scene);
    scene.step();
    finish(&mut scene);
    scene.pass(600);
    hear_the_old(&mut scene);
    scene.step();
    assert_eq!(scene.record.successor, None, "that is enough");
    let message = &scene.condition(ConditionType::Degraded).unwrap().message;
    assert!(message.contains("dormouse apply"), "{message}");
    declare_again(&mut scene);
    scene.step();
    assert!(scene.record.successor.is_some(), "declared again, it is tried again");
}

/// The service task of the pair that is to take over dies.
fn fail(scene: &mut Scene) {
    with_successor(scene, |scene| {
        scene.start_both();
        scene.end(Role::Service, &[("app", 1)]);
    });
}

/// Nothing is left of what is on its way out.
fn finish(scene: &mut Scene) {
    for task in scene.tasks.by_arn.values_mut() {
        let own = task.identity.as_ref().unwrap();
        if own.attempt != 1 {
            task.status = TaskStatus::Stopped;
        }
    }
    scene.step();
    assert_eq!(scene.record.retiring, []);
}

fn declare_again(scene: &mut Scene) {
    let manifest = Service::new("hello", scene.record.spec.clone().into_inner());
    scene.record = intent::declare(Some(&scene.record), &manifest, scene.now).expect("it failed");
}

#[test]
fn one_that_does_not_come_up_is_given_up_after_five_minutes() {
    let mut scene = rolling();
    with_successor(&mut scene, Scene::start_both);
    scene.pass(299);
    hear_the_old(&mut scene);
    scene.step();
    assert!(scene.record.successor.is_some());
    scene.pass(1);
    scene.step();
    assert_eq!(scene.record.successor, None);
    let failure = scene.record.rollout.clone().unwrap().failure.unwrap();
    assert_eq!(failure, "not ready within 5 minutes: the service task is PROVISIONING");
}

#[test]
fn what_only_decides_when_it_sleeps_counts_at_once() {
    let mut scene = Scene::ready();
    declare(&mut scene, |spec| spec.idle_after = IdleAfter::Never);
    scene.register();
    scene.step();
    assert_eq!((scene.record.successor.is_none(), scene.pair().generation), (true, 2));
    assert_eq!(scene.record.proven, 2);
}

#[test]
fn put_to_sleep_meanwhile_its_next_wake_uses_it() {
    let mut scene = rolling();
    with_successor(&mut scene, Scene::start_both);
    let new = successor(&scene).proxy.task_arn.clone().unwrap();
    scene.sleep();
    assert_eq!(stops(&scene.step()), [new.as_str()], "nobody is led to it");
    assert_eq!(scene.record.successor, None);
    scene.wake();
    scene.step();
    assert_eq!(scene.pair().id.attempt, 1, "what still serves serves on");
}

#[test]
fn when_the_serving_pair_dies_the_new_one_is_the_pair() {
    let mut scene = rolling();
    with_successor(&mut scene, Scene::start_both);
    scene.end(Role::Service, &[("app", 1)]);
    scene.step();
    assert_eq!((scene.pair().id.attempt, scene.record.successor.is_none()), (2, true));
    assert_eq!(scene.record.retiring.len(), 1);
    assert_eq!(scene.pair().ready_at, None);
}

#[test]
fn changed_again_the_newest_is_what_comes() {
    let mut scene = rolling();
    with_successor(&mut scene, Scene::start_both);
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    assert_eq!((scene.record.successor.is_none(), scene.record.retiring.len()), (true, 1));
    finish(&mut scene);
    scene.step();
    assert_eq!((successor(&scene).id.attempt, successor(&scene).generation), (3, 3));
    assert_eq!(scene.record.rollout, None, "nothing failed");
}

#[test]
fn a_pair_of_which_it_is_not_known_what_it_runs_is_used_to_its_end() {
    let mut scene = Scene::ready();
    scene.record.pair.as_mut().unwrap().runs = None;
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    assert_eq!((scene.record.successor.is_none(), scene.pair().generation), (true, 1));
}

#[test]
fn each_pair_is_found_at_the_port_that_it_listens_on() {
    let mut scene = Scene::ready();
    declare(&mut scene, |spec| spec.port = 8080);
    scene.register();
    scene.step();
    assert_eq!(view::backend(&scene.record, &scene.view()).unwrap().port(), 9050);
    let own = crate::lifecycle::identity("hello", scene.pair().id, Role::Proxy);
    let peer = peering::answer(&scene.record, &scene.tasks, &own, None).unwrap().peer.unwrap();
    assert_eq!(peer.port, 9050);
    assert_eq!(successor(&scene).runs.as_ref().unwrap().port, 8080);
}

/// Asleep, with a first manifest that was ready once and is checked.
fn checked() -> Scene {
    let mut scene = Scene::with(|spec| spec.rollout_check = true);
    scene.record.rollout = None;
    scene.record.proven = 1;
    (scene.record.desired, scene.record.pair, scene.record.last_wake) = (Desired::Asleep, None, None);
    scene.step();
    scene
}

#[test]
fn a_check_wakes_it_once_and_puts_it_back_to_sleep() {
    let mut scene = checked();
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    assert_eq!(scene.record.last_wake.as_ref().unwrap().origin, ORIGIN);
    let mut scene = scene.made_ready();
    assert_eq!((scene.record.desired, scene.record.proven), (Desired::Awake, 2));
    assert!(scene.plan().requeue.unwrap() <= secs(6));
    scene.pass(5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
    assert_eq!(scene.record.last_sleep.as_ref().unwrap().origin, ORIGIN);
    scene.pass(600);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "once");
}

#[test]
fn a_check_does_not_put_to_sleep_what_somebody_woke_meanwhile() {
    let mut scene = checked();
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    scene.record = intent::wake(&scene.record, "api", "me", None, scene.now).unwrap().unwrap();
    let mut scene = scene.made_ready();
    scene.pass(5);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
    assert_eq!(scene.record.last_wake.as_ref().unwrap().origin, "api");
}

#[test]
fn what_fails_its_check_is_rolled_back_and_sleeps() {
    let mut scene = checked();
    let good = scene.record.spec.clone();
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    for _ in 0..TRIES {
        assert_eq!(scene.record.desired, Desired::Awake);
        scene.start_both();
        scene.end(Role::Service, &[("app", 1)]);
        scene.step();
        scene.tasks.by_arn.values_mut().for_each(|task| task.status = TaskStatus::Stopped);
        scene.step();
        scene.pass(60);
        scene.step();
    }
    assert_eq!((&scene.record.spec, scene.record.generation), (&good, 3));
    assert_eq!(scene.record.desired, Desired::Asleep);
    assert_eq!(scene.reason(ConditionType::Degraded), Some("RolledBack"));
    assert_eq!(scene.events("RolledBack"), 1);
    scene.pass(600);
    scene.register();
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep, "what was good before needs no check");
    scene.wake();
    scene.step();
    assert_eq!(scene.pair().generation, 3);
    let scene = scene.made_ready();
    assert_eq!(scene.reason(ConditionType::Degraded), Some("RolledBack"), "told until the next change");
}

#[test]
fn awake_what_fails_its_check_is_rolled_back_and_the_old_pair_serves_on() {
    let mut scene = Scene::ready();
    scene.record.spec.rollout_check = true;
    let good = scene.record.spec.clone();
    declare(&mut scene, other_env);
    scene.register();
    scene.step();
    for _ in 0..TRIES {
        fail(&mut scene);
        scene.step();
        finish(&mut scene);
        scene.pass(60);
        hear_the_old(&mut scene);
        scene.step();
    }
    assert_eq!((&scene.record.spec, scene.pair().id.attempt), (&good, 1));
    assert_eq!((scene.record.successor.is_none(), scene.record.phase), (true, Phase::Awake));
    assert_eq!(scene.reason(ConditionType::Degraded), Some("RolledBack"));
}

#[test]
fn a_first_manifest_that_fails_its_check_has_nothing_to_go_back_to() {
    let mut scene = Scene::with(|spec| spec.rollout_check = true);
    scene.step();
    scene.start_both();
    scene.pass(601);
    scene.step();
    assert_eq!((scene.record.desired, scene.record.generation), (Desired::Asleep, 1));
    assert_eq!(scene.reason(ConditionType::Degraded), Some("RolloutFailed"));
}

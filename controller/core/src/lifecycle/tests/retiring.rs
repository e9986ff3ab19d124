//! A dead pair's way out.

use crate::intent::{later, since};
use crate::lifecycle::{Refusal, outcome};
use crate::observed::{Task, TaskStatus};
use crate::testing::scene::{Scene, public, stops};
use crate::testing::secs;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Role, SidecarState};

/// The service died; the proxy lives, and its record stands.
fn bereaved() -> Scene {
    let mut scene = Scene::ready();
    scene.pass(60);
    scene.end(Role::Service, &[("app", 1)]);
    scene
}

#[test]
fn a_proxy_stays_while_its_record_stands() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    scene.withdraw();
    scene.pass(9);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new(), "resolvers remember it");
    scene.pass(1);
    assert_eq!(stops(&scene.step()), [proxy]);
}

/// Of a pair that is to end, and of a task that no pair names.
#[test]
fn a_stop_that_failed_is_made_again_later_and_later() {
    let retiring = {
        let mut scene = bereaved();
        scene.withdraw();
        scene.pass(10);
        scene
    };
    let stray = {
        let mut scene = Scene::ready();
        let task = scene.make(Role::Service);
        let identity = Identity { attempt: 0, ..task.identity.clone().unwrap() };
        scene
            .tasks
            .by_arn
            .insert("task/old".into(), Task { arn: "task/old".into(), identity: Some(identity), ..task });
        scene.pass(120);
        scene
    };
    for mut scene in [retiring, stray] {
        assert_eq!(stops(&scene.step()).len(), 1);
        let failed_at = scene.now;
        for (tries, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15), (1000, 15)] {
            scene.stop_refusal = Some(Refusal { at: failed_at, tries, why: "an outage".into() });
            scene.now = later(failed_at, secs(seconds - 1));
            let plan = scene.plan();
            assert_eq!(stops(&plan.steps), Vec::<&str>::new(), "{tries}");
            assert!(plan.requeue.is_some_and(|after| after <= secs(2)), "{tries}: {:?}", plan.requeue);
            scene.now = later(failed_at, secs(seconds));
            assert_eq!(stops(&scene.plan().steps).len(), 1, "{tries}");
        }
    }
}

#[test]
fn how_long_its_tasks_were_up_is_kept_once_both_are_over() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    let started = scene.record.pair.as_ref().unwrap().ran().unwrap().0;
    scene.step();
    assert!(scene.record.awake.is_empty(), "one of them is up yet");
    scene.pass(7);
    scene.set(&proxy, TaskStatus::Stopped);
    scene.step();
    let seconds: u64 = scene.record.awake.0.values().sum();
    assert_eq!(u128::from(seconds), since(scene.now, started).as_millis() / 1000);
    scene.pass(100);
    scene.step();
    assert_eq!(scene.record.awake.0.values().sum::<u64>(), seconds, "once");
}

#[test]
fn a_record_that_cannot_be_withdrawn_does_not_keep_it_for_ever() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    let plan = scene.plan();
    scene.step();
    assert!(plan.requeue.unwrap() <= secs(121));
    scene.pass(119);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    scene.pass(1);
    assert_eq!(stops(&scene.step()), [proxy]);
}

#[test]
fn another_pair_s_record_does_not_keep_it() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    scene.record.dns.published = Some(public(99));
    assert_eq!(stops(&scene.step()), [proxy]);
}

#[test]
fn resolvers_have_time_to_forget_it_when_its_record_went_to_another_pair() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    scene.record.dns.published = Some(public(99));
    scene.record.dns.published_at = Some(scene.now);
    let plan = scene.plan();
    assert!(plan.requeue.unwrap() <= secs(11));
    scene.pass(9);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    scene.pass(1);
    assert_eq!(stops(&scene.step()), [proxy]);
}

#[test]
fn a_lost_run_of_a_condemned_pair_is_waited_for() {
    let mut scene = Scene::waking();
    scene.sleep();
    scene.step();
    assert_eq!(scene.record.retiring.len(), 0, "still the serving pair: it may be woken");
    scene.pass(10);
    scene.step();
    scene.pass(59);
    scene.step();
    assert_eq!(scene.record.retiring.len(), 1);
    scene.pass(1);
    scene.step();
    assert_eq!(scene.record.retiring.len(), 0, "a minute later it would have been listed");
}

#[test]
fn a_listing_from_before_the_last_call_proves_nothing() {
    // Called again and again for ten minutes, with no answer.
    let mut scene = Scene::waking();
    scene.pass(600);
    scene.step();
    scene.sleep();
    scene.step();
    scene.pass(59);
    scene.step();
    assert_eq!(scene.record.retiring.len(), 1);
    scene.pass(1);
    scene.step();
    assert_eq!(scene.record.retiring.len(), 0);
}

#[test]
fn a_task_that_turns_up_late_is_adopted_and_stopped() {
    let mut scene = Scene::waking();
    let task = scene.make(Role::Proxy);
    scene.tasks.by_arn.clear();
    scene.sleep();
    scene.pass(10);
    scene.step();
    scene.tasks.by_arn.insert(task.arn.clone(), task.clone());
    assert_eq!(stops(&scene.step()), [task.arn]);
}

#[test]
fn an_answer_that_comes_after_the_end_was_decided_is_not_lost() {
    let mut scene = Scene::waking();
    let task = scene.make(Role::Proxy);
    scene.tasks.by_arn.clear();
    scene.sleep();
    scene.pass(10);
    scene.step();
    outcome::started(&mut scene.record, task.identity.as_ref().unwrap(), &task.arn, scene.now);
    assert_eq!(stops(&scene.step()), [task.arn]);
}

/// Its place on an instance may be what others wait for.
#[test]
fn a_service_goes_once_the_containers_of_its_proxy_have_ended() {
    for (status, goes) in
        [(TaskStatus::Stopping, false), (TaskStatus::Deprovisioning, true), (TaskStatus::Stopped, true)]
    {
        let mut scene = Scene::waking();
        scene.start_both();
        let [proxy, service] = [Role::Proxy, Role::Service].map(|role| scene.arn(role));
        scene.set(&proxy, TaskStatus::Provisioning);
        scene.pass(600);
        assert_eq!(stops(&scene.step()), [&proxy], "it never came to run");
        scene.set(&proxy, status);
        let next = stops(&scene.step()).into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(next, if goes { vec![service] } else { Vec::new() }, "{status:?}");
    }
}

#[test]
fn what_is_over_is_left_alone() {
    let mut scene = bereaved();
    let proxy = scene.arn(Role::Proxy);
    scene.set(&proxy, TaskStatus::Stopped);
    assert_eq!(stops(&scene.step()), Vec::<&str>::new());
    assert_eq!(scene.record.retiring, []);
}

#[test]
fn a_pair_that_is_replaced_while_it_works_finishes_what_it_has() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.pass(30);
    scene.serve();
    scene.count(1, 1, 0);
    let proxy = scene.arn(Role::Proxy);
    let old = scene.pair().id;
    scene.record.spec.port = 8080;
    scene.record.generation += 1;
    scene.register();
    let mut steps = scene.step();
    steps.extend(scene.step());
    assert_ne!(scene.record.pair.as_ref().map(|pair| pair.id), Some(old), "it is replaced");
    assert_eq!(stops(&steps), Vec::<&str>::new(), "a request is in flight");
    assert!(scene.plan().requeue.unwrap() <= scene.record.spec.drain);
    scene.pass(31);
    assert_eq!(stops(&scene.step()), [proxy], "the drain's time is up");
}

/// Its manifest changes while it comes up: whether its service answers, whether somebody is at the activator, and whether
/// it is stopped at once.
#[test]
fn whom_the_activator_leads_to_a_pair_that_is_outdated_has_the_drain() {
    for (answers, in_flight, at_once) in
        [(false, 0, true), (false, 1, true), (true, 0, true), (true, 1, false)]
    {
        let mut scene = Scene::waking();
        scene.start_both();
        scene.withdraw();
        scene.pass(20);
        if answers {
            scene.beat(Role::Service, SidecarState::Serving);
        }
        scene.activator.in_flight = in_flight;
        scene.record.pair.as_mut().unwrap().condemned = Some((scene.now, "its manifest changed".into()));
        assert_eq!(stops(&scene.step()).is_empty(), !at_once, "{answers} {in_flight}");
        scene.now = scene.now.checked_add(scene.record.spec.drain).unwrap();
        assert_eq!(stops(&scene.step()).len(), 1, "its time is up");
    }
}

/// (Requests that come while it is written down that a pair is to end, seconds after that, whether its service is stopped
/// then): its proxy was stopped meanwhile, and the activator led them to its service before it knew.
#[test]
fn whoever_comes_while_the_end_of_a_pair_is_written_down_is_answered() {
    for (come, after, stopped) in [(0, 0, true), (1, 0, false), (1, 29, false), (1, 30, true)] {
        let mut scene = Scene::waking();
        scene.start_both();
        scene.withdraw();
        scene.pass(20);
        scene.beat(Role::Service, SidecarState::Serving);
        let (proxy, service) = (scene.arn(Role::Proxy), scene.arn(Role::Service));
        scene.record.pair.as_mut().unwrap().condemned = Some((scene.now, "its manifest changed".into()));
        assert_eq!(stops(&scene.step()), std::slice::from_ref(&proxy));
        scene.activator.in_flight = come;
        scene.set(&proxy, TaskStatus::Deprovisioning);
        scene.pass(after);
        let expected: &[String] = if stopped { &[service] } else { &[] };
        assert_eq!(stops(&scene.step()), expected, "{come} come, {after} s");
    }
}

/// A pair with a request in flight was replaced, though its name still leads to it: (seconds after that at which its
/// record is gone, seconds after it was replaced, whether its proxy is stopped then).
#[test]
fn its_drain_begins_when_nobody_is_led_to_it_any_more() {
    for (gone_after, looked_after, stopped) in [
        // It serves whoever is led to it, however long that is.
        (None, 3600, false),
        // 10 s of TTL, 30 s of drain.
        (Some(5), 44, false),
        (Some(5), 45, true),
        (Some(60), 99, false),
        (Some(60), 100, true),
    ] {
        let mut scene = Scene::waking();
        scene.start_both();
        scene.serve();
        scene.publish();
        let proxy = scene.arn(Role::Proxy);
        scene.record.spec.port = 8080;
        scene.record.generation += 1;
        scene.count(1, 1, 0);
        scene.register();
        scene.step();
        assert_eq!(scene.record.retiring.len(), 1, "it is replaced");
        if let Some(after) = gone_after {
            scene.pass(after);
            scene.withdraw();
        }
        scene.pass(looked_after - gone_after.unwrap_or(0));
        let expected: &[String] = if stopped { &[proxy] } else { &[] };
        assert_eq!(stops(&scene.step()), expected, "gone after {gone_after:?}, looked after {looked_after}");
    }
}

#[test]
fn one_that_was_replaced_has_its_drain_although_its_service_is_put_to_sleep_meanwhile() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.pass(30);
    scene.serve();
    let proxy = scene.arn(Role::Proxy);
    scene.count(1, 1, 0);
    scene.record.spec.port = 8080;
    scene.record.generation += 1;
    scene.register();
    scene.step();
    scene.sleep();
    assert_eq!(stops(&scene.step()), Vec::<&str>::new(), "a request is in flight");
    scene.pass(31);
    assert_eq!(stops(&scene.step()), [proxy]);
}

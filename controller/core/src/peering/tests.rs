//! What sidecars are answered.

use super::*;
use crate::lifecycle::identity;
use crate::observed::TaskStatus;
use crate::testing::scene::Scene;

fn ask(scene: &Scene, role: Role) -> Option<Answer> {
    let pair = scene.record.pairs().next().unwrap();
    answer(&scene.record, &scene.tasks, &identity("hello", pair.id, role), None)
}

fn peer(scene: &Scene, role: Role) -> Option<(String, u16)> {
    ask(scene, role)?.peer.map(|peer| (peer.host, peer.port))
}

#[test]
fn each_half_learns_where_the_other_is() {
    let scene = Scene::ready();
    assert_eq!(peer(&scene, Role::Proxy), Some(("10.0.1.1".into(), 9050)));
    assert_eq!(peer(&scene, Role::Service), Some(("10.0.0.1".into(), 9060)));
}

/// (Seconds since it was started, what becomes of the wake) → whether each heartbeat of the proxy is a look for it.
#[test]
fn the_other_half_is_looked_for_as_long_as_it_can_be_new() {
    type Case = (i64, fn(&mut Scene), bool);
    let cases: [Case; 5] = [
        (0, |_| {}, true),
        (59, |_| {}, true),
        (60, |_| {}, false),
        (0, Scene::sleep, false),
        (0, |scene| scene.record.pair.as_mut().unwrap().service.task_arn = None, false),
    ];
    for (seconds, then, expected) in cases {
        let mut scene = Scene::waking();
        scene.start_both();
        let own = identity("hello", scene.pair().id, Role::Proxy);
        let told = ask(&scene, Role::Proxy).unwrap();
        assert!(told.peer.is_some() && !is_blind(&scene.record, &own, &told, scene.now));
        let service = scene.arn(Role::Service);
        scene.task(&service).private_address = None;
        scene.pass(seconds);
        then(&mut scene);
        let told = ask(&scene, Role::Proxy).unwrap();
        assert_eq!(is_blind(&scene.record, &own, &told, scene.now), expected, "after {seconds} s");
    }
}

#[test]
fn a_tcp_proxy_answers_for_its_health_at_another_port() {
    let scene = Scene::with(|spec| spec.protocol = Protocol::Tcp).woken().made_ready();
    assert_eq!(peer(&scene, Role::Service), Some(("10.0.0.1".into(), 9061)));
}

#[test]
fn an_address_that_is_not_known_or_not_good_any_more_is_not_told() {
    let changes: [fn(&mut Scene, &str); 4] = [
        |scene, service| scene.task(service).private_address = None,
        |scene, service| scene.task(service).stopping = true,
        |scene, service| scene.set(service, TaskStatus::Stopped),
        |scene, service| drop(scene.tasks.by_arn.remove(service)),
    ];
    for change in changes {
        let mut scene = Scene::ready();
        let service = scene.arn(Role::Service);
        change(&mut scene, &service);
        assert_eq!(peer(&scene, Role::Proxy), None);
        assert!(ask(&scene, Role::Proxy).is_some(), "it keeps what it has");
    }
}

#[test]
fn a_task_of_no_pair_has_no_answer() {
    let scene = Scene::ready();
    for (epoch, attempt) in [(1, 2), (2, 1), (0, 1)] {
        assert_eq!(
            answer(
                &scene.record,
                &scene.tasks,
                &identity("hello", PairId { epoch, attempt }, Role::Proxy),
                None
            ),
            None
        );
    }
}

#[test]
fn a_drain_is_told_and_taken_back() {
    let mut scene = Scene::ready();
    let drains = |scene: &Scene| ask(scene, Role::Proxy).unwrap().drain;
    scene.sleep();
    scene.step();
    assert!(!drains(&scene), "its record stands");
    scene.withdraw();
    scene.pass(10);
    scene.step();
    assert!(drains(&scene));
    scene.wake();
    assert!(!drains(&scene));
}

#[test]
fn a_condemned_pair_drains() {
    let mut scene = Scene::ready();
    scene.pass(60);
    scene.end(Role::Service, &[("app", 1)]);
    scene.step();
    let id = scene.record.retiring[0].id;
    let answer = answer(&scene.record, &scene.tasks, &identity("hello", id, Role::Proxy), None).unwrap();
    assert!(answer.drain);
}

#[test]
fn reports_are_frequent_when_seconds_are_at_stake() {
    let interval = |scene: &Scene| ask(scene, Role::Proxy).unwrap().interval_ms;
    let mut scene = Scene::waking();
    scene.start_both();
    assert_eq!(interval(&scene), WAKING_MS);
    let mut scene = Scene::ready();
    assert_eq!(interval(&scene), STEADY_MS);
    scene.sleep();
    assert_eq!(interval(&scene), RESTING_MS);
    scene.step();
    scene.wake();
    assert_eq!(interval(&scene), WAKING_MS, "a drain is to be taken back");
}

#[test]
fn what_waits_for_something_else_than_its_sidecars_does_not_report_more_often() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.serve();
    scene.conflict = Some("taken".into());
    scene.step();
    assert_eq!(ask(&scene, Role::Proxy).unwrap().interval_ms, STEADY_MS);
}

#[test]
fn the_proxy_reports_right_after_the_moment_of_idleness() {
    let scene = Scene::ready();
    let id = scene.pair().id;
    let interval = |role, idle_in| {
        answer(&scene.record, &scene.tasks, &identity("hello", id, role), Some(idle_in)).unwrap().interval_ms
    };
    assert_eq!(interval(Role::Proxy, Duration::from_secs(2)), 2020);
    assert_eq!(interval(Role::Proxy, Duration::ZERO), WAKING_MS);
    assert_eq!(interval(Role::Proxy, Duration::MAX), STEADY_MS);
    assert_eq!(interval(Role::Service, Duration::ZERO), STEADY_MS);
}

#[test]
fn news_is_what_a_plan_may_depend_on() {
    let mut scene = Scene::ready();
    let beat = scene.beat(Role::Proxy, SidecarState::Serving).clone();
    let counted = Beat {
        activity: beat.activity.map(|a| dormouse_peer::wire::Activity { requests: 5, ..a }),
        ..beat.clone()
    };
    assert!(is_news(&scene.record, None, &beat));
    assert!(!is_news(&scene.record, Some(&beat), &counted), "use alone is none");
    assert!(is_news(&scene.record, Some(&beat), &Beat { state: SidecarState::Starting, ..beat.clone() }));
    assert!(is_news(
        &scene.record,
        Some(&beat),
        &Beat { sleep_requested: Some("done".into()), ..beat.clone() }
    ));
    assert!(is_news(&scene.record, Some(&beat), &Beat { busy: Some(true), ..beat.clone() }));
    scene.sleep();
    assert!(is_news(&scene.record, Some(&beat), &counted), "on the way to sleep it is");
}

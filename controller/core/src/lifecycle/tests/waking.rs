//! From the wish to be awake to two running tasks.

use crate::capacity::Room;
use crate::intent::later;
use crate::lifecycle::{Refusal, Step, identity, outcome};
use crate::observed::TaskStatus;
use crate::testing::scene::{Scene, runs};
use crate::testing::{at, secs};
use dormouse_peer::wire::Role;
use dormouse_state::{ConditionType, Launch, PairId, Phase};

fn no_room(reason: &'static str) -> Room {
    Room::No { reason, message: String::new() }
}

#[test]
fn both_tasks_are_run_side_by_side() {
    let mut scene = Scene::asleep();
    scene.wake();
    let steps = scene.step();
    assert_eq!(runs(&steps), [Role::Proxy, Role::Service]);
    assert_eq!(scene.pair().id, PairId { epoch: 1, attempt: 1 });
    assert_eq!(scene.record.phase, Phase::Waking);
}

#[test]
fn what_is_run_is_remembered_first() {
    let scene = Scene::waking();
    for step in scene.plan().steps {
        let Step::Run { identity, parameters } = step else { continue };
        let intent = scene.pair().task(identity.role);
        assert_eq!((intent.attempted_at, &*intent.parameters), (Some(at(0)), &parameters));
    }
}

#[test]
fn a_call_is_repeated_with_the_same_parameters_until_it_is_answered() {
    let mut scene = Scene::waking();
    let before = scene.plan().steps;
    scene.pass(5);
    assert_eq!(scene.step(), before);
    scene.start(Role::Proxy);
    assert_eq!(runs(&scene.step()), [Role::Service]);
    scene.start(Role::Service);
    assert_eq!(scene.step(), []);
}

#[test]
fn a_changed_setting_does_not_change_an_intended_call() {
    let mut scene = Scene::waking();
    let before = scene.plan().steps;
    scene.settings.controller_url = "http://10.0.0.10:9070".into();
    scene.settings.proxy_subnets = vec!["subnet-other".into()];
    assert_eq!(scene.step(), before);
}

#[test]
fn a_task_whose_answer_was_lost_is_adopted_from_a_listing() {
    let mut scene = Scene::waking();
    let made = scene.make(Role::Service);
    assert_eq!(runs(&scene.step()), [Role::Proxy]);
    assert_eq!(scene.pair().service.task_arn, Some(made.arn));
}

#[test]
fn the_service_waits_for_an_instance_and_the_proxy_does_not() {
    let mut scene = Scene::asleep();
    scene.room = no_room("ScalingUp");
    scene.wake();
    assert_eq!(runs(&scene.step()), [Role::Proxy]);
    assert_eq!(scene.pair().service.attempted_at, None, "nothing was called for it");
    scene.room = Room::Yes;
    scene.start(Role::Proxy);
    assert_eq!(runs(&scene.step()), [Role::Service]);
}

#[test]
fn no_proxy_is_paid_for_while_no_instance_is_on_its_way() {
    for reason in ["AtMaximum", "TooLarge", "LaunchFailed"] {
        let mut scene = Scene::asleep();
        scene.room = no_room(reason);
        scene.wake();
        assert_eq!(runs(&scene.step()), [], "{reason}");
        scene.room = Room::Yes;
        assert_eq!(runs(&scene.step()), Role::ALL, "{reason}");
    }
}

#[test]
fn after_a_refusal_it_is_tried_again_later_and_later() {
    let mut scene = Scene::waking();
    for (tries, wait) in [(1, 5), (2, 10), (3, 20), (7, 300), (40, 300)] {
        scene.refusal = Some(Refusal { at: scene.now, tries, why: "Throttling".into() });
        let plan = scene.plan();
        assert_eq!(runs(&plan.steps), [], "{tries}");
        assert!(plan.requeue.unwrap() <= secs(wait) + secs(1), "{tries}");
        scene.pass(i64::try_from(wait).unwrap());
        assert_eq!(runs(&scene.plan().steps), Role::ALL, "{tries}");
    }
}

/// What starts something stays put off as far as it is.
#[test]
fn what_was_throttled_and_starts_nothing_is_soon_tried_again() {
    let now = Scene::asleep().now;
    let after = |known: Option<Refusal>| {
        let refusal = Refusal::passing(known.as_ref(), "Throttling".into(), now);
        (refusal.retry_at(), refusal)
    };
    let mut known = None;
    for wait in [5, 10, 20, 20, 20] {
        let (at, refusal) = after(known);
        assert_eq!(at, later(now, secs(wait)));
        known = Some(refusal);
    }
    let refused = Refusal { at: now, tries: 7, why: "no capacity".into() };
    assert_eq!(after(Some(refused)).0, later(now, secs(300)));
}

#[test]
fn nothing_runs_before_its_definitions_are_registered() {
    let mut scene = Scene::asleep();
    scene.record.definitions.service.as_mut().unwrap().arn = None;
    scene.wake();
    let steps = scene.step();
    assert!(matches!(steps.as_slice(), [Step::Register { role: Role::Service, .. }]), "{steps:?}");
    assert_eq!(scene.record.pair, None);
    scene.register();
    assert_eq!(runs(&scene.plan().steps), Role::ALL);
}

#[test]
fn a_proxy_that_finds_no_spot_capacity_is_tried_on_demand_by_a_new_pair() {
    let mut scene = Scene::with(|spec| spec.proxy.spot = true).woken();
    let first = scene.pair().clone();
    assert_eq!(first.proxy.parameters.launch, Launch::FargateSpot);
    outcome::unplaced(&mut scene.record, &identity("hello", first.id, Role::Proxy), "none left", scene.now);
    scene.spot_is_short = true;
    scene.step();
    assert_eq!((scene.record.failures, scene.record.pair.is_none()), (0, true), "nothing of its own failed");
    scene.pass(5);
    scene.step();
    let second = scene.pair().clone();
    assert_eq!((second.id.epoch, second.id.attempt), (first.id.epoch, first.id.attempt + 1));
    assert_eq!(second.proxy.parameters.launch, Launch::Fargate);
    // It stays there, and says so; the next wake tries Spot again.
    scene.spot_is_short = false;
    scene.start_both();
    scene.step();
    let capacity =
        scene.record.conditions.iter().find(|known| known.kind == ConditionType::CapacityAvailable);
    assert!(capacity.is_some_and(|known| known.status && known.reason == "SpotFallback"), "{capacity:?}");
}

#[test]
fn where_and_how_the_halves_run() {
    let scene = Scene::with(|spec| spec.proxy.spot = true).woken();
    let (proxy, service) = (&scene.pair().proxy.parameters, &scene.pair().service.parameters);
    assert_eq!(
        (proxy.launch, proxy.public_ip, proxy.cluster.as_str()),
        (Launch::FargateSpot, true, "proxies")
    );
    assert_eq!(
        (service.launch, service.public_ip, service.cluster.as_str()),
        (Launch::Ec2, false, "services")
    );
    assert_eq!(proxy.subnets, ["subnet-p"]);
    assert_eq!(service.subnets, ["subnet-s"]);
}

#[test]
fn a_task_that_does_not_come_to_run_is_given_up() {
    let mut scene = Scene::waking();
    scene.start_both();
    let service = scene.arn(Role::Service);
    scene.set(&service, TaskStatus::Running);
    scene.pass(599);
    scene.step();
    assert_eq!(scene.pair().condemned, None);
    scene.pass(1);
    scene.step();
    assert_eq!(scene.pair().id.attempt, 2);
    assert_eq!(scene.record.retiring[0].id.attempt, 1);
    assert_eq!(scene.events("PairLost"), 1);
}

#[test]
fn a_task_that_is_not_seen_right_now_is_not_given_up() {
    let mut scene = Scene::ready();
    scene.tasks.by_arn.clear();
    scene.pass(5000);
    assert_eq!(scene.step(), []);
    assert_eq!(scene.pair().condemned, None);
}

#[test]
fn a_wake_before_anything_was_run_needs_no_second_pair() {
    let mut scene = Scene::waking();
    scene.sleep();
    scene.wake();
    scene.step();
    assert_eq!(scene.record.epoch, 2);
    assert_eq!(scene.pair().id, PairId { epoch: 1, attempt: 1 }, "nobody condemned it");
}

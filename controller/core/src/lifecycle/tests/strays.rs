//! Tasks that carry our mark and that no intent names.

use crate::intent;
use crate::observed::{Task, TaskStatus};
use crate::testing::at;
use crate::testing::scene::{Scene, runs, stops};
use dormouse_manifests::Service;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{PairId, Phase};
use jiff::Timestamp;

fn task(scene: &mut Scene, service: &str, role: Role, epoch: u64) -> String {
    let mut maker = Scene::waking();
    let task = Task {
        arn: format!("task/{service}/{role}/{epoch}"),
        identity: Some(Identity { service: service.into(), role, epoch, attempt: 1 }),
        status: TaskStatus::Running,
        ..maker.make(role)
    };
    scene.tasks.by_arn.insert(task.arn.clone(), task.clone());
    task.arn
}

#[test]
fn an_old_task_that_no_pair_names_is_stopped() {
    let mut scene = Scene::ready();
    scene.record.last_pair = Some(PairId { epoch: 1, attempt: 1 });
    scene.record.epoch = 1;
    let old = task(&mut scene, "hello", Role::Service, 0);
    scene.pass(120);
    assert_eq!(stops(&scene.step()), [old.as_str()]);
    assert_eq!(scene.record.strays[&old], "services", "intent first");
}

#[test]
fn it_is_stopped_once_and_forgotten_when_it_is_gone() {
    let mut scene = Scene::ready();
    let old = task(&mut scene, "hello", Role::Proxy, 0);
    scene.step();
    scene.task(&old).stopping = true;
    assert_eq!(scene.step(), [], "it is on its way");
    assert_eq!(scene.record.strays.len(), 1);
    scene.set(&old, TaskStatus::Stopped);
    scene.step();
    assert_eq!(scene.record.strays.len(), 0);
}

#[test]
fn a_stray_keeps_an_asleep_service_from_counting_as_asleep() {
    let mut scene = Scene::asleep();
    task(&mut scene, "hello", Role::Proxy, 1);
    scene.step();
    assert_eq!(scene.record.phase, Phase::Draining);
}

#[test]
fn others_tasks_are_not_touched() {
    let mut scene = Scene::ready();
    task(&mut scene, "hello2", Role::Service, 0);
    task(&mut scene, "hell", Role::Service, 0);
    let foreign = task(&mut scene, "hello", Role::Proxy, 0);
    scene.task(&foreign).identity = None;
    assert_eq!(scene.step(), []);
}

#[test]
fn a_record_that_is_behind_its_tasks_has_to_be_written_before_any_is_stopped() {
    let mut scene = Scene::ready();
    let newer = task(&mut scene, "hello", Role::Service, 7);
    scene.pass(120);
    let plan = scene.plan();
    assert_eq!(stops(&plan.steps), [newer]);
    assert_ne!(plan.record, scene.record, "and that fails when somebody else has written it since");
    assert_eq!((plan.record.last_pair, plan.record.epoch), (Some(PairId { epoch: 7, attempt: 1 }), 7));
}

#[test]
fn a_second_task_under_one_name_is_a_stray() {
    let mut scene = Scene::ready();
    let twin = task(&mut scene, "hello", Role::Service, 1);
    assert_ne!(twin, scene.arn(Role::Service));
    assert_eq!(stops(&scene.step()), [twin]);
}

#[test]
fn a_task_whose_intent_ended_without_it_is_a_stray() {
    let mut scene = Scene::waking();
    scene.make(Role::Service);
    let first = scene.tasks.by_arn.keys().next().unwrap().clone();
    let late = scene.tasks.by_arn.remove(&first).unwrap();
    scene.start(Role::Proxy);
    let identity = late.identity.clone().unwrap();
    crate::lifecycle::outcome::burnt(&mut scene.record, &identity, "used up", scene.now);
    scene.tasks.by_arn.insert(late.arn.clone(), late.clone());
    let steps = scene.step();
    assert!(stops(&steps).contains(&late.arn.as_str()), "{steps:?}");
}

/// A row was lost and made anew; what it left serves, and its record cannot be withdrawn: (seconds, which halves are
/// stopped).
#[test]
fn a_lost_row_s_pair_serves_until_nobody_is_led_to_it() {
    for (halves, seconds, stopped) in [
        (&Role::ALL[..], 600, &[][..]),
        // Without its service it serves nobody.
        (&[Role::Proxy], 119, &[]),
        (&[Role::Proxy], 120, &[Role::Proxy]),
        // Its proxy may only not be listed yet.
        (&[Role::Service], 119, &[]),
        (&[Role::Service], 120, &[Role::Service]),
    ] {
        let mut scene = Scene::asleep();
        let left: Vec<_> = halves.iter().map(|role| (*role, task(&mut scene, "hello", *role, 4))).collect();
        scene.step();
        let doubted = scene.record.dns.withdrawn_at.is_none();
        assert_eq!(doubted, halves.contains(&Role::Proxy), "what stands in the zone is to be found out");
        scene.pass(seconds);
        let steps = scene.step();
        let expected = left.iter().filter(|(role, _)| stopped.contains(role)).map(|(_, arn)| arn.as_str());
        assert_eq!(stops(&steps), expected.collect::<Vec<_>>(), "{halves:?} after {seconds} s");
    }
}

/// When the row was made anew, a leader before wrote by its own clock: whoever leads now may take it for old.
#[test]
fn a_lost_row_s_proxy_serves_until_resolvers_have_forgotten_its_record_however_old_the_row() {
    for (seconds, is_stopped) in [(9, false), (10, true)] {
        let mut scene = Scene::asleep();
        let proxy = task(&mut scene, "hello", Role::Proxy, 4);
        scene.step();
        scene.pass(600);
        scene.withdraw();
        scene.pass(seconds);
        let expected = if is_stopped { vec![proxy] } else { Vec::new() };
        assert_eq!(stops(&scene.step()), expected, "after {seconds} s");
    }
}

/// The record may have been taken out as nobody's, right before the row was made anew.
#[test]
fn a_proxy_s_record_is_in_doubt_unless_it_is_known_what_is_published() {
    for (published, withdrawn, doubted) in
        [(None, Some(0), true), (None, None, true), (Some("198.51.100.1".to_owned()), None, false)]
    {
        let mut scene = Scene::asleep();
        (scene.record.dns.published, scene.record.dns.withdrawn_at) = (published, withdrawn.map(at));
        task(&mut scene, "hello", Role::Proxy, 4);
        scene.step();
        assert_eq!(scene.record.dns.pending.is_some(), doubted, "{:?}", scene.record.dns);
        assert_eq!(scene.record.dns.withdrawn_at, None);
    }
}

#[test]
fn a_lost_row_s_service_goes_after_its_proxy() {
    let mut scene = Scene::asleep();
    let [proxy, service] = [Role::Proxy, Role::Service].map(|role| task(&mut scene, "hello", role, 4));
    scene.step();
    scene.withdraw();
    scene.pass(600);
    assert_eq!(stops(&scene.step()), [proxy.as_str()]);
    // It ends what it has in flight first.
    scene.task(&proxy).stopping = true;
    assert_eq!(scene.step(), []);
    scene.set(&proxy, TaskStatus::Stopping);
    scene.pass(5);
    assert_eq!(scene.step(), []);
    scene.set(&proxy, TaskStatus::Deprovisioning);
    assert_eq!(stops(&scene.step()), [service]);
}

/// (Requests at the activator, seconds since the row was made anew, whether the service is stopped): its proxy is gone,
/// and a request may have been led straight to it.
#[test]
fn a_lost_row_s_service_answers_what_the_activator_led_to_it() {
    for (in_flight, seconds, stopped) in [(0, 10, true), (1, 10, false), (1, 29, false), (1, 30, true)] {
        let mut scene = Scene::asleep();
        scene.record.created_at = scene.now;
        let [proxy, service] = [Role::Proxy, Role::Service].map(|role| task(&mut scene, "hello", role, 4));
        scene.step();
        scene.task(&proxy).stopping = true;
        scene.set(&proxy, TaskStatus::Deprovisioning);
        scene.activator.in_flight = in_flight;
        scene.pass(seconds);
        let expected = if stopped { vec![service] } else { Vec::new() };
        assert_eq!(stops(&scene.step()), expected, "{in_flight} after {seconds} s");
    }
}

#[test]
fn a_row_that_was_lost_uses_no_name_twice() {
    let mut scene = Scene::asleep();
    let old = task(&mut scene, "hello", Role::Service, 4);
    let record =
        intent::declare(None, &Service::new("hello", scene.record.spec.clone().into_inner()), at(0)).unwrap();
    scene.record = record;
    scene.register();
    assert!(scene.record.strays.contains_key(&old));
    scene.wake();
    assert_eq!(runs(&scene.step()), Role::ALL);
    assert!(scene.pair().id > PairId { epoch: 4, attempt: 1 }, "{}", scene.pair().id);
}

/// Seconds after 2026 began; a scene is of 2023.
fn of_2026(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

/// What a row intends first that was made in a second.
fn first_pair(created_at: Timestamp) -> PairId {
    let mut scene = Scene::asleep();
    scene.record.created_at = created_at;
    scene.wake();
    scene.step();
    scene.pair().id
}

#[test]
fn a_row_gives_no_name_again_that_an_unseen_task_may_have() {
    // Nothing of the task is listed that the lost row named: it hangs in its stop.
    assert_eq!(first_pair(of_2026(70)), PairId { epoch: 1, attempt: 70 });
    assert_eq!(first_pair(of_2026(100)), PairId { epoch: 1, attempt: 100 });
    // Nor while a task of a try before it is.
    let mut scene = Scene::asleep();
    scene.record.created_at = of_2026(100);
    scene.wake();
    task(&mut scene, "hello", Role::Service, 1);
    scene.step();
    assert_eq!(scene.pair().id, PairId { epoch: 1, attempt: 100 });
}

#[test]
fn rows_of_earlier_versions_go_on_where_they_are() {
    assert_eq!(first_pair(of_2026(-1)), PairId { epoch: 1, attempt: 1 });
    // One that served when the version changed keeps its name and its tasks; what comes after it is named by its row.
    let mut scene = Scene::ready();
    scene.record.created_at = of_2026(100);
    assert_eq!((scene.step(), scene.pair().id), (Vec::new(), PairId { epoch: 1, attempt: 1 }));
    let service = scene.pair().service.task_arn.clone().unwrap();
    scene.set(&service, TaskStatus::Stopped);
    for _ in 0..3 {
        scene.step();
        scene.pass(60);
    }
    assert_eq!(scene.pair().id, PairId { epoch: 1, attempt: 100 });
}

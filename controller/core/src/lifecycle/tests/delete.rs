//! The end of a service: tasks and record first, definitions next, its row last.

use crate::lifecycle::{Step, outcome};
use crate::observed::TaskStatus;
use crate::testing::scene::Scene;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::Desired;

/// Takes whatever is to be taken until nothing changes; answers whether the row went.
fn settle(scene: &mut Scene) -> bool {
    for _ in 0..20 {
        let steps = scene.step();
        for step in &steps {
            match step {
                Step::Stop { arn, .. } => scene.set(arn, TaskStatus::Stopped),
                Step::Deregister { arn } => outcome::deregistered(&mut scene.record, arn),
                Step::Remove => return true,
                other => panic!("{other:?}"),
            }
        }
    }
    false
}

#[test]
fn an_asleep_service_goes_with_its_definitions() {
    let mut scene = Scene::asleep();
    scene.delete();
    let steps = scene.step();
    assert!(!steps.contains(&Step::Remove), "its definitions are left");
    assert_eq!(steps.len(), 2);
    assert!(settle(&mut scene));
}

#[test]
fn an_awake_service_sleeps_first() {
    let mut scene = Scene::ready();
    scene.delete();
    assert_eq!(scene.record.desired, Desired::Asleep);
    assert!(!settle(&mut scene), "its record stands");
    scene.withdraw();
    scene.pass(10);
    scene.step();
    scene.beat(Role::Proxy, SidecarState::Draining);
    assert!(settle(&mut scene));
}

#[test]
fn a_stray_keeps_the_row() {
    let mut scene = Scene::asleep();
    let mut other = Scene::waking();
    let task = other.make(Role::Service);
    scene.tasks.by_arn.insert(task.arn.clone(), task.clone());
    scene.delete();
    scene.step();
    scene.task(&task.arn).stopping = true;
    scene.record.definitions = Default::default();
    assert_eq!(scene.step(), []);
    scene.set(&task.arn, TaskStatus::Stopped);
    assert_eq!(scene.step(), [Step::Remove]);
}

#[test]
fn a_task_that_is_ending_anyway_keeps_the_row() {
    let mut scene = Scene::asleep();
    let mut task = Scene::waking().make(Role::Service);
    task.status = TaskStatus::Stopping;
    scene.tasks.by_arn.insert(task.arn.clone(), task.clone());
    scene.record.definitions = Default::default();
    scene.delete();
    assert_eq!(scene.step(), []);
    scene.set(&task.arn, TaskStatus::Stopped);
    assert_eq!(scene.step(), [Step::Remove]);
}

#[test]
fn a_task_of_an_unknown_later_pair_goes_too() {
    let mut scene = Scene::asleep();
    let mut other = Scene::waking();
    let mut task = other.make(Role::Service);
    task.identity.as_mut().unwrap().epoch = 9;
    scene.record.last_pair = Some(Default::default());
    scene.tasks.by_arn.insert(task.arn.clone(), task.clone());
    scene.delete();
    scene.step();
    assert!(scene.record.strays.contains_key(&task.arn));
}

#[test]
fn a_record_in_the_zone_keeps_the_row() {
    let mut scene = Scene::asleep();
    scene.record.dns.withdrawn_at = None;
    scene.delete();
    assert!(!settle(&mut scene));
}

#[test]
fn nothing_wakes_it_any_more() {
    let always = crate::testing::window("daily", "00:00", "00:00", "UTC");
    let mut scene = Scene::with(|spec| spec.awake = vec![always]);
    scene.delete();
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn a_late_request_does_not_bring_it_back() {
    let mut scene = Scene::ready();
    scene.count(5, 0, 0);
    scene.delete();
    scene.step();
    scene.count(6, 0, 0);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

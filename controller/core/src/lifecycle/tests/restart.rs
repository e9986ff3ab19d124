//! A controller that has just started knows only its table.

use crate::observed::Tasks;
use crate::testing::at;
use crate::testing::scene::Scene;
use dormouse_state::{ConditionType, Desired, Phase};

#[test]
fn nothing_is_done_before_the_first_complete_listing() {
    for mut scene in [Scene::asleep(), Scene::waking(), Scene::ready()] {
        scene.tasks = Tasks::default();
        scene.beats.clear();
        scene.pass(1_000_000);
        scene.tasks.listed_at = None;
        let plan = scene.plan();
        assert_eq!((plan.record, plan.steps), (scene.record, vec![]));
    }
}

#[test]
fn nothing_is_put_to_sleep_before_its_proxy_was_heard() {
    let mut scene = Scene::ready();
    scene.beats.clear();
    scene.pass(1_000_000);
    assert_eq!(scene.step(), []);
    assert_eq!((scene.record.desired, scene.record.phase), (Desired::Awake, Phase::Awake));
    scene.count(3, 0, 1_000_000);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Asleep);
}

#[test]
fn a_report_that_is_too_old_proves_no_idleness() {
    let mut scene = Scene::ready();
    scene.count(3, 0, 10_000);
    scene.pass(31);
    scene.step();
    assert_eq!(scene.record.desired, Desired::Awake);
}

#[test]
fn what_was_ready_stays_ready_until_its_sidecars_report() {
    let mut scene = Scene::ready();
    let before = scene.record.conditions.clone();
    scene.beats = Vec::new();
    scene.probed = None;
    scene.pass(5);
    scene.step();
    assert!(scene.is(ConditionType::Ready) && scene.is(ConditionType::PeersHealthy));
    let changes = scene.record.conditions.iter().zip(&before).filter(|(a, b)| a.status != b.status);
    assert_eq!(changes.count(), 0);
}

#[test]
fn what_was_not_ready_is_not_taken_for_ready() {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.publish();
    scene.pass(30);
    scene.step();
    assert!(!scene.is(ConditionType::Ready));
    assert_eq!(scene.pair().ready_at, None);
}

#[test]
fn the_memory_of_use_survives() {
    let mut scene = Scene::ready();
    scene.pass(240);
    scene.count(3, 0, 5);
    scene.step();
    assert_eq!(scene.record.last_activity, at(265));
}

#[test]
fn use_is_written_down_rarely() {
    let mut scene = Scene::ready();
    let mut writes = 0;
    for second in 0..900 {
        scene.pass(1);
        scene.serve();
        scene.count(second, 1, 0);
        let before = scene.record.clone();
        scene.step();
        writes += usize::from(scene.record != before);
    }
    assert!(writes <= 4, "{writes}");
}

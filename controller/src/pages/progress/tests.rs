use super::*;
use crate::testing::{asleep, awake, condition};
use dormouse_core::view::TaskView;

fn at(second: i64) -> Timestamp {
    "2026-01-01T11:55:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(second)
}

/// Woken at second 0, with conditions that are true since then, and a task.
fn waking(conditions: &[(Type, i64)], task: Option<&str>) -> ServiceView {
    let mut view = asleep("hello");
    view.status = awake("hello").status;
    view.status.phase = Phase::Waking;
    view.status.conditions = conditions
        .iter()
        .map(|(kind, second)| {
            let mut found = condition(*kind, true, "Word", "words");
            found.last_transition_time = at(*second);
            found
        })
        .collect();
    view.status.service = task.map(|state| TaskView {
        task_arn: Some("arn:task/1".into()),
        address: None,
        public_address: None,
        state: state.into(),
    });
    view
}

fn states(progress: &Progress) -> String {
    let one = |step: &Step| match step.state {
        State::Done(Some(took)) => format!("{}s", took.as_secs()),
        State::Done(None) => "done".into(),
        State::Now(Some(since)) => format!("now@{}", since.duration_since(at(0)).as_secs()),
        State::Now(None) => "now".into(),
        State::Later => "-".into(),
    };
    progress.steps.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_step_takes_from_the_end_of_the_one_before_it() {
    let capacity = (Type::CapacityAvailable, 20);
    let up = [capacity, (Type::ServiceRunning, 30)];
    let healthy = [up[0], up[1], (Type::ProxyRunning, 28), (Type::PeersHealthy, 31)];
    for (conditions, task, expected) in [
        (&[][..], None, "0s now@0 - - - -"),
        (&[capacity], Some("INTENDED"), "0s 20s now@20 - - -"),
        (&[capacity], Some("PENDING"), "0s 20s now@20 - - -"),
        (&[capacity], Some("RUNNING"), "0s 20s done now - -"),
        (&up, Some("RUNNING"), "0s 20s done done now@30 -"),
        (&healthy, Some("RUNNING"), "0s 20s done done 1s now@31"),
    ] {
        let progress = Progress::of(&waking(conditions, task), &Seen::default(), false);
        assert_eq!(states(&progress), expected, "{task:?}");
        assert_eq!(progress.standing, Standing::Waking);
    }
}

#[test]
fn who_watched_knows_when_the_containers_ran() {
    let capacity = (Type::CapacityAvailable, 20);
    let mut seen = Seen::default();
    seen.look(&waking(&[capacity], Some("PENDING")), at(21));
    seen.look(&waking(&[capacity], Some("RUNNING")), at(25));
    seen.look(&waking(&[capacity], Some("RUNNING")), at(27));
    let view = waking(&[capacity, (Type::ServiceRunning, 30)], Some("RUNNING"));
    assert_eq!(states(&Progress::of(&view, &seen, false)), "0s 20s 5s 5s now@30 -");
    let mut late = Seen::default();
    late.look(&view, at(40));
    assert_eq!(states(&Progress::of(&view, &late, false)), "0s 20s done done now@30 -", "nobody saw it");
    let mut other = view.clone();
    other.status.service.as_mut().unwrap().task_arn = Some("arn:task/2".into());
    seen.look(&other, at(50));
    assert_eq!(seen.ran_at, None, "another task");
}

#[test]
fn where_it_stands() {
    let of = |view: &ServiceView, asked| Progress::of(view, &Seen::default(), asked).standing;
    assert_eq!(of(&asleep("a"), true), Standing::Waking);
    assert_eq!(of(&asleep("a"), false), Standing::Asleep);
    assert_eq!(of(&awake("a"), false), Standing::Ready);
    let mut view = waking(&[(Type::Degraded, 1)], None);
    assert_eq!(of(&view, false), Standing::Troubled);
    view.metadata.deleting = true;
    assert_eq!(of(&view, true), Standing::Going);
    assert_eq!(states(&Progress::of(&asleep("a"), &Seen::default(), true)), "now - - - - -");
}

#[test]
fn what_goes_on_is_said() {
    let how = |task: &str| {
        let progress =
            Progress::of(&waking(&[(Type::CapacityAvailable, 1)], Some(task)), &Seen::default(), false);
        progress.current().unwrap().how.clone()
    };
    assert_eq!(how("PENDING"), "the image is being pulled");
    assert_eq!(how("PROVISIONING"), "the network is being attached");
    let mut view = waking(&[], None);
    view.status.conditions = vec![condition(Type::CapacityAvailable, false, "ScalingUp", "it boots")].into();
    assert_eq!(Progress::of(&view, &Seen::default(), false).current().unwrap().how, "it boots");
}

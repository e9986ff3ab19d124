use super::*;
use crate::testing::{NOW, asleep, awake, condition};
use dormouse_core::keepers::Keeper;
use dormouse_core::view::TaskView;
use dormouse_state::{Cause, ConditionType, Desired, Event, Phase};
use http_body_util::BodyExt as _;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn html(view: &ServiceView) -> String {
    let mut html = String::new();
    row(&mut html, view, &Places::default(), now());
    html
}

const EVIL: &str = "\"'><script>alert(1)</script>";

/// Everything that a caller, a manifest or AWS may put into it.
fn evil() -> ServiceView {
    let mut view = awake("hello");
    view.metadata.labels.insert(EVIL.into(), EVIL.into());
    view.status.url = EVIL.into();
    view.status.conditions.push(condition(ConditionType::Degraded, true, EVIL, EVIL));
    let cause = Cause { at: now(), origin: EVIL.into(), reason: EVIL.into(), duration_ms: Some(1) };
    view.status.kept_awake_by = vec![Keeper { reason: EVIL.into(), message: EVIL.into() }];
    view.status.last_wake = Some(cause.clone());
    view.status.last_sleep = Some(cause);
    let task = TaskView {
        task_arn: Some(EVIL.into()),
        address: Some(EVIL.into()),
        public_address: Some(EVIL.into()),
        state: EVIL.into(),
    };
    (view.status.service, view.status.proxy) = (Some(task.clone()), Some(task));
    view
}

#[tokio::test]
async fn whatever_is_echoed_stays_text() {
    let mut waking = evil();
    waking.status.conditions = vec![condition(ConditionType::CapacityAvailable, false, EVIL, EVIL)].into();
    waking.status.phase = Phase::Waking;
    let mut asleep = evil();
    asleep.status.desired = Desired::Asleep;
    let services: Vec<Arc<ServiceView>> = [evil(), waking, asleep].map(Arc::new).into();
    let instance = InstanceView {
        id: EVIL.into(),
        lifecycle: Some(EVIL.into()),
        status: Some(EVIL.into()),
        protected: true,
        tasks: 1,
        services: vec![EVIL.into(), "hello".into()],
    };
    let event = Event { at: now(), reason: EVIL.into(), message: EVIL.into() };
    let page = dashboard(&Shown {
        services: &services,
        instances: &[instance],
        events: &[EventView { service: EVIL.into(), event }],
        domain: EVIL,
        proof: EVIL,
        stream: EVIL,
        logout: Some(EVIL),
        money: (1.234, 56.789),
        idle: 11.938,
        now: now(),
    });
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(!policy.contains("unsafe") && policy.contains("script-src 'sha256-"), "{policy}");
    let body = page.into_body().collect().await.unwrap().to_bytes();
    let html = String::from_utf8(body.to_vec()).unwrap();
    assert!(html.matches("&lt;script&gt;alert(1)").count() > 20);
    assert!(
        html.contains("about $1.23 spent on being awake, $56.79 saved by sleep (list prices of 2026-"),
        "{html}"
    );
    assert!(html.contains("the installation itself takes about $11.94 a month"), "{html}");
    assert_eq!(html.matches("<script>").count(), 1, "its own");
    assert!(!html.contains(EVIL) && !html.contains("\"'>") && !html.contains(" style="));
}

#[test]
fn a_row_says_what_there_is_to_say() {
    let mut view = awake("hello");
    view.status.wakes = vec![20_000, 41_234];
    let html = html(&view);
    for part in [
        "<tr id=\"s-hello\" data-name=\"hello\" data-state=\"awake\" data-find=\"hello\">",
        "<a href=\"http://hello.example.com:9060\" rel=\"noreferrer\">hello</a>",
        "woken by request, <time",
        "GET / from 10.1.2.3",
        ">14 min</span>",
        "41 s",
        "M2 20v-10M8 20v-20",
        "data-do=\"sleep\" aria-label=\"Sleep hello\">Sleep<",
        "data-do=\"keep\"",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("data-do=\"wake\""));
}

#[test]
fn the_state_is_one_word() {
    let state = |change: &dyn Fn(&mut ServiceView)| {
        let mut view = awake("a");
        change(&mut view);
        let html = html(&view);
        html.split_once("data-state=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    assert_eq!(state(&|_| {}), "awake");
    assert_eq!(state(&|view| *view = asleep("a")), "asleep");
    assert_eq!(state(&|view| view.status.phase = Phase::Waking), "waking");
    assert_eq!(state(&|view| view.status.phase = Phase::Asleep), "waking");
    assert_eq!(
        state(&|view| {
            view.status.phase = Phase::Draining;
            view.status.desired = Desired::Asleep;
        }),
        "draining"
    );
    assert_eq!(
        state(&|view| view.status.conditions.push(condition(ConditionType::Degraded, true, "A", "b"))),
        "trouble"
    );
}

#[test]
fn a_service_is_on_its_instance() {
    let instance = |id: &str, service: &str| InstanceView {
        id: id.into(),
        lifecycle: None,
        status: None,
        protected: false,
        tasks: 1,
        services: vec![service.into()],
    };
    let instances = [instance("i-1", "a"), instance("i-2", "b")];
    let mut html = String::new();
    row(&mut html, &awake("b"), &Places::of(&instances), now());
    assert!(html.contains(">i-2</code>"), "{html}");
}

#[test]
fn only_the_newest_events_are_shown() {
    let event = |n: i64| EventView {
        service: "a".into(),
        event: Event { at: now(), reason: "Woken".into(), message: format!("number {n}.") },
    };
    let all: Vec<EventView> = (0..100).map(event).collect();
    let mut html = String::new();
    events(&mut html, &all, now());
    assert_eq!(html.matches("<li>").count(), 60);
    assert!(html.find("number 99.") < html.find("number 98.") && !html.contains("number 39."));
    let mut none = String::new();
    events(&mut none, &[], now());
    instances(&mut none, &[]);
    assert!(none.contains("Nothing has happened yet") && none.contains("nothing is paid for"));
}

//! What belongs to a waiting page.

use super::{TOKEN, api, api_with, get, request};
use crate::api::Options;
use crate::config::Secret;
use crate::testing::{FakePlane, asleep, awake, condition};
use crate::tokens::Tokens;
use axum::Router;
use axum::body::Body;
use dormouse_manifests::Access;
use dormouse_state::{ConditionType, Desired};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The next event: its name and its data.
pub(super) async fn event(body: &mut Body) -> Option<(String, String)> {
    let frame = body.frame().await?.unwrap().into_data().unwrap();
    let text = String::from_utf8(frame.to_vec()).unwrap();
    let field = |name: &str| -> Vec<&str> {
        text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    };
    Some((field("event").concat(), field("data").join("\n")))
}

fn waking(plane: &Arc<FakePlane>) {
    plane.update("hello", |view| {
        *view = dormouse_core::view::ServiceView { status: awake("hello").status, ..view.clone() };
        view.status.conditions = vec![condition(ConditionType::Ready, false, "Waiting", "words")].into();
    });
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_of_each_change_and_to_go_when_it_is_ready() {
    let plane = FakePlane::new([asleep("hello"), asleep("other")]);
    let router = api(&plane);
    let response = get(&router, "/.dormouse/hello/events").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    let (name, html) = event(&mut body).await.unwrap();
    assert_eq!(name, "progress");
    assert!(html.contains("hello is waking up"), "a wake may be under way: {html}");
    assert_eq!(plane.in_use.load(Ordering::SeqCst), 0);

    waking(&plane);
    assert_eq!(event(&mut body).await.unwrap().0, "progress");
    assert_eq!(plane.in_use.load(Ordering::SeqCst), 1, "who waits uses it");
    plane.update("other", |view| view.status.epoch = 7);
    let began = tokio::time::Instant::now();
    assert_eq!(event(&mut body).await.unwrap().0, "progress");
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(5),
        "others' changes are none of it, but it hears of somebody"
    );

    plane.update("hello", |view| {
        let words = "<b>image not found</b>";
        view.status.conditions.push(condition(ConditionType::Degraded, true, "CrashLoop", words));
        view.status.failures = 3;
    });
    let (_, html) = event(&mut body).await.unwrap();
    assert!(html.contains("&lt;b&gt;image not found&lt;/b&gt;") && html.contains("tried 3 times"), "{html}");

    plane.make_ready("hello");
    assert_eq!(event(&mut body).await.unwrap(), ("go".into(), "now".into()));
    assert_eq!(event(&mut body).await, None);
    assert_eq!(plane.in_use.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_when_it_sleeps_again() {
    let plane = FakePlane::new([asleep("hello")]);
    let router = api(&plane);
    waking(&plane);
    let mut body = get(&router, "/.dormouse/hello/events").await.into_body();
    event(&mut body).await.unwrap();
    tokio::time::advance(Duration::from_secs(4)).await;
    plane.update("hello", |view| view.status.desired = Desired::Asleep);
    let mut html = String::new();
    while !html.contains("hello sleeps") {
        html = event(&mut body).await.unwrap().1;
    }
    assert!(html.contains("Wake it up"), "{html}");
    assert_eq!(plane.in_use.load(Ordering::SeqCst), 0);
    plane.remove("hello");
    assert_eq!(event(&mut body).await.unwrap().0, "go", "the page that says so");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let plane = FakePlane::new([asleep("hello")]);
    let stop = CancellationToken::new();
    let router = api_with(&plane, Options { stop: stop.clone(), ..Options::default() });
    waking(&plane);
    let began = tokio::time::Instant::now();
    let mut body = get(&router, "/.dormouse/hello/events").await.into_body();
    while event(&mut body).await.unwrap().0 != "end" {}
    assert_eq!(began.elapsed(), Duration::from_secs(1800));
    assert_eq!(event(&mut body).await, None);

    let mut body = get(&router, "/.dormouse/hello/events").await.into_body();
    event(&mut body).await.unwrap();
    stop.cancel();
    assert_eq!(event(&mut body).await, None);
}

async fn press(router: &Router, headers: &[(&str, &str)]) -> Response<Body> {
    let mut press = request("POST", "/.dormouse/hello/wake", "");
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        press.headers_mut().insert(name, value.parse().unwrap());
    }
    router.clone().oneshot(press).await.unwrap()
}

#[tokio::test]
async fn the_button_wakes_and_leads_back() {
    let plane = FakePlane::new([asleep("hello")]);
    let router = api(&plane);
    for elsewhere in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "http://b")]
    {
        assert_eq!(press(&router, &[("host", "a"), elsewhere]).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(plane.wakes(), 0);
    let form = [("host", "a"), ("sec-fetch-site", "same-origin"), ("accept", "text/html")];
    let response = press(&router, &[&form[..], &[("referer", "http://a/hello?x=1")]].concat()).await;
    assert_eq!((response.status(), plane.wakes()), (StatusCode::SEE_OTHER, 1));
    assert_eq!(response.headers()[header::LOCATION], "/hello?x=1");
    assert_eq!(press(&router, &form).await.headers()[header::LOCATION], "/hello");
    let script = press(&router, &[("accept", "*/*")]).await;
    assert_eq!((script.status(), plane.wakes()), (StatusCode::NO_CONTENT, 1), "it is wanted already");
}

#[tokio::test]
async fn the_button_of_a_guarded_service_needs_the_token_too() {
    let mut view = asleep("hello");
    view.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view]);
    let router =
        api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    assert_eq!(press(&router, &[]).await.status(), StatusCode::UNAUTHORIZED);
    let shown = format!("Bearer {TOKEN}");
    assert_eq!(press(&router, &[("authorization", &shown)]).await.status(), StatusCode::NO_CONTENT);
    for path in ["/.dormouse/nobody/events", "/.dormouse/No/events"] {
        assert!(get(&router, path).await.status().is_client_error());
    }
    let nobody = Request::post("/.dormouse/nobody/wake").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(nobody).await.unwrap().status(), StatusCode::NOT_FOUND);
}

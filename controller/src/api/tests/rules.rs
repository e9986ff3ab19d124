//! What holds for all calls.

use super::TOKEN;
use super::api;
use super::api_with;
use super::call;
use super::get;
use super::request;
use super::text;
use crate::api::Options;
use crate::config::Secret;
use crate::metrics::{Metrics, Page};
use crate::plane::Plane;
use crate::testing::FakePlane;
use crate::testing::asleep;
use crate::testing::awake;
use crate::tokens::Tokens;
use axum::body::Body;
use futures::FutureExt as _;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::ServiceExt as _;

#[tokio::test]
async fn every_error_is_a_problem() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    for (method, path, body, status, kind, words) in [
        ("GET", "/v1/services/b", "", 404, "not-declared", "no service `b` is declared"),
        ("GET", "/v1/services/B", "", 400, "invalid", "\"B\": give a DNS label"),
        ("GET", "/v1/services/%ff", "", 400, "invalid", "give a DNS label"),
        ("GET", "/v1/services/a?x=1", "", 400, "invalid", "a parameter cannot be \"x\""),
        ("GET", "/v1/nothing", "", 404, "no-such-call", "there is no call \"/v1/nothing\""),
        ("POST", "/v1/services", "", 405, "method-not-allowed", "does not take POST"),
        ("PATCH", "/v1/services/a", "", 405, "method-not-allowed", "does not take PATCH"),
        ("POST", "/a", "", 405, "method-not-allowed", "does not take POST"),
        ("PUT", "/v1/services/a", "{", 422, "invalid-manifest", "the manifest is not valid"),
        ("PUT", "/v1/services/a", "", 422, "invalid-manifest", "the body has 0 manifests"),
        ("POST", "/v1/services/b/wake", "", 404, "not-declared", "no service `b` is declared"),
        (
            "POST",
            "/v1/services/a/wake?wait=soon",
            "",
            400,
            "invalid",
            "wait cannot be \"soon\": give a duration",
        ),
        ("POST", "/v1/services/a/wake?wait=2h", "", 400, "invalid", "at most 1h"),
        ("POST", "/v1/services/a/sleep?for=2h", "", 400, "invalid", "give wait"),
        ("GET", "/v1/watch?name=A", "", 400, "invalid", "give a DNS label"),
        ("GET", "/v1/services/b/events", "", 404, "not-declared", "no service `b` is declared"),
        ("POST", "/v1/heartbeat", "", 401, "unauthorized", "needs its task's token"),
    ] {
        let response = api.clone().oneshot(request(method, path, body)).await.unwrap();
        let case = format!("{method} {path}");
        assert_eq!(response.status().as_u16(), status, "{case}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{case}");
        let allow = response.headers().get(header::ALLOW).cloned();
        assert_eq!(allow.is_some(), status == 405, "{case}: {allow:?}");
        let problem: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(problem["type"], format!("urn:dormouse:{kind}"), "{case}");
        assert_eq!(problem["status"], status, "{case}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{case}: {problem}");
    }
    assert_eq!(plane.wakes(), 0);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let plane = FakePlane::new([]);
    let api = api(&plane);
    let (status, problem) = call(&api, "PUT", "/v1/services/a", &" ".repeat((1 << 20) + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem["type"], "urn:dormouse:too-large");
    let (status, _) = call(&api, "POST", "/v1/heartbeat", &" ".repeat((16 << 10) + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_token_guards_all_but_health_wakes_and_heartbeats() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let router =
        api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    let status = |method: &'static str, path: &'static str, token: Option<&'static str>| {
        let mut request = request(method, path, "");
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, token.parse().unwrap());
        }
        let router = router.clone();
        async move { router.oneshot(request).await.unwrap() }
    };
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/v1/services"),
        ("GET", "/v1/services/a"),
        ("PUT", "/v1/services/a"),
        ("DELETE", "/v1/services/a"),
        ("POST", "/v1/services/a/wake"),
        ("POST", "/v1/services/a/sleep"),
        ("GET", "/v1/services/a/events"),
        ("GET", "/v1/events"),
        ("GET", "/v1/instances"),
        ("GET", "/v1/cost"),
        ("GET", "/v1/doctor"),
        ("GET", "/v1/watch"),
    ] {
        for wrong in [
            None,
            Some("Bearer an-api-tokem"),
            Some("Bearer "),
            Some("Basic an-api-token"),
            Some("an-api-token"),
        ] {
            let response = status(method, path, wrong).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path} {wrong:?}");
            assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
        let right = status(method, path, Some("bearer an-api-token")).await;
        assert_ne!(right.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    plane.declare(dormouse_manifests::Service::new("a", asleep("a").spec.into_inner())).await.unwrap();
    for (path, expected) in
        [("/healthz", 200), ("/readyz", 200), ("/b", 303), ("/api/b", 200), ("/a", 503), ("/nobody", 404)]
    {
        assert_eq!(status("GET", path, None).await.status().as_u16(), expected, "{path}");
    }
    let beat = json!({"boot": "x", "seq": 2, "state": "serving"}).to_string();
    let heartbeat =
        Request::post("/v1/heartbeat").header("authorization", "Bearer task-token").body(Body::from(beat));
    let response = router.clone().oneshot(heartbeat.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, r#"{"drain":true,"intervalMs":200}"#);
}

#[tokio::test]
async fn heartbeats_of_strangers_are_refused() {
    let plane = FakePlane::new([]);
    let beat = |body: &str| {
        Request::post("/v1/heartbeat")
            .header("authorization", "Bearer other")
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let whole = beat(r#"{"boot": "x", "seq": 1, "state": "serving"}"#);
    assert_eq!(api(&plane).oneshot(whole).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(api(&plane).oneshot(beat("{}")).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_standby_takes_no_heartbeats() {
    let plane = FakePlane::new([]);
    plane.standby.store(true, Ordering::SeqCst);
    let beat = r#"{"boot": "x", "seq": 1, "state": "serving"}"#;
    let request = Request::post("/v1/heartbeat").header("authorization", "Bearer task-token");
    let answer = api(&plane).oneshot(request.body(Body::from(beat)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(answer).await.contains("another controller leads"));
}

#[tokio::test]
async fn ready_is_after_the_first_snapshot() {
    let plane = FakePlane::new([]);
    plane.readiness.send_replace(false);
    let api = api(&plane);
    assert_eq!(get(&api, "/healthz").await.status(), StatusCode::OK);
    assert_eq!(call(&api, "GET", "/readyz", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    plane.readiness.send_replace(true);
    assert_eq!(get(&api, "/readyz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_said_of_services_before_they_are_read() {
    let plane = FakePlane::new([]);
    plane.readiness.send_replace(false);
    let api = api(&plane);
    for (method, path) in [
        ("GET", "/v1/services/hello"),
        ("GET", "/v1/services"),
        ("GET", "/v1/services/hello/events"),
        ("GET", "/api/hello?status=true"),
        ("GET", "/hello"),
        ("DELETE", "/v1/services/hello"),
    ] {
        let early = api.clone().oneshot(request(method, path, ""));
        assert!(early.now_or_never().is_none(), "{method} {path}");
    }
    let mut early = Box::pin(get(&api, "/v1/services/hello"));
    assert!(futures::poll!(&mut early).is_pending());
    plane.insert(asleep("hello"));
    plane.readiness.send_replace(true);
    assert_eq!(early.await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn who_comes_long_before_is_told_when_to_come_again() {
    let plane = FakePlane::new([asleep("hello")]);
    plane.readiness.send_replace(false);
    let answer = get(&api(&plane), "/v1/services/hello").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
}

struct One;

impl Metrics for One {
    fn write(&self, page: &mut Page<'_>) -> std::fmt::Result {
        page.counters("one", "How many", "of", [("these", 1_u64)])
    }
}

#[tokio::test]
async fn metrics_are_text_and_anybodys_to_add_to() {
    let plane = FakePlane::new([]);
    let options = Options { metrics: vec![Arc::new(One)], ..Options::default() };
    let answer = get(&api_with(&plane, options), "/metrics").await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = text(answer).await;
    assert_eq!(text, "# HELP one_total How many\n# TYPE one_total counter\none_total{of=\"these\"} 1\n");
}

#[tokio::test]
async fn other_methods_say_what_is_allowed() {
    let plane = FakePlane::new([asleep("a")]);
    let mut wrong = request("POST", "/v1/services/a", "");
    *wrong.method_mut() = Method::POST;
    let response = api(&plane).oneshot(wrong).await.unwrap();
    let allow = response.headers()[header::ALLOW].to_str().unwrap().to_owned();
    assert!(["GET", "PUT", "DELETE"].iter().all(|method| allow.contains(method)), "{allow}");
}

#[tokio::test]
async fn pages_of_others_change_nothing() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let from = |method: &str, path: &str, site: &str| {
        let mut request = request(method, path, "");
        request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
        let api = api.clone();
        async move { api.oneshot(request).await.unwrap().status() }
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(from("POST", "/v1/services/a/wake", site).await, StatusCode::FORBIDDEN);
        assert_eq!(from("DELETE", "/v1/services/a", site).await, StatusCode::FORBIDDEN);
        assert_eq!(from("GET", "/v1/services/a", site).await, StatusCode::OK);
    }
    assert_eq!(plane.wakes(), 0);
    assert_eq!(from("POST", "/v1/services/a/wake", "same-origin").await, StatusCode::FORBIDDEN);
    assert_eq!(plane.wakes(), 0, "not even a page of this very origin, unless it is the dashboard");
}

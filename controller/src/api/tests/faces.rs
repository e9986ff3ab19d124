//! `/{name}`, `/api/{name}`.

use super::TOKEN;
use super::api;
use super::api_with;
use super::call;
use super::get;
use super::request;
use super::text;
use crate::api::Options;
use crate::config::Secret;
use crate::plane::Plane;
use crate::plane::PlaneError;
use crate::testing::FakePlane;
use crate::testing::asleep;
use crate::testing::awake;
use crate::testing::condition;
use crate::tokens::Tokens;
use axum::body::Body;
use dormouse_manifests::Access;
use dormouse_state::ConditionType;
use dormouse_state::Desired;
use http::Request;
use http::StatusCode;
use http::header;
use serde_json::json;
use tower::ServiceExt as _;

#[tokio::test]
async fn scripts_of_old_keep_working() {
    let plane = FakePlane::new([asleep("hello"), awake("up")]);
    let api = api(&plane);
    let starting = json!({"status": "starting", "url": "http://hello.example.com:9060", "phase": "Asleep"});
    assert_eq!(call(&api, "GET", "/api/hello?status=true", "").await, (StatusCode::ACCEPTED, starting));
    assert_eq!(plane.wakes(), 0);
    let starting = json!({"status": "starting", "url": "http://hello.example.com:9060", "phase": "Waking"});
    assert_eq!(call(&api, "GET", "/api/hello", "").await, (StatusCode::ACCEPTED, starting.clone()));
    assert_eq!(call(&api, "GET", "/api/hello", "").await, (StatusCode::ACCEPTED, starting));
    assert_eq!(plane.wakes(), 1, "what is wanted awake is not asked for again");
    plane.make_ready("hello");
    let ready = json!({"status": "ready", "url": "http://hello.example.com:9060", "phase": "Awake"});
    assert_eq!(call(&api, "GET", "/api/hello", "").await, (StatusCode::OK, ready.clone()));
    assert_eq!(call(&api, "GET", "/api/hello?status=true", "").await, (StatusCode::OK, ready));
    let (status, body) = call(&api, "GET", "/api/nobody", "").await;
    assert_eq!(
        (status, body["reason"].as_str()),
        (StatusCode::NOT_FOUND, Some("no service `nobody` is declared"))
    );
    for bad in ["/api/Hello", "/api/a.b", "/api/%20", "/api/%ff", "/api/-a"] {
        let (status, body) = call(&api, "GET", bad, "").await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::BAD_REQUEST, Some("error")), "{bad}");
    }
}

#[tokio::test]
async fn scripts_of_old_are_told_why_not() {
    let plane = FakePlane::new([asleep("hello")]);
    let api = api(&plane);
    *plane.refuses.lock().unwrap() = Some(PlaneError::Unavailable("the table is throttled".into()));
    let (status, body) = call(&api, "GET", "/api/hello", "").await;
    assert_eq!(
        (status, body["reason"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("the table is throttled"))
    );
    *plane.refuses.lock().unwrap() = None;
    plane.update("hello", |view| {
        view.status.conditions =
            vec![condition(ConditionType::Degraded, true, "NoRoom", "the group is full")].into();
    });
    let (status, body) = call(&api, "GET", "/api/hello", "").await;
    assert_eq!(
        (status, body["reason"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("NoRoom: the group is full"))
    );
    assert_eq!(plane.service("hello").unwrap().status.desired, Desired::Awake, "it was woken all the same");
}

#[tokio::test]
async fn a_page_waits_and_then_leads_there() {
    let plane = FakePlane::new([asleep("hello")]);
    let api = api(&plane);
    let response = get(&api, "/hello?a=1&b=%3C").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers().clone();
    for (name, value) in [
        ("retry-after", "2"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(headers[name], value);
    }
    let html = text(response).await;
    assert!(
        html.contains("<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>"),
        "it asks again by itself, where no script does: {html}"
    );
    assert!(html.contains("hello is waking up"), "{html}");
    assert_eq!(plane.wakes(), 1);
    assert_eq!(plane.asked.lock().unwrap()[0].1.origin, "page");

    plane.make_ready("hello");
    let response = get(&api, "/hello?a=1&b=%3C").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "http://hello.example.com:9060/?a=1&b=%3C");
    let response = get(&api, "/hello/").await;
    assert_eq!(response.headers()[header::LOCATION], "http://hello.example.com:9060/");
}

#[tokio::test]
async fn a_head_request_wakes_nobody() {
    let plane = FakePlane::new([asleep("hello")]);
    let response = api(&plane).oneshot(request("HEAD", "/hello", "")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(plane.wakes(), 0);
}

#[tokio::test]
async fn a_page_of_nobody_is_escaped() {
    let plane = FakePlane::new([]);
    let api = api(&plane);
    let response = get(&api, "/%3Cscript%3Ealert(1)%3C%2Fscript%3E%22'").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let html = text(response).await;
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"), "{html}");
    assert!(!html.contains("<script"), "{html}");
    assert_eq!(plane.wakes(), 0);
    assert_eq!(get(&api, "/favicon.ico").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(text(get(&api, "/robots.txt").await).await, "User-agent: *\nDisallow: /\n");
}

#[tokio::test]
async fn some_services_are_woken_with_a_token_only() {
    let mut view = asleep("a");
    view.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view]);
    for options in
        [Options::default(), Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() }]
    {
        let api = api_with(&plane, options);
        for path in ["/a", "/api/a"] {
            assert_eq!(get(&api, path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(plane.wakes(), 0);
    let api = api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    let request =
        Request::get("/api/a").header("authorization", format!("Bearer {TOKEN}")).body(Body::empty());
    assert_eq!(api.oneshot(request.unwrap()).await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(plane.wakes(), 1);
}

#[tokio::test]
async fn the_cookie_of_a_link_wakes_its_service_here_too() {
    let mut view = asleep("a");
    view.spec.wake.access = Access::Token;
    let mut other = asleep("b");
    other.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view, other]);
    let passes =
        crate::passes::Passes::new(Secret::new("a key"), std::sync::Arc::new(crate::clock::SystemClock));
    let pass = passes.enter("a", &passes.link("a").0).unwrap();
    let options =
        Options { tokens: Tokens::admin(Secret::new(TOKEN)), passes: Some(passes), ..Options::default() };
    let api = api_with(&plane, options);
    let open = |path: &str| {
        let request = Request::get(path).header("cookie", format!("x=y; dormouse_pass={pass}"));
        api.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    assert_eq!(open("/b").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(open("/v1/services").await.unwrap().status(), StatusCode::UNAUTHORIZED, "it is no token");
    assert_eq!(plane.wakes(), 0);
    assert_eq!(open("/a").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE, "the waiting page");
    assert_eq!(plane.wakes(), 1);
}

//! Requests that are answered without a service.

use super::rig::{PEER, Raw, Rig, TOKEN, echo, get, rig, rig_of, text, until};
use crate::activator::Limits;
use crate::metrics::{self, Metrics};
use crate::testing::asleep;
use axum::body::Body;
use dormouse_manifests::Access;
use http::{Method, Request, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

fn asks(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = get(path);
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn a_browser_gets_the_waiting_page_at_once() {
    let rig = rig().await;
    for headers in [&[HTML][..], &[HTML, ("sec-fetch-mode", "navigate")]] {
        let page = rig.call(asks("/deep/link?x=1", headers)).await;
        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
        for (name, value) in [
            ("retry-after", "2"),
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex"),
            ("x-dormouse-state", "waking"),
        ] {
            assert_eq!(page.headers()[name], value);
        }
        let html = text(page).await;
        assert!(
            html.contains("<meta http-equiv=\"refresh\" content=\"2\">"),
            "it comes back to the same address: {html}"
        );
    }
    until(|| rig.plane.wakes() == 1).await;
    assert_eq!(rig.plane.asked.lock().unwrap()[0].1.origin, "page");
    until(|| rig.in_use() == 0).await;
}

#[tokio::test]
async fn what_is_no_navigation_is_held() {
    let rig = rig().await;
    let post = || {
        let mut post = asks("/", &[HTML]);
        *post.method_mut() = Method::POST;
        post
    };
    let held = [
        rig.spawn(asks("/", &[HTML, ("sec-fetch-mode", "cors")])),
        rig.spawn(asks("/", &[("accept", "*/*")])),
        rig.spawn(asks("/", &[])),
        rig.spawn(post()),
    ];
    rig.until_held(held.len()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    for one in held {
        assert_eq!(one.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn without_a_page_browsers_are_held_too() {
    let mut view = asleep("hello");
    view.spec.wake.page = false;
    let rig = rig_of([view], Limits::default()).await;
    let held = rig.spawn(asks("/", &[HTML]));
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(held.await.unwrap().0, 200);
}

#[tokio::test]
async fn some_requests_wake_nobody() {
    let mut view = asleep("hello");
    view.spec.wake.ignore.paths.push("/health*".into());
    view.spec.wake.ignore.user_agents.push("*bot*".into());
    let rig = rig_of([view], Limits::default()).await;
    for (path, headers, status, body) in [
        ("/favicon.ico", &[][..], 204, ""),
        ("/robots.txt", &[], 200, "User-agent: *\nDisallow: /\n"),
        ("/healthz?full=1", &[], 200, "asleep\n"),
        ("/", &[("user-agent", "GoogleBot/2.1")], 200, "asleep\n"),
        ("/", &[HTML, ("user-agent", "a bot")], 200, "asleep\n"),
    ] {
        let response = rig.call(asks(path, headers)).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["x-dormouse-state"], "asleep");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(text(response).await, body, "{path}");
    }
    let guess = rig.call(asks("/", &[HTML, ("sec-purpose", "prefetch;prerender")])).await;
    assert_eq!(guess.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(rig.plane.wakes(), 0);
    // Once it is awake, all of them are its own business.
    rig.plane.make_ready("hello");
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(text(rig.call(get("/robots.txt")).await).await, "GET /robots.txt\n");
}

#[tokio::test]
async fn some_services_are_woken_with_a_token_only() {
    let mut view = asleep("hello");
    view.spec.wake.access = Access::Token;
    let rig = rig_of([view], Limits::default()).await;
    for headers in [&[][..], &[HTML], &[("authorization", "Bearer other")], &[("authorization", "Basic x")]] {
        let response = rig.call(asks("/", headers)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(response.headers()["x-dormouse-state"], "asleep");
    }
    assert_eq!(rig.plane.wakes(), 0);
    let shown = format!("Bearer {TOKEN}");
    let held = rig.spawn(asks("/", &[("authorization", &shown)]));
    rig.until_held(1).await;
    assert_eq!(rig.plane.wakes(), 1);
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(held.await.unwrap().0, 200);
}

async fn status(rig: &Rig, head: &str) -> String {
    let mut caller = Raw::open(rig, head).await;
    caller.hear("\r\n").await.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn other_hosts_wake_nobody() {
    let rig = rig().await;
    for (head, expected) in [
        ("Host: nobody.example.com\r\n", "404"),
        ("Host: example.com\r\n", "404"),
        ("Host: hello.example.org\r\n", "404"),
        ("Host: 127.0.0.1:9060\r\n", "404"),
        ("Host: [2001:db8::1]:9060\r\n", "404"),
        ("Host: user@hello.example.com\r\n", "400"),
        ("Host: \r\n", "400"),
        ("Host: hello.example.com\r\nHost: hello.example.com\r\n", "400"),
        ("", "400"),
    ] {
        assert_eq!(status(&rig, &format!("GET / HTTP/1.1\r\n{head}\r\n")).await, expected, "{head}");
    }
    let long = format!("GET / HTTP/1.1\r\nHost: hello.example.com\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert_eq!(status(&rig, &long).await, "431");
    let host = format!("GET / HTTP/1.1\r\nHost: {}.example.com\r\n\r\n", "x".repeat(60 * 1024));
    assert_eq!(status(&rig, &host).await, "404");
    assert_eq!(status(&rig, "\u{1}\u{2}garbage\r\n\r\n").await, "400");
    assert_eq!((rig.plane.wakes(), rig.in_use()), (0, 0));
}

#[tokio::test]
async fn a_browser_is_told_on_a_page_and_a_script_with_a_problem() {
    let rig = rig().await;
    let host = ("host", "nobody.example.com");
    let page = rig.call(asks("/", &[host, HTML])).await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(text(page).await.contains("<code>nobody</code>"));
    let problem = rig.call(asks("/", &[host])).await;
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert!(text(problem).await.contains("no service `nobody` is declared"));
}

#[tokio::test]
async fn numbers_are_counted() {
    let rig = rig().await;
    let _held = rig.spawn(get("/"));
    rig.until_held(1).await;
    let source: Arc<dyn Metrics> = rig.activator.clone();
    let text = metrics::text([&source]).unwrap();
    assert!(text.contains("\ndormouse_activator_held_requests 1\n"), "{text}");
    assert!(
        text.contains(
            "# TYPE dormouse_activator_requests_total counter\ndormouse_activator_requests_total 1\n"
        )
    );
}

#[tokio::test]
async fn one_address_wakes_so_often_and_no_more() {
    let mut view = asleep("hello");
    view.spec.wake.rate_limit = Some("2/h".parse().unwrap());
    let rig = rig_of([view], Limits::default()).await;
    let service = echo().await;
    rig.plane.set_backend("hello", Some(service.address));
    let sleep = || rig.plane.update("hello", |view| view.status.desired = dormouse_state::Desired::Asleep);
    for _ in 0..2 {
        assert_eq!(rig.call(get("/")).await.status(), StatusCode::OK);
        assert_eq!(rig.call(get("/")).await.status(), StatusCode::OK, "it is awake: nothing to pay for");
        sleep();
    }
    for headers in [&[][..], &[HTML]] {
        let refused = rig.call(asks("/", headers)).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
    }
    rig.plane.set_backend("hello", None);
    let page = rig.call(asks("/", &[HTML])).await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(rig.plane.wakes(), 2);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_not_waited_for() {
    let rig = rig().await;
    for text in
        ["", "P", "G", "GET / HTTP/1.1\r\nHost: hello", "GET / HTTP/1.1\r\nHost: hello.example.com\r\n"]
    {
        // Not over a socket: paused clocks run ahead of those.
        let (mut caller, io) = tokio::io::duplex(1024);
        caller.write_all(text.as_bytes()).await.unwrap();
        let began = Instant::now();
        Arc::clone(&rig.activator).connection(io, PEER, rig.stop.clone()).await;
        assert_eq!(began.elapsed(), Duration::from_secs(30), "{text}");
    }
    assert_eq!(rig.plane.wakes(), 0);
}

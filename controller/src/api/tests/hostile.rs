//! Callers who mean harm, or know no better.

use super::{TOKEN, api, api_with, call, request, text};
use crate::api::Options;
use crate::api::extract::Peer;
use crate::config::Secret;
use crate::plane::Plane as _;
use crate::refusals::Reason;
use crate::testing::{FakePlane, asleep};
use crate::tokens::Tokens;
use axum::body::Body;
use dormouse_manifests::Access;
use dormouse_peer::token::{self, Identity};
use dormouse_state::Desired;
use http::{Request, StatusCode, header};
use serde_json::json;
use std::net::IpAddr;
use tower::ServiceExt as _;

fn from(peer: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = request(method, path, "");
    request.extensions_mut().insert(Peer(peer.parse::<IpAddr>().unwrap()));
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn names_that_are_none() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let long = format!("/v1/services/{}", "a".repeat(60_000));
    for path in [
        "/v1/services/..%2F..%2Fetc%2Fpasswd",
        "/v1/services/%2e%2e",
        "/v1/services/a%00",
        "/v1/services/A",
        "/v1/services/%C3%A9",
        "/v1/services/%3Cscript%3E",
        &long,
    ] {
        let (status, problem) = call(&api, "GET", path, "").await;
        assert_eq!(
            (status, problem["type"].as_str()),
            (StatusCode::BAD_REQUEST, Some("urn:dormouse:invalid"))
        );
        assert!(problem.to_string().len() < 1_000, "a long one is not repeated");
    }
    for path in ["/v1/services/../services/a", "/v1/services//a", "/v1/../metrics", "//v1/services"] {
        let (status, _) = call(&api, "GET", path, "").await;
        assert!([400, 404].contains(&status.as_u16()), "{path}: {status}");
    }
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_tag() {
    let plane = FakePlane::new([]);
    let api = api(&plane);
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    for (method, path, body) in [
        ("GET", format!("/v1/services/{script}"), ""),
        ("GET", format!("/v1/services?{script}=1"), ""),
        ("POST", format!("/v1/services/a/wake?wait={script}"), ""),
        ("GET", format!("/v1/{script}"), ""),
        ("GET", format!("/api/{script}"), ""),
        ("GET", format!("/{script}"), ""),
        ("PUT", "/v1/services/a".to_owned(), "<script>alert(1)</script>"),
        ("PUT", "/v1/services/a".to_owned(), "kind: <script>alert(1)</script>"),
        ("POST", "/v1/heartbeat".to_owned(), "<script>alert(1)</script>"),
    ] {
        let mut request = request(method, &path, body);
        request.headers_mut().insert(header::ACCEPT, "text/html".parse().unwrap());
        let response = api.clone().oneshot(request).await.unwrap();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let answer = text(response).await;
        // What is no page says so, and no browser takes it for one.
        assert!(kind.contains("json") || !answer.contains("<script>alert"), "{path} {kind}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_taken_for_one() {
    let plane = FakePlane::new([]);
    let response = api(&plane).oneshot(request("GET", "/v1/services/a", "")).await.unwrap();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn pages_of_others_change_nothing() {
    let mut view = asleep("a");
    view.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view]);
    let api = api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    let shown = format!("Bearer {TOKEN}");
    for (method, path) in [
        ("POST", "/v1/services/a/wake"),
        ("POST", "/v1/services/a/sleep"),
        ("POST", "/v1/services/a/link"),
        ("PUT", "/v1/services/a"),
        ("DELETE", "/v1/services/a"),
    ] {
        for elsewhere in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://evil.example"), ("host", "dormouse.example:9070")],
            &[("origin", "null"), ("host", "dormouse.example:9070")],
            // Another port of the same host is another site's page: that of a service, say.
            &[("origin", "http://dormouse.example:9060"), ("host", "dormouse.example:9070")],
        ] {
            let headers = [elsewhere, &[("authorization", shown.as_str())]].concat();
            let response = api.clone().oneshot(from("203.0.113.1", method, path, &headers)).await.unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path} {elsewhere:?}");
        }
    }
    assert!(plane.service("a").is_some());
    assert_eq!(plane.wakes(), 0);
}

#[tokio::test]
async fn a_stranger_s_word_on_its_address_does_not_count() {
    let mut view = asleep("a");
    view.spec.wake.rate_limit = Some("1/h".parse().unwrap());
    let plane = FakePlane::new([view]);
    let trusted = ["10.0.0.0/8".parse::<crate::trust::Network>().unwrap()].into_iter().collect();
    let api = api_with(&plane, Options { trusted, ..Options::default() });
    let mut seen = Vec::new();
    for (peer, forwarded) in [
        ("203.0.113.1", "198.51.100.1"),
        ("203.0.113.1", "198.51.100.2"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.3"),
        ("10.0.0.1", "7.7.7.7, 198.51.100.3"),
    ] {
        let request = from(peer, "GET", "/api/a", &[("x-forwarded-for", forwarded)]);
        let response = api.clone().oneshot(request).await.unwrap();
        let retry = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        seen.push(response.status().as_u16());
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(retry.is_some_and(|seconds: u64| seconds > 60), "{retry:?}");
        }
        plane.update("a", |view| view.status.desired = Desired::Asleep);
    }
    assert_eq!(seen, [202, 429, 202, 429]);
    let reasons: Vec<String> =
        plane.asked.lock().unwrap().iter().map(|asked| asked.1.reason.clone()).collect();
    assert_eq!(reasons, ["GET /api/a from 203.0.113.1", "GET /api/a from 198.51.100.3"]);
    let noted = plane.noted.lock().unwrap();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert!(noted[0].2.contains(Reason::ClientRate.word()), "{noted:?}");
}

#[tokio::test]
async fn forged_heartbeats_are_not_heard() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let identity = Identity::parse("a:proxy:1:1").unwrap();
    let good = json!({"boot": "x", "seq": 1, "state": "serving"}).to_string();
    let forged = token::sign(b"another secret", &identity);
    for (shown, body, expected) in [
        (None, good.as_str(), 401),
        (Some("Bearer "), &good, 401),
        (Some("Basic task-token"), &good, 401),
        (Some("Bearer v1:a:proxy:1:1:"), &good, 401),
        (Some(&*format!("Bearer {forged}")), &good, 401),
        (Some("Bearer task-token"), "", 400),
        (Some("Bearer task-token"), "[]", 400),
        (Some("Bearer task-token"), r#"{"boot": "x", "seq": -1, "state": "serving"}"#, 400),
        (Some("Bearer task-token"), r#"{"boot": "x", "seq": 1, "state": "awake"}"#, 400),
        (Some("Bearer task-token"), &"[".repeat(10_000), 400),
        (Some("Bearer task-token"), &good, 200),
    ] {
        let mut request = request("POST", "/v1/heartbeat", body.to_owned());
        if let Some(shown) = shown {
            request.headers_mut().insert(header::AUTHORIZATION, shown.parse().unwrap());
        }
        let response = api.clone().oneshot(request).await.unwrap();
        let start: String = body.chars().take(50).collect();
        assert_eq!(response.status().as_u16(), expected, "{shown:?} {start}");
    }
}

#[tokio::test]
async fn links_are_for_those_who_may_make_them() {
    let mut view = asleep("a");
    view.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view, asleep("public")]);
    let passes =
        crate::passes::Passes::new(Secret::new("key"), std::sync::Arc::new(crate::clock::SystemClock));
    let options = Options {
        tokens: Tokens::admin(Secret::new(TOKEN)),
        passes: Some(passes.clone()),
        ..Options::default()
    };
    let router = api_with(&plane, options.clone());
    let shown = format!("Bearer {TOKEN}");
    let post = |path: &str, headers: &[(&str, &str)]| {
        let (router, request) = (router.clone(), from("10.0.0.1", "POST", path, headers));
        async move { router.oneshot(request).await.unwrap() }
    };
    let with = [("authorization", shown.as_str())];
    assert_eq!(post("/v1/services/a/link", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(post("/v1/services/public/link", &with).await.status(), StatusCode::CONFLICT);
    assert_eq!(post("/v1/services/nobody/link", &with).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(post("/v1/services/a/link?x=1", &with).await.status(), StatusCode::BAD_REQUEST);
    let made = post("/v1/services/a/link", &with).await;
    assert_eq!(
        (made.status(), &made.headers()["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().unwrap())
    );
    let link: serde_json::Value = serde_json::from_str(&text(made).await).unwrap();
    let token =
        link["url"].as_str().unwrap().strip_prefix("http://a.example.com:9060/?dormouse_token=").unwrap();
    assert!(link["expiresAt"].is_string());
    assert!(passes.enter("a", token).is_ok());
    // Without a token of its own, the API would let anybody make them.
    let open = api_with(&plane, Options { tokens: Tokens::default(), ..options });
    let response = open.oneshot(from("10.0.0.1", "POST", "/v1/services/a/link", &[])).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
}

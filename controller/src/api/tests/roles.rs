//! What each token lets do, and what is written down of it.

use super::{api_with, request, text};
use crate::api::Options;
use crate::config::Secret;
use crate::testing::{FakePlane, asleep};
use crate::tokens::{Bearer, Role, Tokens};
use axum::Router;
use axum::body::Body;
use dormouse_manifests::Access;
use http::{Response, header};
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::MakeWriter;

const MANIFEST: &str = r#"{"apiVersion": "dormouse.dev/v1", "kind": "Service", "metadata": {"name": "new"},
    "spec": {"image": "nginx"}}"#;

fn tokens() -> Tokens {
    let token = |name: &str, role, secret| (Bearer { name: name.into(), role }, Secret::new(secret));
    Tokens::new([
        token("admin", Role::Admin, "token-of-admin"),
        token("ci", Role::Wake, "token-of-ci"),
        token("grafana", Role::Read, "token-of-grafana"),
    ])
}

fn api(plane: &Arc<FakePlane>) -> Router {
    api_with(plane, Options { tokens: tokens(), ..Options::default() })
}

async fn ask(router: &Router, who: &str, method: &str, path: &str) -> Response<Body> {
    let body = if method == "PUT" { MANIFEST } else { "" };
    let mut request = request(method, path, body);
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer token-of-{who}").parse().unwrap());
    router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn each_token_lets_do_what_its_role_says() {
    for (method, path, statuses) in [
        ("GET", "/v1/services", [200, 200, 200, 401]),
        ("GET", "/metrics", [200, 200, 200, 401]),
        ("POST", "/v1/services/a/wake", [403, 202, 202, 401]),
        ("POST", "/v1/services/a/sleep", [403, 202, 202, 401]),
        ("PUT", "/v1/services/new", [403, 403, 201, 401]),
        ("DELETE", "/v1/services/a", [403, 403, 202, 401]),
        ("DELETE", "/v1/templates/a", [403, 403, 404, 401]),
    ] {
        for (who, status) in ["grafana", "ci", "admin", "nobody"].into_iter().zip(statuses) {
            let plane = FakePlane::new([asleep("a")]);
            let answer = ask(&api(&plane), who, method, path).await;
            assert_eq!(answer.status().as_u16(), status, "{who} {method} {path}");
            assert!(status < 400 || plane.wakes() == 0, "{who} {method} {path}");
        }
    }
}

#[tokio::test]
async fn who_may_not_is_told_what_is_needed() {
    let plane = FakePlane::new([asleep("a")]);
    let answer = ask(&api(&plane), "ci", "DELETE", "/v1/services/a").await;
    let problem: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(problem["needs"], "admin");
    let words = "the token `ci` has the role `wake`; this needs `admin` (DORMOUSE_API_TOKEN)";
    assert_eq!(problem["detail"], words);
}

#[tokio::test]
async fn a_service_that_asks_for_a_token_asks_for_one_that_may_wake() {
    for (who, status) in [("grafana", 401), ("ci", 202), ("admin", 202), ("nobody", 401)] {
        let mut service = asleep("a");
        service.spec.wake.access = Access::Token;
        let answer = ask(&api(&FakePlane::new([service])), who, "GET", "/api/a").await;
        assert_eq!(answer.status().as_u16(), status, "{who}");
    }
}

#[tokio::test]
async fn a_browser_that_has_logged_in_may_what_its_token_may() {
    for (who, status) in [("grafana", 403), ("ci", 202)] {
        let api = api(&FakePlane::new([asleep("a")]));
        let mut login = request("POST", "/.dormouse/login", format!("token=token-of-{who}"));
        login
            .headers_mut()
            .insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        let login = api.clone().oneshot(login).await.unwrap();
        let cookie =
            login.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let with_cookie = |method: &str, path: &str| {
            let mut request = request(method, path, "");
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
            request
        };
        let page = text(api.clone().oneshot(with_cookie("GET", "/")).await.unwrap()).await;
        let (_, proof) = page.split_once("<meta name=\"proof\" content=\"").expect("the page has a proof");
        let proof = proof.split('"').next().unwrap();
        let mut wake = with_cookie("POST", "/v1/services/a/wake");
        wake.headers_mut().insert("x-dormouse-proof", proof.parse().unwrap());
        assert_eq!(api.clone().oneshot(wake).await.unwrap().status().as_u16(), status, "{who}");
    }
}

/// What is logged, as one text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

// One thread: the log is its.
#[tokio::test]
async fn what_changes_something_is_written_down_and_what_looks_is_not() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // A line that another test's thread, which has no log, is the first to reach is switched off for all, once.
    for _ in 0..1000 {
        if !log.0.lock().unwrap().is_empty() {
            break;
        }
        tracing::callsite::rebuild_interest_cache();
        ask(&api(&FakePlane::new([])), "nobody", "DELETE", "/v1/services/a").await;
    }
    log.0.lock().unwrap().clear();
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    for (who, method, path) in [
        ("admin", "PUT", "/v1/services/new"),
        ("ci", "POST", "/v1/services/a/wake"),
        ("grafana", "DELETE", "/v1/services/a"),
        ("nobody", "DELETE", "/v1/services/a"),
        ("admin", "GET", "/v1/services"),
        ("admin", "DELETE", "/v1/services/a"),
    ] {
        ask(&api, who, method, path).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" audit: ")).collect();
    let expected = [
        ["PUT /v1/services/new from 0.0.0.0", "who=\"admin (admin)\"", "status=201"],
        ["POST /v1/services/a/wake from 0.0.0.0", "who=\"ci (wake)\"", "status=202"],
        ["DELETE /v1/services/a from 0.0.0.0", "who=\"grafana (read)\"", "status=403"],
        ["DELETE /v1/services/a from 0.0.0.0", "who=\"nobody known\"", "status=401"],
        ["DELETE /v1/services/a from 0.0.0.0", "who=\"admin (admin)\"", "status=202"],
    ];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (line, words) in lines.iter().zip(expected) {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    assert!(!log.contains("token-of"), "{log}");
    // A service's own history has it, too: the wake's cause, and an event of what else changed it.
    let asked = plane.asked.lock().unwrap();
    assert_eq!(asked[0].1.reason, "POST /v1/services/a/wake from 0.0.0.0, by ci (wake)");
    let noted = plane.noted.lock().unwrap();
    let noted: Vec<(&str, &str, &str)> =
        noted.iter().map(|(name, reason, words)| (name.as_str(), *reason, words.as_str())).collect();
    assert_eq!(
        noted,
        [
            ("new", "Audit", "PUT /v1/services/new from 0.0.0.0, by admin (admin)"),
            ("a", "Audit", "DELETE /v1/services/a from 0.0.0.0, by admin (admin)"),
        ]
    );
}

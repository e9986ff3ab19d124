//! Who wakes a service, and who does not.

use super::rig::{Rig, TOKEN, echo, get, rig, rig_of, rig_under, text, until};
use crate::activator::{Limits, Options};
use crate::clock::SystemClock;
use crate::config::Secret;
use crate::metrics::{self, Metrics};
use crate::passes::Passes;
use crate::plane::PlaneError;
use crate::testing::{asleep, awake};
use axum::body::Body;
use dormouse_core::view::ServiceView;
use dormouse_manifests::Access;
use dormouse_state::Desired;
use http::header::{self, HeaderMap};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;

const HTML: (&str, &str) = ("accept", "text/html");

fn asks(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = get(path);
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn who_will_not_wait_is_told_where_to_look() {
    let rig = rig_under([asleep("hello")], |options| {
        options.api_url = Some("http://10.0.0.9:9070".into());
    })
    .await;
    let prefers = |value: &str| asks("/", &[("prefer", value), HTML]);
    for value in ["respond-async", "wait=5, Respond-Async;x=1"] {
        let response = rig.call(prefers(value)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{value}");
        for (name, expected) in [
            ("location", "http://10.0.0.9:9070/api/hello?status=true"),
            ("preference-applied", "respond-async"),
            ("x-dormouse-state", "waking"),
            ("retry-after", "2"),
        ] {
            assert_eq!(response.headers()[name], expected);
        }
        assert!(text(response).await.contains("the request was not kept"));
    }
    until(|| rig.plane.wakes() == 1).await;
    let other = rig.call(prefers("return=minimal")).await;
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE, "the waiting page");
    // It is there: nothing to wait for.
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(rig.call(prefers("respond-async")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn ignored_methods_wake_nobody() {
    let mut view = asleep("hello");
    view.spec.wake.ignore.methods = vec!["HEAD".into(), "OPTIONS".into()];
    let rig = rig_of([view], Limits::default()).await;
    for method in [Method::HEAD, Method::OPTIONS] {
        let mut request = get("/");
        *request.method_mut() = method;
        let response = rig.call(request).await;
        assert_eq!(
            (response.status(), &response.headers()["x-dormouse-state"]),
            (StatusCode::OK, &"asleep".parse().unwrap())
        );
    }
    assert_eq!(rig.plane.wakes(), 0);
}

fn metric(rig: &Rig, reason: &str) -> u64 {
    let source: Arc<dyn Metrics> = Arc::new(rig.activator.waker.clone());
    let out = metrics::text([&source]).unwrap();
    let line = out.lines().find(|line| line.contains(&format!("reason=\"{reason}\"")));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

async fn problem(response: Response<Incoming>) -> (u16, Option<u64>, serde_json::Value) {
    let status = response.status().as_u16();
    let retry = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (status, retry, serde_json::from_str(&text(response).await).unwrap())
}

#[tokio::test]
async fn all_clients_together_wake_so_often_and_no_more() {
    let mut view = asleep("hello");
    view.spec.wake.service_rate_limit = Some("1/h".parse().unwrap());
    let rig = rig_of([view], Limits::default()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(rig.call(get("/")).await.status(), StatusCode::OK);
    rig.plane.update("hello", |view| view.status.desired = Desired::Asleep);
    for count in 1..=3 {
        let (status, retry, body) = problem(rig.call(get("/")).await).await;
        assert_eq!((status, body["reason"].as_str()), (429, Some("service-rate")));
        assert!((1..=3601).contains(&retry.unwrap()));
        assert_eq!(metric(&rig, "service-rate"), count);
    }
    let noted = rig.plane.noted.lock().unwrap();
    assert_eq!(noted.len(), 1, "told once a minute: {noted:?}");
    assert_eq!((noted[0].0.as_str(), noted[0].1), ("hello", "Refused"));
    assert_eq!(noted[0].2, "a request did not wake it (service-rate): GET / from 127.0.0.1");
}

#[tokio::test]
async fn a_day_has_so_many_wakes() {
    let rig = rig().await;
    *rig.plane.refuses.lock().unwrap() = Some(PlaneError::Spent {
        detail: "requests have woken it 3 times today (spec.wake.dailyBudget)".into(),
        retry_after: Duration::from_secs(7200),
    });
    // Whoever would get a page is told as well.
    for headers in [&[][..], &[HTML], &[("prefer", "respond-async")]] {
        let (status, retry, body) = problem(rig.call(asks("/", headers)).await).await;
        assert_eq!((status, retry, body["reason"].as_str()), (429, Some(7201), Some("daily-budget")));
        assert!(body["detail"].as_str().unwrap().contains("3 times today"));
    }
    assert_eq!(metric(&rig, "daily-budget"), 3);
}

/// A service that asks for a token, and who makes links to it.
async fn guarded() -> (Rig, Arc<Passes>) {
    let mut view = asleep("hello");
    view.spec.wake.access = Access::Token;
    let passes = Passes::new(Secret::new("0123456789"), Arc::new(SystemClock));
    let given = Arc::clone(&passes);
    let rig = rig_under([view, asleep("other")], |options| options.passes = Some(given)).await;
    (rig, passes)
}

fn linked(passes: &Passes, path: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}dormouse_token={}", passes.link("hello").0)
}

fn cookie(headers: &HeaderMap) -> String {
    headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_lets_a_browser_in() {
    let (rig, passes) = guarded().await;
    let link = linked(&passes, "/deep/page?x=1");
    let entered = rig.call(asks(&link, &[HTML])).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert_eq!(entered.headers()["location"], "/deep/page?x=1");
    let set = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    assert_eq!(rig.plane.wakes(), 0, "the next request does that");
    let pass = cookie(entered.headers());
    // Used up, for whoever finds it; its own browser is just led on.
    assert_eq!(rig.call(asks(&link, &[HTML])).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(rig.call(asks(&link, &[HTML, ("cookie", &pass)])).await.status(), StatusCode::SEE_OTHER);
    let page = rig.call(asks("/deep/page?x=1", &[HTML, ("cookie", &pass)])).await;
    assert_eq!((page.status(), rig.plane.wakes()), (StatusCode::SERVICE_UNAVAILABLE, 1));
    // The service sees nothing of it.
    let service = echo().await;
    rig.plane.make_ready("hello");
    rig.plane.set_backend("hello", Some(service.address));
    let cookies = format!("a=1; {pass}; b=2");
    let response = rig.call(asks("/", &[("cookie", &cookies)])).await;
    assert_eq!(response.headers()["x-got-cookie"], "a=1; b=2");
    let response = rig.call(asks("/", &[("cookie", &pass)])).await;
    assert!(!response.headers().contains_key("x-got-cookie"));
}

#[tokio::test]
async fn what_only_looks_at_a_link_does_not_use_it_up() {
    let (rig, passes) = guarded().await;
    let link = linked(&passes, "/");
    for headers in [&[][..], &[("accept", "*/*")], &[HTML, ("purpose", "prefetch")]] {
        assert_eq!(rig.call(asks(&link, headers)).await.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    assert_eq!(rig.call(asks(&link, &[HTML])).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_link_leads_nowhere_else() {
    let (rig, passes) = guarded().await;
    for (path, expected) in [
        ("//evil.example/x", "/evil.example/x"),
        ("///evil.example", "/evil.example"),
        ("/..//a?", "/..//a?"),
    ] {
        let request = Request::get(format!("http://hello.example.com{}", linked(&passes, path)));
        let request = request.header("accept", "text/html").body(Body::empty()).unwrap();
        let response = rig.answer(request).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        let place = response.headers()["location"].to_str().unwrap();
        assert!(place.starts_with('/') && !place.starts_with("//"), "{place}");
        assert!(place.starts_with(expected.trim_end_matches('?')), "{place}");
    }
}

#[tokio::test]
async fn forged_and_foreign_passes_let_nobody_in() {
    let (rig, passes) = guarded().await;
    let entered = rig.call(asks(&linked(&passes, "/"), &[HTML])).await;
    let pass = cookie(entered.headers());
    let elsewhere = Passes::new(Secret::new("another key"), Arc::new(SystemClock));
    let foreign = elsewhere.enter("hello", &elsewhere.link("hello").0).unwrap();
    for wrong in [
        format!("{pass}0"),
        pass.replace("hello", "other"),
        format!("dormouse_pass={foreign}"),
        format!("dormouse_pass={}", passes.link("hello").0),
        "dormouse_pass=".to_owned(),
    ] {
        let response = rig.call(asks("/", &[HTML, ("cookie", &wrong)])).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(rig.plane.wakes(), 0);
    assert_eq!(metric(&rig, "no-token"), 5);
    let shown = format!("Bearer {TOKEN}");
    let _held = rig.spawn(asks("/", &[("authorization", &shown)]));
    rig.until_held(1).await;
}

/// Behind a load balancer, which is who connects.
async fn behind(networks: &str, view: ServiceView) -> Rig {
    let trusted = networks.split(',').filter_map(|network| network.parse::<crate::trust::Network>().ok());
    let trusted = trusted.collect();
    rig_under([view], |options: &mut Options| options.trusted = trusted).await
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let mut view = asleep("hello");
    view.spec.wake.rate_limit = Some("1/h".parse().unwrap());
    for (networks, told_apart) in [("127.0.0.0/8", true), ("", false)] {
        let rig = behind(networks, view.clone()).await;
        let service = echo().await;
        rig.plane.set_backend("hello", Some(service.address));
        let mut statuses = Vec::new();
        for client in ["198.51.100.1", "198.51.100.2", "198.51.100.1"] {
            let response = rig.call(asks("/", &[("x-forwarded-for", client)])).await;
            if response.status() == StatusCode::OK {
                let got = response.headers()["x-got-x-forwarded-for"].to_str().unwrap().to_owned();
                let expected = if told_apart { format!("{client}, 127.0.0.1") } else { "127.0.0.1".into() };
                assert_eq!(got, expected);
            }
            statuses.push(response.status().as_u16());
            rig.plane.update("hello", |view| view.status.desired = Desired::Asleep);
        }
        assert_eq!(statuses, if told_apart { [200, 200, 429] } else { [200, 429, 429] });
        let reason = rig.plane.asked.lock().unwrap()[0].1.reason.clone();
        let from = if told_apart { "198.51.100.1" } else { "127.0.0.1" };
        assert_eq!(reason, format!("GET / from {from}"));
    }
}

#[tokio::test]
async fn what_is_awake_needs_no_token() {
    let mut view = awake("hello");
    view.spec.wake.access = Access::Token;
    let rig = rig_of([view], Limits::default()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(rig.call(get("/")).await.status(), StatusCode::OK);
}

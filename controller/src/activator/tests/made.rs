//! Services that a template makes of a request.

use super::rig::{Rig, rig_of};
use crate::activator::Limits;
use crate::plane::{Plane as _, PlaneError};
use crate::testing::asleep;
use axum::body::Body;
use dormouse_manifests::{RateLimit, ServiceSpec, ServiceTemplate};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;

async fn rig(change: impl FnOnce(&mut ServiceTemplate)) -> Rig {
    let rig = rig_of([asleep("hello")], Limits::default()).await;
    let mut template =
        ServiceTemplate::new("preview", "preview-*", ServiceSpec::defaults_for("shop:{match}"));
    // Nothing answers here: whoever is held is told so at once.
    template.spec.template.wake.hold = Duration::ZERO;
    change(&mut template);
    rig.plane.declare_template(template).await.unwrap();
    rig
}

async fn ask(rig: &Rig, name: &str, accept: &str) -> Response<Body> {
    let request =
        Request::get("/").header("host", format!("{name}.example.com:9060")).header("accept", accept);
    let request = request.body(Body::empty()).unwrap();
    Arc::clone(&rig.activator).answer(super::rig::PEER, request).await
}

#[tokio::test]
async fn a_request_makes_and_wakes_it() {
    let rig = rig(|_| {}).await;
    assert_eq!(ask(&rig, "preview-42", "*/*").await.status(), StatusCode::GATEWAY_TIMEOUT, "it is held");
    assert_eq!(rig.plane.service("preview-42").unwrap().spec.image.as_deref(), Some("shop:42"));
    assert_eq!(rig.plane.wakes(), 1);
    let page = ask(&rig, "preview-43", "text/html").await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(rig.plane.service("preview-43").is_some());
    assert_eq!(ask(&rig, "other-42", "*/*").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_does_not_wake_makes_nothing() {
    let rig = rig(|template| template.spec.template.wake.access = dormouse_manifests::Access::Token).await;
    assert_eq!(ask(&rig, "preview-42", "*/*").await.status(), StatusCode::UNAUTHORIZED);
    assert!(rig.plane.service("preview-42").is_none());
}

#[tokio::test]
async fn a_stranger_who_thinks_of_many_names_is_limited_like_one_who_wakes_one_service() {
    let limit = RateLimit { count: 2, per: Duration::from_secs(3600) };
    let rig = rig(|template| template.spec.template.wake.rate_limit = Some(limit)).await;
    for (name, status) in [("preview-1", 504), ("preview-2", 504), ("preview-3", 429), ("preview-4", 429)] {
        assert_eq!(ask(&rig, name, "*/*").await.status().as_u16(), status, "{name}");
    }
    assert!(rig.plane.service("preview-3").is_none());
}

#[tokio::test]
async fn a_template_that_makes_no_more_says_so() {
    let rig = rig(|template| template.spec.template.wake.hold = Duration::from_secs(60)).await;
    *rig.plane.refuses.lock().unwrap() = Some(PlaneError::Full("no more".into()));
    let refused = ask(&rig, "preview-42", "*/*").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("`preview-42` cannot be woken: no more"), "{body:?}");
}

#[tokio::test]
async fn what_was_declared_elsewhere_a_moment_ago_is_looked_for() {
    let rig = rig(|_| {}).await;
    *rig.plane.elsewhere.lock().unwrap() = Some(asleep("new"));
    assert_eq!(ask(&rig, "newer", "*/*").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&rig, "new", "text/html").await.status(), StatusCode::SERVICE_UNAVAILABLE, "it waits");
    assert_eq!(rig.plane.wakes(), 1);
}

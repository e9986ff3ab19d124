//! `/v1/watch`.

use super::api_with;
use super::get;
use crate::api::Options;
use crate::plane::Plane as _;
use crate::testing::FakePlane;
use crate::testing::asleep;
use crate::testing::awake;
use axum::body::Body;
use dormouse_manifests::{ServiceSpec, ServiceTemplate};
use dormouse_state::Phase;
use http::header;
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;

async fn frames(body: &mut Body, until: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(until) {
        let frame = body.frame().await.expect("more to come").unwrap();
        seen.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_watch_lists_follows_catches_up_and_ends() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let stop = CancellationToken::new();
    let router = api_with(&plane, Options { stop: stop.clone(), ..Options::default() });
    let response = get(&router, "/v1/watch").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut all = response.into_body();
    let seen = frames(&mut all, "\"name\":\"b\"").await;
    assert!(seen.starts_with("event: service\ndata: {\"apiVersion\""), "{seen}");
    let mut only = get(&router, "/v1/watch?name=b").await.into_body();
    assert!(!frames(&mut only, "\"name\":\"b\"").await.contains("\"name\":\"a\""));

    plane.update("a", |view| view.status.phase = Phase::Waking);
    frames(&mut all, "\"phase\":\"Waking\"").await;
    plane.remove("a");
    frames(&mut all, "event: deleted\ndata: {\"metadata\":{\"name\":\"a\"}}").await;
    let spec = ServiceSpec::defaults_for("demo");
    plane.declare_template(ServiceTemplate::new("t", "t-*", spec)).await.unwrap();
    frames(&mut all, "event: templates\ndata: {\"changes\":1}").await;
    // More changes than the channel keeps.
    for count in 0..100 {
        plane.update("b", |view| view.status.activity.in_flight = count);
    }
    frames(&mut all, "\"inFlight\":99").await;
    frames(&mut only, "\"inFlight\":99").await;
    // Nothing happens: a comment tells that somebody is there.
    frames(&mut only, ":\n\n").await;
    stop.cancel();
    while let Some(frame) = all.frame().await {
        frame.unwrap();
    }
}

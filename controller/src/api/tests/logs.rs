//! `/v1/services/{name}/logs`.

use super::{api, api_with, call};
use crate::api::Options;
use crate::testing::{FakeLogs, FakePlane, asleep, awake, wrote};
use axum::Router;
use dormouse_aws::ports::CloudError;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// `up` was woken five minutes ago, `hello` never.
fn with(logs: &Arc<FakeLogs>) -> Router {
    let plane = FakePlane::new([asleep("hello"), awake("up")]);
    api_with(&plane, Options { logs: Some(logs.reader()), ..Options::default() })
}

fn written() -> Arc<FakeLogs> {
    FakeLogs::new([
        wrote(400, "up/app/t0", "before"),
        wrote(200, "up/app/t1", "hi\n"),
        wrote(100, "up/dormouse-proxy/t2", "forwards"),
        wrote(50, "up/dormouse-service/t1", "probes"),
        wrote(20, "up-2/app/t3", "another's"),
    ])
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lines_of_all_containers_since_the_last_wake_unless_others_are_asked_for() {
    let router = with(&written());
    for (query, expected, older) in [
        ("", &["hi", "forwards", "probes"][..], false),
        ("?container=app", &["hi"], false),
        ("?container=proxy", &["forwards"], false),
        ("?container=service", &["probes"], false),
        ("?container=all&tail=2", &["forwards", "probes"], true),
        ("?tail=0", &[], true),
        ("?since=2m", &["forwards", "probes"], false),
        ("?since=1h&container=app", &["before", "hi"], false),
        ("?since=2026-01-01T11:59:00Z", &["probes"], false),
        ("?since=previous-wake", &[], false),
    ] {
        let (status, answer) = call(&router, "GET", &format!("/v1/services/up/logs{query}"), "").await;
        assert_eq!((status, messages(&answer)), (StatusCode::OK, expected.to_vec()), "{query}");
        assert_eq!(answer["older"], older, "{query}");
    }
    let (_, answer) = call(&router, "GET", "/v1/services/up/logs?container=app", "").await;
    let line = json!({
        "id": "up/app/t1@200:hi\n", "at": "2026-01-01T11:56:40Z", "container": "app", "task": "t1", "message": "hi",
    });
    assert_eq!(answer, json!({"items": [line], "older": false}));
}

#[tokio::test]
async fn who_sleeps_or_has_written_nothing_says_so() {
    let router = with(&written());
    let (_, answer) = call(&router, "GET", "/v1/services/hello/logs", "").await;
    let asleep = "hello is asleep, and was never awake";
    assert_eq!(answer, json!({"items": [], "older": false, "asleep": asleep}));
    let (_, answer) = call(&router, "GET", "/v1/services/up/logs?since=1s", "").await;
    assert_eq!(answer, json!({"items": [], "older": false, "nothing": "nothing was written in that time"}));
}

#[tokio::test]
async fn what_is_in_the_way_is_told() {
    let (logs, refused) = (written(), written());
    *refused.refuses.lock().unwrap() =
        Some(CloudError::NotFound { operation: "logs:FilterLogEvents", message: "no group".into() });
    let throttled = written();
    *throttled.refuses.lock().unwrap() =
        Some(CloudError::Unknown { operation: "logs:FilterLogEvents", message: "time-out".into() });
    let nowhere = api(&FakePlane::new([awake("up")]));
    for (router, path, status, words) in [
        (&nowhere, "up/logs", 409, "set DORMOUSE_LOG_GROUP"),
        (&nowhere, "nobody/logs", 404, "no service `nobody` is declared"),
        (&with(&refused), "up/logs", 409, "there is no log group /dormouse/services (DORMOUSE_LOG_GROUP)"),
        (&with(&throttled), "up/logs", 503, "logs:FilterLogEvents was not answered: time-out"),
        (&with(&logs), "up/logs?container=web", 400, "give all, app, proxy, service"),
        (&with(&logs), "up/logs?since=yesterday", 400, "since cannot be \"yesterday\": give `wake`"),
        (&with(&logs), "up/logs?tail=10001", 400, "a number of lines, 10000 at most"),
        (&with(&logs), "up/logs?follow=true", 400, "container or since or tail"),
    ] {
        let (got, problem) = call(router, "GET", &format!("/v1/services/{path}"), "").await;
        assert_eq!(got.as_u16(), status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{path}: {problem}");
    }
}

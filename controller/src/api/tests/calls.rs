//! `/v1`.

use super::api;
use super::api_with;
use super::call;
use crate::api::Options;
use crate::plane::Plane;
use crate::testing::FakePlane;
use crate::testing::asleep;
use crate::testing::at;
use crate::testing::awake;
use dormouse_core::cost::Tariff;
use http::StatusCode;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn services_are_listed_and_shown() {
    let plane = FakePlane::new([asleep("b"), awake("a")]);
    let api = api(&plane);
    let (status, list) = call(&api, "GET", "/v1/services", "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert_eq!(list["items"][1]["status"]["phase"], "Asleep");
    let (status, view) = call(&api, "GET", "/v1/services/a", "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(view["apiVersion"], "dormouse.dev/v1");
    assert_eq!(view["status"]["conditions"][0]["type"], "Ready");
    assert_eq!(view["status"]["lastWake"]["durationMs"], 41_234);
}

const YAML: &str =
    "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata: {name: web}\nspec: {image: 'nginx:1.27'}\n";

#[tokio::test]
async fn a_manifest_is_declared_as_yaml_or_json() {
    let plane = FakePlane::new([]);
    let api = api(&plane);
    let (status, view) = call(&api, "PUT", "/v1/services/web", YAML).await;
    assert_eq!(status, StatusCode::CREATED, "{view}");
    assert_eq!(view["spec"]["image"], "nginx:1.27");
    let json = json!({
        "apiVersion": "dormouse.dev/v1", "kind": "Service",
        "metadata": {"name": "web", "labels": {"team": "a"}}, "spec": {"image": "nginx:1.28", "idleAfter": "5m"}
    });
    let (status, view) = call(&api, "PUT", "/v1/services/web", &json.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{view}");
    assert_eq!(view["spec"]["idleAfter"], "5m");
    assert_eq!(view["metadata"]["labels"]["team"], "a");
}

#[tokio::test]
async fn what_is_wrong_with_a_manifest_is_told_with_its_place() {
    let plane = FakePlane::new([]);
    let api = api(&plane);
    let (status, problem) = call(&api, "PUT", "/v1/services/web", &YAML.replace("image", "imgae")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let first = &problem["diagnostics"][0];
    assert_eq!((first["line"].as_u64(), first["severity"].as_str()), (Some(4), Some("error")), "{problem}");
    let (status, problem) = call(&api, "PUT", "/v1/services/other", YAML).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("the manifest is of `web`, the path of `other`"));
    let (_, problem) =
        call(&api, "PUT", "/v1/services/web", &format!("{YAML}---\n{}", YAML.replace("web", "b"))).await;
    assert!(problem["detail"].as_str().unwrap().contains("2 manifests"), "{problem}");
    assert!(plane.services().is_empty());
}

#[tokio::test]
async fn wake_and_sleep_answer_at_once() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let (status, view) = call(&api, "POST", "/v1/services/a/wake?for=2h", "").await;
    assert_eq!((status, view["status"]["desired"].as_str()), (StatusCode::ACCEPTED, Some("Awake")));
    let (status, view) = call(&api, "POST", "/v1/services/a/sleep", "").await;
    assert_eq!((status, view["status"]["desired"].as_str()), (StatusCode::ACCEPTED, Some("Asleep")));
    let asked = plane.asked.lock().unwrap();
    assert_eq!(asked[0].1.origin, "api");
    assert!(asked[0].1.reason.starts_with("POST /v1/services/a/wake from "), "{}", asked[0].1.reason);
    assert_eq!(asked[0].2, Some(Duration::from_secs(7200)));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_it_is_so_or_in_time() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let router = api(&plane);
    let waiting = tokio::spawn({
        let router = router.clone();
        async move { call(&router, "POST", "/v1/services/a/wake?wait=60s", "").await }
    });
    while plane.wakes() == 0 {
        tokio::task::yield_now().await;
    }
    // Many changes of others in between: the receiver lags and looks again.
    for _ in 0..100 {
        plane.update("b", |view| view.status.activity.in_flight += 1);
    }
    plane.make_ready("a");
    let (status, view) = waiting.await.unwrap();
    assert_eq!((status, view["status"]["phase"].as_str()), (StatusCode::OK, Some("Awake")));

    let (status, problem) = call(&router, "POST", "/v1/services/a/sleep?wait=60s", "").await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(problem["service"]["status"]["phase"], "Draining");
    assert!(problem["detail"].as_str().unwrap().contains("was not asleep within 1m"));
}

#[tokio::test]
async fn waiting_ends_with_the_controller() {
    let plane = FakePlane::new([asleep("a")]);
    let stop = CancellationToken::new();
    let router = api_with(&plane, Options { stop: stop.clone(), ..Options::default() });
    stop.cancel();
    let (status, problem) = call(&router, "POST", "/v1/services/a/wake?wait=60s", "").await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("urn:dormouse:stopping"))
    );
}

#[tokio::test]
async fn deleting_is_accepted() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let (status, view) = call(&api, "DELETE", "/v1/services/a", "").await;
    assert_eq!((status, &view["metadata"]["deleting"]), (StatusCode::ACCEPTED, &json!(true)));
    assert_eq!(call(&api, "DELETE", "/v1/services/a", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn costs_are_those_of_the_months_since_they_are_kept() {
    let mut slept = asleep("a");
    slept.status.awake.add(at("2026-01-01T10:00:00Z"), at("2026-01-01T10:30:00Z"));
    let mut old = asleep("b");
    old.status.metered_since = None;
    let plane = FakePlane::new([slept, old]);
    let tariff =
        Tariff { instance_type: Some("t4g.xlarge".into()), tasks_per_instance: 3, ..Tariff::default() };
    let api = api_with(&plane, Options { tariff, ..Options::default() });
    let (status, report) = call(&api, "GET", "/v1/cost", "").await;
    assert_eq!(
        (status, &report["instanceType"], &report["month"]),
        (StatusCode::OK, &json!("t4g.xlarge"), &json!("2026-01"))
    );
    let month = &report["services"][0]["months"][0];
    assert_eq!((&month["month"], &month["awakeHours"]), (&json!("2026-01"), &json!(0.5)));
    // Two hours by the plane's clock.
    assert_eq!(month["asleepHours"], 1.5, "{report}");
    let (spent, saved) = (month["spent"].as_f64().unwrap(), month["saved"].as_f64().unwrap());
    assert!(spent > 0.0 && (saved - 3.0 * spent).abs() < 1e-9, "{report}");
    assert_eq!(report["services"][1]["months"], json!([]), "what was not kept is not made up");
    let (idle, lines) = (&report["idle"], report["idle"]["lines"].as_array().unwrap());
    let sum: f64 = lines.iter().filter_map(|line| line["dollars"].as_f64()).sum();
    assert!((idle["month"].as_f64().unwrap() - sum).abs() < 1e-9 && sum > 0.0, "{report}");
    assert!(idle["monthOnSpot"].as_f64().unwrap() < sum, "{report}");
}

#[tokio::test]
async fn who_has_no_cloud_examines_none() {
    let api = api(&FakePlane::new([]));
    let (status, problem) = call(&api, "GET", "/v1/doctor", "").await;
    assert_eq!((status, &problem["type"]), (StatusCode::NOT_IMPLEMENTED, &json!("urn:dormouse:no-doctor")));
}

#[tokio::test]
async fn history() {
    let plane = FakePlane::new([asleep("a")]);
    let api = api(&plane);
    let (_, events) = call(&api, "GET", "/v1/services/a/events", "").await;
    assert_eq!(events["items"][0]["reason"], "Woken");
    assert_eq!(events["items"][0]["service"], "a");
    let (_, instances) = call(&api, "GET", "/v1/instances", "").await;
    assert_eq!(instances["items"][0]["id"], "i-1");
}

use crate::api::{Options, router};
use crate::config::Secret;
use crate::metrics::Metrics;
use crate::plane::{Plane, PlaneError};
use crate::testing::{FakePlane, asleep, awake, condition};
use crate::waker::Waker;
use axum::Router;
use axum::body::Body;
use dormouse_manifests::Access;
use dormouse_state::{ConditionType, Desired, Phase};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const TOKEN: &str = "an-api-token";

fn api_with(plane: &Arc<FakePlane>, options: Options) -> Router {
    let plane: Arc<dyn Plane> = Arc::<FakePlane>::clone(plane);
    router(Arc::clone(&plane), Waker::new(plane), options)
}

fn api(plane: &Arc<FakePlane>) -> Router {
    api_with(plane, Options::default())
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn call(router: &Router, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request(method, path, body.to_owned())).await.unwrap();
    let status = response.status();
    let json = response.headers()[header::CONTENT_TYPE].to_str().unwrap().contains("json");
    assert!(json, "{path}");
    (status, serde_json::from_str(&text(response).await).unwrap())
}

async fn get(router: &Router, path: &str) -> Response<Body> {
    router.clone().oneshot(request("GET", path, "")).await.unwrap()
}

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
            vec![condition(ConditionType::Degraded, true, "NoRoom", "the group is full")];
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
        html.contains("<meta http-equiv=\"refresh\" content=\"2\">") && !html.contains("<script"),
        "{html}"
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
async fn the_list_is_escaped() {
    let mut view = asleep("a");
    view.status.url = "http://\"><script>".into();
    let plane = FakePlane::new([view]);
    let html = text(get(&api(&plane), "/").await).await;
    assert!(html.contains("http://&quot;&gt;&lt;script&gt;") && !html.contains("<script"), "{html}");
}

#[tokio::test]
async fn the_token_guards_all_but_health_wakes_and_heartbeats() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let router = api_with(&plane, Options { token: Some(Secret::new(TOKEN)), ..Options::default() });
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
    plane.declare(dormouse_manifests::Service::new("a", asleep("a").spec)).await.unwrap();
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
async fn some_services_are_woken_with_a_token_only() {
    let mut view = asleep("a");
    view.spec.wake.access = Access::Token;
    let plane = FakePlane::new([view]);
    for options in [Options::default(), Options { token: Some(Secret::new(TOKEN)), ..Options::default() }] {
        let api = api_with(&plane, options);
        for path in ["/a", "/api/a"] {
            assert_eq!(get(&api, path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(plane.wakes(), 0);
    let api = api_with(&plane, Options { token: Some(Secret::new(TOKEN)), ..Options::default() });
    let request =
        Request::get("/api/a").header("authorization", format!("Bearer {TOKEN}")).body(Body::empty());
    assert_eq!(api.oneshot(request.unwrap()).await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(plane.wakes(), 1);
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
async fn ready_is_after_the_first_snapshot() {
    let plane = FakePlane::new([]);
    plane.ready.store(false, Ordering::SeqCst);
    let api = api(&plane);
    assert_eq!(get(&api, "/healthz").await.status(), StatusCode::OK);
    assert_eq!(call(&api, "GET", "/readyz", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    plane.ready.store(true, Ordering::SeqCst);
    assert_eq!(get(&api, "/readyz").await.status(), StatusCode::OK);
}

struct One;

impl Metrics for One {
    fn write(&self, out: &mut String) {
        out.push_str("one 1\n");
    }
}

#[tokio::test]
async fn metrics_are_text_and_anybodys_to_add_to() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let options = Options { metrics: vec![Arc::new(One)], ..Options::default() };
    let text = text(get(&api_with(&plane, options), "/metrics").await).await;
    assert!(text.contains("dormouse_services{phase=\"asleep\"} 1\n"), "{text}");
    assert!(text.contains("\ndormouse_services_ready 1\n") && text.ends_with("one 1\n"), "{text}");
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
    assert_eq!(from("POST", "/v1/services/a/wake", "same-origin").await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_description_is_of_the_calls_that_there_are() {
    let plane = FakePlane::new([asleep("a")]);
    let router = api_with(&plane, Options { token: Some(Secret::new(TOKEN)), ..Options::default() });
    let (_, document) = call(&router, "GET", "/openapi.json", "").await;
    assert_eq!(document["openapi"], "3.1.0");
    for described in super::openapi::CALLS {
        assert!(
            document["paths"][described.path][described.method]["summary"].is_string(),
            "{}",
            described.path
        );
        let path = described.path.replace("{name}", "a");
        let response =
            router.clone().oneshot(request(&described.method.to_uppercase(), &path, "")).await.unwrap();
        let refused = response.status() == StatusCode::UNAUTHORIZED && path != "/v1/heartbeat";
        assert_eq!(refused, described.guarded, "{path}");
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_ne!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

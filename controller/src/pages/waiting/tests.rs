use super::*;
use crate::testing::{NOW, asleep, awake, condition};
use dormouse_state::Phase;
use http_body_util::BodyExt as _;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn paths() -> Paths {
    Paths { events: "/.dormouse/events".into(), wake: "/.dormouse/wake".into() }
}

fn waking() -> ServiceView {
    let mut view = asleep("hello");
    view.status = awake("hello").status;
    view.status.phase = Phase::Waking;
    view.status.conditions.clear();
    view
}

fn shown(view: &ServiceView) -> String {
    live(view, &Seen::default(), false, "/.dormouse/wake", now())
}

async fn html(view: &ServiceView) -> (http::HeaderMap, String) {
    let response = waiting(view, &Custom::default(), &paths(), now());
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_page_stands_alone_and_is_small() {
    let mut view = waking();
    view.status.wakes = vec![41_000; 20];
    let (headers, html) = html(&view).await;
    assert!(html.len() < 20_000, "{} bytes", html.len());
    for other in ["src=", "http://www", "https://", "@import", "url("] {
        let found = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(other), "{other}");
    }
    for landmark in ["<main", "<footer", "<h1", "lang=\"en\"", "role=\"status\"", "name=\"viewport\""] {
        assert!(html.contains(landmark), "{landmark}");
    }
    assert!(html.contains("prefers-color-scheme:dark") && html.contains("prefers-reduced-motion"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!html.contains(" style=") && !html.contains(" onclick="), "the policy would not let them act");
    for (name, value) in [("cache-control", "no-store"), ("retry-after", "2"), ("x-robots-tag", "noindex")] {
        assert_eq!(headers[name], value);
    }
}

#[test]
fn the_time_that_it_takes() {
    let mut view = waking();
    assert!(shown(&view).contains("the first time: no estimate yet"));
    assert!(shown(&view).contains("<progress aria-label=\"Waking\"></progress>"));
    view.status.wakes = vec![400_000; 6];
    let html = shown(&view);
    assert!(html.contains("usually 6 min 40 s"), "{html}");
    assert!(html.contains("max=\"400000\" value=\"300000\""), "woken five minutes ago: {html}");
    view.status.wakes = vec![20_000; 6];
    assert!(shown(&view).contains("max=\"20000\" value=\"19400\""), "not at its end before it is");
}

#[test]
fn what_is_in_the_way_is_said_in_words_that_stay_words() {
    let mut view = waking();
    let words = "the image could not be pulled: <img src=x onerror=alert(1)>";
    view.status.conditions = vec![condition(ConditionType::Degraded, true, "CrashLoop", words)].into();
    view.status.failures = 3;
    view.status.retry_at = Some("2026-01-01T12:00:25Z".parse().unwrap());
    let html = shown(&view);
    assert!(html.contains("hello has trouble waking up"), "{html}");
    assert!(html.contains("could not be pulled: &lt;img src=x onerror=alert(1)&gt;"), "{html}");
    assert!(
        html.contains(
            "It was tried 3 times. The next try is in <span data-down=\"1767268825000\">25 s</span>."
        )
    );
    assert!(html.contains("<code>dormouse why hello</code>") && html.contains("Try again"));
    assert!(html.contains("method=\"post\" action=\"/.dormouse/wake\""));
    assert!(!html.contains("<img"));
}

#[test]
fn every_part_has_a_name_of_its_own() {
    let mut view = waking();
    view.status.conditions = vec![condition(ConditionType::Degraded, true, "CrashLoop", "words")].into();
    let html = shown(&view);
    for id in ["mark", "title", "lead", "pace", "steps", "trouble", "again"] {
        assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn what_sleeps_can_be_woken_and_what_goes_cannot() {
    let html = shown(&asleep("hello"));
    assert!(html.contains("hello sleeps") && html.contains("Wake it up") && !html.contains("id=\"steps\""));
    let mut view = asleep("hello");
    view.metadata.deleting = true;
    let html = shown(&view);
    assert!(html.contains("is being deleted") && !html.contains("<button"));
}

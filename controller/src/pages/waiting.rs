//! What a browser sees while a service wakes. It asks again by itself.

use super::escape::Escaped;
use super::frame::page;
use axum::body::Body;
use dormouse_core::view::ServiceView;
use dormouse_state::ConditionType;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use std::fmt::Write as _;

/// Seconds until the page asks again.
const REFRESH: u64 = 2;

/// The steps that a caller waits for, in their order.
const STEPS: [(ConditionType, &str); 5] = [
    (ConditionType::CapacityAvailable, "a machine"),
    (ConditionType::ServiceRunning, "the service"),
    (ConditionType::ProxyRunning, "the proxy"),
    (ConditionType::PeersHealthy, "both see each other"),
    (ConditionType::DnsPublished, "the address"),
];

/// The waiting page of a service. Conditions' messages are for those who run it, not for the public.
pub fn waiting(view: &ServiceView) -> Response<Body> {
    let name = &view.metadata.name;
    let mut body = format!(
        "<h1>{} is waking up</h1><p>It sleeps while nobody uses it. This page opens it as soon as it answers.</p>",
        Escaped(name)
    );
    if let Some(took) = view.status.last_wake.as_ref().and_then(|wake| wake.duration_ms) {
        let seconds = took.div_ceil(1000).max(1);
        let _ = write!(body, "<p class=\"soft\">Last time this took {seconds} s.</p>");
    }
    body.push_str("<ul>");
    for (kind, label) in STEPS {
        let condition = view.status.conditions.iter().find(|condition| condition.kind == kind);
        let (mark, words) = if condition.is_some_and(|condition| condition.status) {
            ("&#10003;", "done")
        } else {
            ("&#8230;", "waiting")
        };
        let _ = write!(
            body,
            "<li><span aria-hidden=\"true\">{mark}</span> {label} <span class=\"soft\">{words}</span></li>"
        );
    }
    body.push_str("</ul>");
    let degraded = view.status.conditions.iter().any(|c| c.kind == ConditionType::Degraded && c.status);
    if degraded {
        body.push_str("<p>Something is in the way. Those who run it can see what; it is tried again.</p>");
    }
    let mut response =
        page(StatusCode::SERVICE_UNAVAILABLE, &format!("{name} is waking up"), Some(REFRESH), &body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(REFRESH));
    response
}

//! Answers that need no service.

use super::host::NoService;
use crate::pages;
use crate::problem::Problem;
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_core::view::ServiceView;
use dormouse_state::{Desired, Phase};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::json;

/// Says where the service is, to whoever is answered in its place.
pub(super) const STATE: HeaderName = HeaderName::from_static("x-dormouse-state");

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A service's state in one word. What is wanted awake is waking, though nobody may have begun with it.
pub(super) fn state(view: &ServiceView) -> HeaderValue {
    HeaderValue::from_static(match (view.status.phase, view.status.desired) {
        (Phase::Asleep, Desired::Asleep) => "asleep",
        (Phase::Asleep, Desired::Awake) | (Phase::Waking, _) => "waking",
        (Phase::Awake, _) => "awake",
        (Phase::Draining, _) => "draining",
    })
}

/// The same, for a request that has just asked for a wake.
pub(super) fn waking() -> HeaderValue {
    HeaderValue::from_static("waking")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter();
    accept
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}

/// Whether a person looks at the answer: a browser that opens a page.
pub(super) fn is_navigation(parts: &Parts) -> bool {
    let navigates = parts
        .headers
        .get("sec-fetch-mode")
        .is_none_or(|mode| mode.as_bytes().eq_ignore_ascii_case(b"navigate"));
    parts.method == Method::GET
        && navigates
        && accepts_html(&parts.headers)
        && !parts.headers.contains_key(header::UPGRADE)
}

/// Whether a browser only guesses that the page might be wanted.
pub(super) fn is_guess(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"].iter().any(|name| {
        let purpose = headers.get(*name).and_then(|value| value.to_str().ok());
        purpose.is_some_and(|purpose| purpose.to_ascii_lowercase().contains("prefetch"))
    })
}

/// Whether a caller would rather come back than wait (RFC 7240, 4.1).
pub(super) fn prefers_async(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|preference| {
        let name = preference.split([';', '=']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}

/// For callers who will not wait: the service wakes, and their request is theirs to send again.
pub(super) fn accepted(view: &ServiceView, api_url: Option<&str>) -> Response<Body> {
    let name = &view.metadata.name;
    let detail = format!("`{name}` is waking; the request was not kept: send it again once it is ready");
    let body = json!({"status": "starting", "url": view.status.url, "detail": detail});
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    headers.insert(HeaderName::from_static("preference-applied"), HeaderValue::from_static("respond-async"));
    headers.insert(STATE, waking());
    let place = api_url.map(|url| HeaderValue::try_from(format!("{url}/api/{name}?status=true")));
    if let Some(Ok(place)) = place {
        headers.insert(header::LOCATION, place);
    }
    response
}

/// For hosts that are no service's.
pub(super) fn no_service(parts: &Parts, why: NoService, domain: &str) -> Response<Body> {
    match why {
        NoService::Malformed => {
            let detail = format!("the request names no host: give one Host header such as hello.{domain}");
            Problem::new(StatusCode::BAD_REQUEST, "bad-host", detail).into_response()
        }
        NoService::Other if is_navigation(parts) => pages::not_found(None),
        NoService::Other => {
            let detail = format!("the host is no service of {domain}: services are at <name>.{domain}");
            Problem::new(StatusCode::NOT_FOUND, "not-declared", detail).into_response()
        }
    }
}

/// For names that nobody declared.
pub(super) fn not_declared(parts: &Parts, name: &str) -> Response<Body> {
    if is_navigation(parts) {
        pages::not_found(Some(name))
    } else {
        Problem::not_declared(name).into_response()
    }
}

/// For requests that do not wake a sleeping service.
pub(super) fn ignored(parts: &Parts, view: &ServiceView) -> Response<Body> {
    let mut response = match parts.uri.path() {
        "/favicon.ico" => StatusCode::NO_CONTENT.into_response(),
        "/robots.txt" => "User-agent: *\nDisallow: /\n".into_response(),
        _ => "asleep\n".into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(STATE, state(view));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

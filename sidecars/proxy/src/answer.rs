//! The proxy's own answers: its health, and why it cannot forward.

use crate::body::ResponseBody;
use crate::proxy::Proxy;
use bytes::Bytes;
use dormouse_peer::probe::STATE_HEADER;
use dormouse_peer::wire::{PeerHealth, SidecarState};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

/// Header in which the proxy says how the service is.
pub const UPSTREAM_HEADER: &str = "x-dormouse-upstream";

/// `GET /health`: 200 while the proxy serves, whether or not the service answers; 503 once it drains.
pub fn health(proxy: &Proxy) -> Response<ResponseBody> {
    let upstream = match proxy.peer_health() {
        Some(PeerHealth { healthy: true, .. }) => "ok",
        Some(PeerHealth { ever_healthy: true, .. }) => "failing",
        _ => "unknown",
    };
    let (status, state) = if proxy.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "serving")
    };
    let text = json!({ "state": state, "upstream": upstream == "ok" }).to_string();
    let mut answer = own(status, "application/json", text);
    answer.headers_mut().insert(STATE_HEADER, HeaderValue::from_static(state));
    answer.headers_mut().insert(UPSTREAM_HEADER, HeaderValue::from_static(upstream));
    answer
}

/// Cannot forward now, and the client should ask again in a second.
pub fn unavailable(proxy: &Proxy, reason: &str) -> Response<ResponseBody> {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, reason);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    let state = match proxy.state() {
        SidecarState::Starting => "starting",
        SidecarState::Serving => "serving",
        SidecarState::Draining | SidecarState::Stopping => "draining",
    };
    answer.headers_mut().insert(STATE_HEADER, HeaderValue::from_static(state));
    answer
}

/// What is wrong, as RFC 9457 has it.
pub fn problem(status: StatusCode, detail: &str) -> Response<ResponseBody> {
    let text = json!({
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    own(status, "application/problem+json", text.to_string())
}

fn own(status: StatusCode, content_type: &'static str, text: String) -> Response<ResponseBody> {
    let mut answer = Response::new(ResponseBody::Own(Some(Bytes::from(text))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

//! The proxy's own answers: its health, and why it cannot forward.

use crate::proxy::Proxy;
use dormouse_peer::probe::STATE_HEADER;
use dormouse_peer::wire::{PeerHealth, SidecarState};
use hyper::StatusCode;
use serde_json::json;

/// Header in which the proxy says how the service is.
pub const UPSTREAM_HEADER: &str = "x-dormouse-upstream";

/// An answer of the proxy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its status.
    pub status: u16,
    /// What the text is.
    pub content_type: &'static str,
    /// The body.
    pub text: String,
    /// How the proxy is, where that matters.
    pub state: Option<&'static str>,
    /// How the service is, where that matters.
    pub upstream: Option<&'static str>,
    /// It helps to ask again in a second.
    pub again: bool,
}

impl Own {
    /// Its header fields, but for type and length.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let again = self.again.then_some(("retry-after", "1"));
        let state = self.state.map(|state| (STATE_HEADER, state));
        again.into_iter().chain(state).chain(self.upstream.map(|upstream| (UPSTREAM_HEADER, upstream)))
    }
}

/// `GET /health`: 200 while the proxy serves, whether or not the service answers; 503 once it drains.
pub fn health(proxy: &Proxy) -> Own {
    let upstream = match proxy.peer_health() {
        Some(PeerHealth { healthy: true, .. }) => "ok",
        Some(PeerHealth { ever_healthy: true, .. }) => "failing",
        _ => "unknown",
    };
    let (status, state) = if proxy.is_draining() { (503, "draining") } else { (200, "serving") };
    Own {
        status,
        content_type: "application/json",
        text: json!({ "state": state, "upstream": upstream == "ok" }).to_string(),
        state: Some(state),
        upstream: Some(upstream),
        again: false,
    }
}

/// Cannot forward now, and the client should ask again in a second.
pub fn unavailable(proxy: &Proxy, reason: &str) -> Own {
    Own { state: Some(state(proxy)), again: true, ..problem(503, reason) }
}

/// The service did not answer in time.
pub fn late(proxy: &Proxy) -> Own {
    Own { state: Some(state(proxy)), again: true, ..problem(504, "the service did not answer in time") }
}

fn state(proxy: &Proxy) -> &'static str {
    match proxy.state() {
        SidecarState::Starting => "starting",
        SidecarState::Serving => "serving",
        SidecarState::Draining | SidecarState::Stopping => "draining",
    }
}

/// What is wrong, as RFC 9457 has it.
pub fn problem(status: u16, detail: &str) -> Own {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let text = json!({ "title": title.unwrap_or_default(), "status": status, "detail": detail });
    Own {
        status,
        content_type: "application/problem+json",
        text: text.to_string(),
        state: None,
        upstream: None,
        again: false,
    }
}

//! `/.dormouse/…`: what belongs to a waiting page. Answered here, for the service that the host names, and never
//! forwarded.

use super::hold;
use super::listener::Activator;
use super::local;
use crate::pages::Paths;
use crate::plane::Asked;
use crate::problem::Problem;
use crate::request::{back, describe, is_from_elsewhere, wants_page};
use crate::trust::hops;
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_core::view::ServiceView;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use std::net::SocketAddr;

const EVENTS: &str = "/.dormouse/events";
const WAKE: &str = "/.dormouse/wake";

/// Where a waiting page finds what belongs to it.
pub(super) fn paths() -> Paths {
    Paths { events: EVENTS.to_owned(), wake: WAKE.to_owned() }
}

/// Whether a path is not the service's.
pub(super) fn is_own(path: &str) -> bool {
    path.starts_with("/.dormouse/")
}

impl Activator {
    /// Answers a request for one of these paths.
    pub(super) async fn own(&self, parts: &Parts, view: &ServiceView, peer: SocketAddr) -> Response<Body> {
        let mut response = match (parts.uri.path(), &parts.method) {
            (EVENTS, &Method::GET) => self.live.follow(&view.metadata.name, WAKE.to_owned()),
            (WAKE, &Method::POST) => self.wake_again(parts, view, peer).await,
            (path @ (EVENTS | WAKE), method) => {
                let allowed = HeaderValue::from_static(if path == WAKE { "POST" } else { "GET" });
                let detail = format!("{path:?} does not take {method}");
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
                    .header(header::ALLOW, allowed)
                    .into_response()
            }
            (path, _) => {
                let detail = format!("there is no call {path:?}");
                Problem::new(StatusCode::NOT_FOUND, "no-such-call", detail).into_response()
            }
        };
        response.headers_mut().insert(local::STATE, local::state(view));
        response
    }

    /// The page's button.
    async fn wake_again(&self, parts: &Parts, view: &ServiceView, peer: SocketAddr) -> Response<Body> {
        if is_from_elsewhere(&parts.headers) {
            let detail = "another site's page cannot wake anything with this";
            return Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response();
        }
        let client = self.trusted.client(peer.ip(), hops(&parts.headers));
        if let Some(refused) = self.without_waking(parts, view, client) {
            return refused;
        }
        let asked = Asked { origin: "page", reason: describe(parts, client) };
        if let Err(refused) = self.waker.wake(view, client, asked).await {
            return hold::not_woken(&refused, &view.metadata.name).into_response();
        }
        if !wants_page(&parts.headers) {
            return StatusCode::NO_CONTENT.into_response();
        }
        let to = back(&parts.headers).unwrap_or_else(|| "/".to_owned());
        let location = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
    }
}

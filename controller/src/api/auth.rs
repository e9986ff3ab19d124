//! Who may do what: the token, a browser that has logged in, and pages of others.

use super::state::Api;
use crate::config::Secret;
use crate::pages::dashboard;
use crate::problem::Problem;
use crate::replicas::is_replica;
use crate::request::{bearer, cookie, is_from_elsewhere, wants_page};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_manifests::Access;
use dormouse_peer::pass;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, StatusCode, header};
use sha2::Sha256;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

/// A browser's cookie after it has logged in.
pub(super) const COOKIE: &str = "dormouse";
/// The header in which the dashboard proves that a call is its own.
const PROOF: &str = "x-dormouse-proof";

/// What the dashboard's calls prove themselves with: random, of this process.
pub(super) fn new_proof() -> Secret {
    let word = || RandomState::new().hash_one(0);
    Secret::new(format!("{:016x}{:016x}", word(), word()))
}

/// What a browser keeps in place of the token. Who knows it cannot tell the token from it.
pub(super) fn session(token: &Secret) -> Option<Secret> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()).ok()?;
    mac.update(b"dormouse dashboard");
    let mut text = String::new();
    // Writing to a String cannot fail.
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    Some(Secret::new(text))
}

/// Lets a request pass that shows the token, or any when none is asked for; what a browser sends only from the
/// dashboard.
pub(super) async fn require_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    let changes = !request.method().is_safe();
    if changes && is_from_elsewhere(request.headers()) {
        let detail = "another site's page cannot change anything here";
        return Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response();
    }
    let shown = bearer(request.headers());
    if let (Some(token), Some(shown)) = (&api.token, shown)
        && token.matches(shown)
    {
        return next.run(request).await;
    }
    if let (Some(secret), Some(shown)) = (&api.secret, shown)
        && is_replica(secret, shown)
    {
        return next.run(request).await;
    }
    let logged_in = has_session(&api, request.headers());
    if api.token.is_some() && !logged_in {
        if wants_login(&request) {
            return dashboard::login(super::dashboard::LOGIN, None);
        }
        let detail = match shown {
            Some(_) => "the bearer token is not the right one",
            None => "this needs a token: give `Authorization: Bearer …`",
        };
        return Problem::unauthorized(detail).into_response();
    }
    if changes && (logged_in || is_browser(request.headers())) && !is_proven(&api, request.headers()) {
        let detail = "a browser changes something from the dashboard only: reload it";
        return Problem::new(StatusCode::FORBIDDEN, "unproven", detail).into_response();
    }
    next.run(request).await
}

/// Whether a person opens the dashboard.
fn wants_login(request: &Request) -> bool {
    request.method() == Method::GET && request.uri().path() == "/" && wants_page(request.headers())
}

/// Whether a browser's page sends it.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
}

fn is_proven(api: &Api, headers: &HeaderMap) -> bool {
    headers.get(PROOF).and_then(|proof| proof.to_str().ok()).is_some_and(|proof| api.proof.matches(proof))
}

/// Whether it comes from a browser that has logged in. When no token is set, nobody has.
pub(super) fn has_session(api: &Api, headers: &HeaderMap) -> bool {
    let session = api.token.as_ref().and_then(session);
    session.zip(cookie(headers, COOKIE)).is_some_and(|(session, shown)| session.matches(shown))
}

/// Whether a request shows the token, or comes from a browser that has logged in. When none is set, nothing shows it.
fn shows_token(api: &Api, headers: &HeaderMap) -> bool {
    let bearer = api.token.as_ref().zip(bearer(headers));
    bearer.is_some_and(|(token, shown)| token.matches(shown)) || has_session(api, headers)
}

/// Whether a request may wake a service: anybody's may, unless it asks for a token; then one that shows it, or the
/// cookie of a link.
pub(super) fn may_wake(api: &Api, headers: &HeaderMap, view: &ServiceView) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut shown = cookies.filter_map(|value| pass::cookie(value, pass::COOKIE));
    let admits =
        |pass: &str| api.passes.as_ref().is_some_and(|passes| passes.admits(&view.metadata.name, pass));
    view.spec.wake.access == Access::Public || shows_token(api, headers) || shown.any(admits)
}

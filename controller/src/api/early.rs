//! Calls that come before what is declared has been read: they wait for that, but for those that need nothing of it.

use super::dashboard::{LOGIN, LOGOUT};
use super::state::Api;
use crate::readiness;
use crate::replicas::REPORT;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// What is answered at once, whatever has been read.
const AT_ONCE: [&str; 9] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/favicon.ico",
    "/v1/heartbeat",
    REPORT,
    LOGIN,
    LOGOUT,
];

/// Lets a call pass once it can be answered truly.
pub(super) async fn once_read(State(api): State<Api>, request: Request, next: Next) -> Response {
    if AT_ONCE.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match readiness::read(&*api.plane).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

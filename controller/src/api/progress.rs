//! What belongs to a waiting page: its event stream, and its button.

use super::auth;
use super::extract::{Caller, Name};
use super::state::Api;
use crate::pages::Paths;
use crate::problem::Problem;
use crate::request::{back, is_from_elsewhere, wants_page};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

/// Where a service's waiting page finds what belongs to it.
pub(super) fn paths(name: &str) -> Paths {
    Paths { events: format!("/.dormouse/{name}/events"), wake: format!("/.dormouse/{name}/wake") }
}

/// `GET /.dormouse/{name}/events`.
pub(super) async fn events(State(api): State<Api>, Name(name): Name) -> Result<Response, Problem> {
    if api.plane.service(&name).is_none() {
        return Err(Problem::not_declared(&name));
    }
    Ok(api.live.follow(&name, paths(&name).wake))
}

/// `POST /.dormouse/{name}/wake`.
pub(super) async fn wake(
    State(api): State<Api>,
    Name(name): Name,
    caller: Caller,
) -> Result<Response, Problem> {
    let headers = &caller.parts.headers;
    if is_from_elsewhere(headers) {
        let detail = "another site's page cannot wake anything with this";
        return Err(Problem::new(StatusCode::FORBIDDEN, "cross-site", detail));
    }
    let Some(view) = api.plane.service(&name) else { return Err(Problem::not_declared(&name)) };
    if !auth::may_wake(&api, headers, &view) {
        return Err(Problem::unauthorized("waking it needs a token: give `Authorization: Bearer …`"));
    }
    api.waker.wake(&view, caller.address, caller.asks("page")).await?;
    if !wants_page(headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let to = back(headers).unwrap_or_else(|| format!("/{name}"));
    let location = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

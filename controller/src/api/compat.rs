//! `/api/{name}`: what scripts knew before there was `/v1`.

use super::auth;
use super::extract::{Caller, Params};
use super::state::Api;
use crate::label::is_label;
use crate::plane::PlaneError;
use crate::refusals::Reason;
use crate::views::{condition, is_ready};
use crate::waker::Refused;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_state::{ConditionType, Desired};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// Seconds between two polls.
const RETRY_AFTER: u64 = 2;

/// `GET /api/{name}`: wakes it. `GET /api/{name}?status=true`: does not.
pub(super) async fn get(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    params: Params,
    caller: Caller,
) -> Response {
    let name = path.map_or_else(|_| String::new(), |Path(name)| name);
    if !is_label(&name) {
        let reason = "the name is no DNS label: 1 to 63 of a-z, 0-9 and -, no hyphen at its ends";
        return refused(StatusCode::BAD_REQUEST, reason);
    }
    let Some(view) = api.plane.service(&name) else { return not_declared(&name) };
    let only_asks = params.get("status").is_some_and(|value| value != "false");
    if only_asks || (is_ready(&view) && view.status.desired == Desired::Awake) {
        return status(&view);
    }
    if !auth::may_wake(&api, &caller.parts.headers, &view) {
        api.waker.refused(&name, Reason::NoToken, &caller.asks("api").reason);
        return refused(StatusCode::UNAUTHORIZED, "waking it needs a token: give `Authorization: Bearer …`");
    }
    match api.waker.wake(&view, caller.address, caller.asks("api")).await {
        Ok(()) => status(&api.plane.service(&name).unwrap_or(view)),
        Err(Refused::Plane(PlaneError::NotFound(name))) => not_declared(&name),
        Err(
            refusal @ (Refused::TooOften { retry_after, .. }
            | Refused::Plane(PlaneError::Spent { retry_after, .. })),
        ) => {
            let mut answer = refused(StatusCode::TOO_MANY_REQUESTS, &refusal.to_string());
            let seconds = HeaderValue::from(retry_after.as_secs().saturating_add(1));
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
            answer
        }
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn status(view: &ServiceView) -> Response {
    let mut body = json!({"url": view.status.url, "phase": view.status.phase});
    if is_ready(view) {
        body["status"] = "ready".into();
        return answer(StatusCode::OK, body);
    }
    let degraded = condition(view, ConditionType::Degraded).filter(|degraded| degraded.status);
    if let Some(degraded) = degraded {
        body["status"] = "unavailable".into();
        body["reason"] = format!("{}: {}", degraded.reason, degraded.message).into();
        return answer(StatusCode::SERVICE_UNAVAILABLE, body);
    }
    body["status"] = "starting".into();
    answer(StatusCode::ACCEPTED, body)
}

fn not_declared(name: &str) -> Response {
    refused(StatusCode::NOT_FOUND, &format!("no service `{name}` is declared"))
}

fn refused(status: StatusCode, reason: &str) -> Response {
    let word = if status == StatusCode::SERVICE_UNAVAILABLE { "unavailable" } else { "error" };
    answer(status, json!({"status": word, "reason": reason}))
}

fn answer(status: StatusCode, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(
        status,
        StatusCode::ACCEPTED | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dormouse\""));
    }
    response
}

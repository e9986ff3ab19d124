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
use dormouse_state::{ConditionType, Desired, Phase};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

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
    let Some(view) = api.plane.wakeable(&name) else { return not_declared(&name) };
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

/// How a service stands, in one word.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Readiness")]
enum Word {
    Ready,
    Starting,
    Unavailable,
    Error,
}

/// The answer of `/api/{name}`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Standing")]
pub(super) struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    status: Word,
    /// Where users find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

fn status(view: &ServiceView) -> Response {
    let degraded = condition(view, ConditionType::Degraded).filter(|degraded| degraded.status);
    let (code, status, reason) = match degraded {
        _ if is_ready(view) => (StatusCode::OK, Word::Ready, None),
        Some(why) => {
            let reason = format!("{}: {}", why.reason, why.message);
            (StatusCode::SERVICE_UNAVAILABLE, Word::Unavailable, Some(reason))
        }
        None => (StatusCode::ACCEPTED, Word::Starting, None),
    };
    answer(code, Told { phase: Some(view.status.phase), reason, status, url: Some(view.status.url.clone()) })
}

fn not_declared(name: &str) -> Response {
    refused(StatusCode::NOT_FOUND, &format!("no service `{name}` is declared"))
}

fn refused(status: StatusCode, reason: &str) -> Response {
    let word = if status == StatusCode::SERVICE_UNAVAILABLE { Word::Unavailable } else { Word::Error };
    answer(status, Told { phase: None, reason: Some(reason.to_owned()), status: word, url: None })
}

fn answer(status: StatusCode, body: Told) -> Response {
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

//! The sidecars' call.

use super::extract::Whole;
use super::state::Api;
use crate::problem::Problem;
use crate::request::bearer;
use axum::Json;
use axum::extract::State;
use dormouse_peer::wire::{Answer, Heartbeat};
use http::{HeaderMap, StatusCode};

/// `POST /v1/heartbeat`.
pub(super) async fn post(
    State(api): State<Api>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<Answer>, Problem> {
    let Some(token) = bearer(&headers) else {
        return Err(Problem::unauthorized("a heartbeat needs its task's token as bearer"));
    };
    let beat: Heartbeat = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("the body is no heartbeat: {error}"))
    })?;
    if !api.plane.hears() {
        // Where a name leads to several controllers, the next connection may find the one that leads.
        let detail = "another controller leads: connect anew";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "standby", detail));
    }
    let answer = api.plane.heartbeat(token, beat);
    answer
        .map(Json)
        .ok_or_else(|| Problem::unauthorized("the token is no task's of ours, or its task is over"))
}

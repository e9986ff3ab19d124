//! What controllers that stand by tell the one that leads.

use super::extract::Whole;
use super::state::Api;
use crate::plane::{StandbyAnswer, StandbyReport};
use crate::problem::Problem;
use crate::replicas::is_replica;
use crate::request::bearer;
use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};

/// `POST /v1/replicas`.
pub(super) async fn post(
    State(api): State<Api>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<StandbyAnswer>, Problem> {
    let is_one =
        api.secret.as_ref().zip(bearer(&headers)).is_some_and(|(secret, shown)| is_replica(secret, shown));
    if !is_one {
        return Err(Problem::unauthorized("this is for controllers of this installation"));
    }
    let report: StandbyReport = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("the body is no report: {error}"))
    })?;
    let answer = api.plane.hear_standby(report).await;
    answer
        .map(Json)
        .ok_or_else(|| Problem::new(StatusCode::CONFLICT, "not-leading", "this controller does not lead"))
}

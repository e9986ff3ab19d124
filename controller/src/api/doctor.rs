//! `GET /v1/doctor`.

use super::extract::Params;
use super::state::Api;
use crate::doctor::Report;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use http::StatusCode;

pub(super) async fn get(State(api): State<Api>, params: Params) -> Result<Json<Report>, Problem> {
    params.only(&[])?;
    let Some(doctor) = &api.doctor else {
        let detail = "this controller has no cloud to examine";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "no-doctor", detail));
    };
    let examined = doctor.examine(&api.plane.services(), api.plane.now()).await;
    examined.map(Json).map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-examined", why))
}

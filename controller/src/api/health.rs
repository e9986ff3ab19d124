//! `/healthz`, `/readyz`, `/metrics`.

use super::state::Api;
use crate::metrics;
use crate::problem::Problem;
use crate::readiness;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};

/// `GET /healthz`.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    if api.plane.is_ready() {
        return Ok("ok\n");
    }
    Err(readiness::not_ready())
}

/// `GET /metrics`.
pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let text = metrics::text(api.metrics.iter()).map_err(|error| {
        let detail = format!("the numbers could not be written: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics", detail)
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text))
}

//! `/healthz`, `/readyz`, `/metrics`.

use super::state::Api;
use crate::problem::Problem;
use crate::views::is_ready;
use axum::extract::State;
use axum::response::IntoResponse;
use dormouse_state::Phase;
use http::{StatusCode, header};
use std::fmt::Write as _;

/// `GET /healthz`.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`.
pub(super) async fn ready(State(api): State<Api>) -> Result<&'static str, Problem> {
    if api.plane.is_ready() {
        return Ok("ok\n");
    }
    let detail = "the first complete snapshot is not read yet";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail).retry_after(1))
}

/// `GET /metrics`.
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let services = api.plane.services();
    let mut out = String::new();
    let family = "# HELP dormouse_services Declared services by phase.\n# TYPE dormouse_services gauge\n";
    out.push_str(family);
    for (phase, label) in [
        (Phase::Asleep, "asleep"),
        (Phase::Waking, "waking"),
        (Phase::Awake, "awake"),
        (Phase::Draining, "draining"),
    ] {
        let count = services.iter().filter(|view| view.status.phase == phase).count();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "dormouse_services{{phase=\"{label}\"}} {count}");
    }
    let ready = services.iter().filter(|view| is_ready(view)).count();
    let _ = write!(
        out,
        "# HELP dormouse_services_ready Services whose condition Ready is true.\n\
         # TYPE dormouse_services_ready gauge\ndormouse_services_ready {ready}\n"
    );
    for metrics in api.metrics.iter() {
        metrics.write(&mut out);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

//! Every call, and which of them ask for the token.

use super::state::{Api, Options};
use super::{auth, compat, declare, flip, health, heartbeat, history, openapi, page, services, watch};
use crate::plane::Plane;
use crate::problem::Problem;
use crate::waker::Waker;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};
use std::sync::Arc;

/// Larger is no manifest.
const MAX_MANIFEST_BYTES: usize = 1 << 20;
/// Larger is no heartbeat.
const MAX_HEARTBEAT_BYTES: usize = 16 << 10;

/// The API over a plane.
pub fn router(plane: Arc<dyn Plane>, waker: Waker, options: Options) -> Router {
    let Options { token, metrics, stop } = options;
    let api = Api { plane, waker, token, metrics: metrics.into(), stop };
    Router::new()
        .merge(guarded().route_layer(from_fn_with_state(api.clone(), auth::require_token)))
        .merge(open())
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_method)
        .with_state(api)
}

fn guarded() -> Router<Api> {
    let service = get(services::get).put(declare::put).delete(services::delete);
    Router::new()
        .route("/", get(page::list))
        .route("/metrics", get(health::metrics))
        .route("/v1/services", get(services::all))
        .route("/v1/services/{name}", service.layer(DefaultBodyLimit::max(MAX_MANIFEST_BYTES)))
        .route("/v1/services/{name}/wake", post(flip::wake))
        .route("/v1/services/{name}/sleep", post(flip::sleep))
        .route("/v1/services/{name}/events", get(history::of_service))
        .route("/v1/events", get(history::all))
        .route("/v1/instances", get(history::instances))
        .route("/v1/watch", get(watch::watch))
}

fn open() -> Router<Api> {
    let heartbeat = post(heartbeat::post).layer(DefaultBodyLimit::max(MAX_HEARTBEAT_BYTES));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi::get))
        .route("/favicon.ico", get(page::favicon))
        .route("/robots.txt", get(page::robots))
        .route("/v1/heartbeat", heartbeat)
        .route("/api/{name}", get(compat::get))
        .route("/{name}", get(page::wake))
        .route("/{name}/", get(page::wake))
}

async fn no_such_call(uri: Uri) -> Problem {
    let detail = format!("there is no call {:?}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no-such-call", detail)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{:?} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

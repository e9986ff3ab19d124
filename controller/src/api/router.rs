//! Every call, and which of them ask for the token.

use super::state::{Api, Options};
use super::{
    auth, compat, cost, dashboard, declare, doctor, flip, health, heartbeat, history, link, openapi, page,
    progress, replicas, services, watch,
};
use crate::pages::{Goes, Live};
use crate::plane::Plane;
use crate::problem::Problem;
use crate::replicas::{REPORT, Relay, relay};
use crate::waker::Waker;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};
use std::sync::Arc;

/// Larger is no manifest.
const MAX_MANIFEST_BYTES: usize = 1 << 20;
/// Larger is no heartbeat.
const MAX_HEARTBEAT_BYTES: usize = 16 << 10;
/// Larger is no standby's report: it names the services that are in use.
const MAX_REPORT_BYTES: usize = 1 << 20;
/// Larger is no token.
const MAX_LOGIN_BYTES: usize = 4 << 10;

/// The API over a plane.
pub fn router(plane: Arc<dyn Plane>, waker: Waker, options: Options) -> Router {
    let Options { token, passes, trusted, pages, metrics, tariff, doctor, secret, stop } = options;
    let tariff = Arc::new(tariff);
    let relays = secret.clone().map(|secret| Relay::new(secret, Arc::clone(&plane)));
    let live = Live::new(Arc::clone(&plane), Goes::Ready, stop.clone());
    let proof = auth::new_proof().into();
    let metrics = metrics.into();
    let logins = Arc::default();
    let api = Api {
        plane,
        waker,
        token,
        proof,
        logins,
        live,
        passes,
        trusted,
        pages,
        metrics,
        tariff,
        doctor,
        secret,
        stop,
    };
    let router = Router::new()
        .merge(guarded().route_layer(from_fn_with_state(api.clone(), auth::require_token)))
        .merge(open())
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_method)
        .with_state(api);
    match relays {
        Some(relays) => router.layer(from_fn(move |request, next| relay(relays.clone(), request, next))),
        None => router,
    }
}

fn guarded() -> Router<Api> {
    let service = get(services::get).put(declare::put).delete(services::delete);
    Router::new()
        .route("/", get(dashboard::page))
        .route(dashboard::STREAM, get(dashboard::stream))
        .route("/metrics", get(health::metrics))
        .route("/v1/services", get(services::all))
        .route("/v1/services/{name}", service.layer(DefaultBodyLimit::max(MAX_MANIFEST_BYTES)))
        .route("/v1/services/{name}/wake", post(flip::wake))
        .route("/v1/services/{name}/sleep", post(flip::sleep))
        .route("/v1/services/{name}/link", post(link::post))
        .route("/v1/services/{name}/events", get(history::of_service))
        .route("/v1/events", get(history::all))
        .route("/v1/instances", get(history::instances))
        .route("/v1/cost", get(cost::get))
        .route("/v1/doctor", get(doctor::get))
        .route("/v1/watch", get(watch::watch))
}

fn open() -> Router<Api> {
    let heartbeat = post(heartbeat::post).layer(DefaultBodyLimit::max(MAX_HEARTBEAT_BYTES));
    let login = post(dashboard::login).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi::get))
        .route("/favicon.ico", get(page::favicon))
        .route("/robots.txt", get(page::robots))
        .route("/v1/heartbeat", heartbeat)
        .route(REPORT, post(replicas::post).layer(DefaultBodyLimit::max(MAX_REPORT_BYTES)))
        .route(dashboard::LOGIN, login)
        .route(dashboard::LOGOUT, post(dashboard::logout))
        .route("/.dormouse/{name}/events", get(progress::events))
        .route("/.dormouse/{name}/wake", post(progress::wake))
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

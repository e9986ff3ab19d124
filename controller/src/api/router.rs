//! Every call, and which of them ask for the token.

use super::state::{Api, Options};
use super::{
    auth, compat, cost, dashboard, declare, doctor, early, flip, health, heartbeat, history, link, logs,
    openapi, page, progress, replicas, services, templates, watch,
};
use crate::pages::{Goes, Live};
use crate::plane::Plane;
use crate::problem::Problem;
use crate::replicas::{REPORT, Relay, relay};
use crate::waker::Waker;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post};
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
    let Options { tokens, passes, trusted, pages, metrics, tariff, doctor, logs, secret, stop } = options;
    let tariff = Arc::new(tariff);
    let relays = secret.clone().map(|secret| Relay::new(secret, Arc::clone(&plane)));
    let live = Live::new(Arc::clone(&plane), Goes::Ready, stop.clone());
    let proof = auth::new_proof().into();
    let metrics = metrics.into();
    let logins = Arc::default();
    let api = Api {
        plane,
        waker,
        tokens,
        proof,
        logins,
        live,
        passes,
        trusted,
        pages,
        metrics,
        tariff,
        doctor,
        logs,
        secret,
        stop,
    };
    let early = from_fn_with_state(api.clone(), early::once_read);
    let tokens = from_fn_with_state(api.clone(), auth::require_token);
    let router = Router::new()
        .merge(all(guarded()).route_layer(early.clone()).route_layer(tokens))
        .merge(all(open()).route_layer(early))
        .fallback(no_such_call)
        .method_not_allowed_fallback(no_such_method)
        .with_state(api);
    match relays {
        Some(relays) => router.layer(from_fn(move |request, next| relay(relays.clone(), request, next))),
        None => router,
    }
}

/// Paths with what answers at them. Lists, so that a test can hold the description against them.
type Routes = Vec<(&'static str, MethodRouter<Api>)>;

fn all(routes: Routes) -> Router<Api> {
    routes.into_iter().fold(Router::new(), |router, (path, answers)| router.route(path, answers))
}

/// For who shows the token.
pub(super) fn guarded() -> Routes {
    let service = get(services::get).put(declare::put).delete(services::delete);
    let template = get(templates::get).put(templates::put).delete(templates::delete);
    vec![
        ("/", get(dashboard::page)),
        (dashboard::STREAM, get(dashboard::stream)),
        ("/metrics", get(health::metrics)),
        ("/v1/services", get(services::all)),
        ("/v1/services/{name}", service.layer(DefaultBodyLimit::max(MAX_MANIFEST_BYTES))),
        ("/v1/templates", get(templates::all)),
        ("/v1/templates/{name}", template.layer(DefaultBodyLimit::max(MAX_MANIFEST_BYTES))),
        ("/v1/services/{name}/wake", post(flip::wake)),
        ("/v1/services/{name}/sleep", post(flip::sleep)),
        ("/v1/services/{name}/link", post(link::post)),
        ("/v1/services/{name}/events", get(history::of_service)),
        ("/v1/services/{name}/logs", get(logs::get)),
        ("/v1/events", get(history::all)),
        ("/v1/instances", get(history::instances)),
        ("/v1/cost", get(cost::get)),
        ("/v1/doctor", get(doctor::get)),
        ("/v1/watch", get(watch::get)),
    ]
}

/// For anybody, or for who has a token of another kind.
pub(super) fn open() -> Routes {
    let heartbeat = post(heartbeat::post).layer(DefaultBodyLimit::max(MAX_HEARTBEAT_BYTES));
    let login = post(dashboard::login).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES));
    vec![
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/openapi.json", get(openapi::get)),
        ("/favicon.ico", get(page::favicon)),
        ("/robots.txt", get(page::robots)),
        ("/v1/heartbeat", heartbeat),
        (REPORT, post(replicas::post).layer(DefaultBodyLimit::max(MAX_REPORT_BYTES))),
        (dashboard::LOGIN, login),
        (dashboard::LOGOUT, post(dashboard::logout)),
        ("/.dormouse/{name}/events", get(progress::events)),
        ("/.dormouse/{name}/wake", post(progress::wake)),
        ("/api/{name}", get(compat::get)),
        ("/{name}", get(page::wake)),
        ("/{name}/", get(page::wake)),
    ]
}

async fn no_such_call(uri: Uri) -> Problem {
    let detail = format!("there is no call {:?}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no-such-call", detail)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{:?} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

//! `/{name}` wakes a service and leads to it.

use super::auth;
use super::extract::Caller;
use super::progress;
use super::state::Api;
use crate::label::is_label;
use crate::pages;
use crate::plane::PlaneError;
use crate::problem::Problem;
use crate::refusals::Reason;
use crate::views::is_ready;
use crate::waker::Refused;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use http::{HeaderValue, Method, StatusCode, header};

/// Browsers ask for it beside every page: it is no service.
pub(super) async fn favicon() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Crawlers would wake everything.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

/// `GET /{name}`.
pub(super) async fn wake(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    caller: Caller,
) -> Response {
    let name = path.map_or_else(|_| String::new(), |Path(name)| name);
    let declared = if is_label(&name) { api.plane.wakeable(&name) } else { None };
    let Some(view) = declared else { return pages::not_found(Some(&name)) };
    if is_ready(&view) && view.status.desired == Desired::Awake {
        return there(&api, &view, caller.parts.uri.query());
    }
    if !auth::may_wake(&api, &caller.parts.headers, &view) {
        api.waker.refused(&name, Reason::NoToken, &caller.asks("page").reason);
        return Problem::unauthorized("waking it needs a token: give `Authorization: Bearer …`")
            .into_response();
    }
    // HEAD asks what GET would say: link previews and the like wake nobody.
    if caller.parts.method == Method::GET
        && let Err(refused) = api.waker.wake(&view, caller.address, caller.asks("page")).await
    {
        return match refused {
            Refused::Plane(PlaneError::NotFound(name)) => pages::not_found(Some(&name)),
            Refused::Plane(PlaneError::Conflict(detail)) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cannot-wake", detail)
                    .retry_after(5)
                    .into_response()
            }
            other => Problem::from(other).into_response(),
        };
    }
    wait(&api, &api.plane.service(&name).unwrap_or(view))
}

fn wait(api: &Api, view: &ServiceView) -> Response {
    pages::waiting(view, &api.pages, &progress::paths(&view.metadata.name), api.plane.now())
}

/// To the service itself, with the query that came.
fn there(api: &Api, view: &ServiceView, query: Option<&str>) -> Response {
    let mut url = view.status.url.clone();
    if !url.ends_with('/') {
        url.push('/');
    }
    if let Some(query) = query {
        url.push('?');
        url.push_str(query);
    }
    let Ok(location) = HeaderValue::from_str(&url) else { return wait(api, view) };
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

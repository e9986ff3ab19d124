//! The token.

use super::state::Api;
use crate::problem::Problem;
use crate::request::bearer;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

/// Lets a request pass that shows the token, or any when none is asked for.
pub(super) async fn require_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    if is_forged(&request) {
        let detail = "another site's page cannot change anything here";
        return Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response();
    }
    let Some(token) = &api.token else { return next.run(request).await };
    match bearer(request.headers()) {
        Some(shown) if token.matches(shown) => next.run(request).await,
        Some(_) => Problem::unauthorized("the bearer token is not the right one").into_response(),
        None => Problem::unauthorized("this needs a token: give `Authorization: Bearer …`").into_response(),
    }
}

/// Whether another site's page makes a visitor's browser send it. Without a token nothing else would tell.
fn is_forged(request: &Request) -> bool {
    let site = request.headers().get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    !request.method().is_safe() && matches!(site, Some(b"cross-site" | b"same-site"))
}

/// Whether a request shows the token. When none is set, nothing shows it.
pub(super) fn shows_token(api: &Api, headers: &HeaderMap) -> bool {
    api.token.as_ref().zip(bearer(headers)).is_some_and(|(token, shown)| token.matches(shown))
}

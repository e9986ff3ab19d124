//! The token.

use super::state::Api;
use crate::problem::Problem;
use crate::request::bearer;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;

/// Lets a request pass that shows the token, or any when none is asked for.
pub(super) async fn require_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(token) = &api.token else { return next.run(request).await };
    match bearer(request.headers()) {
        Some(shown) if token.matches(shown) => next.run(request).await,
        Some(_) => Problem::unauthorized("the bearer token is not the right one").into_response(),
        None => Problem::unauthorized("this needs a token: give `Authorization: Bearer …`").into_response(),
    }
}

/// Whether a request shows the token. When none is set, nothing shows it.
pub(super) fn shows_token(api: &Api, headers: &HeaderMap) -> bool {
    api.token.as_ref().zip(bearer(headers)).is_some_and(|(token, shown)| token.matches(shown))
}

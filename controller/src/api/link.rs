//! Links that let a browser wake a service which asks for a token.

use super::extract::{Name, Params};
use super::state::Api;
use crate::plane::PlaneError;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use dormouse_manifests::Access;
use dormouse_manifests::TimeText;
use dormouse_peer::pass::PARAMETER;
use http::{StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A link as an answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    /// Good once.
    url: String,
    /// And until then.
    #[schemars(with = "TimeText")]
    expires_at: Timestamp,
}

/// `POST /v1/services/{name}/link`: an address that is good once, and for ten minutes.
pub(super) async fn post(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let Some(view) = api.plane.wakeable(&name) else { return Err(Problem::not_declared(&name)) };
    let conflict = |detail: String| Problem::from(PlaneError::Conflict(detail));
    if view.spec.wake.access == Access::Public {
        return Err(conflict(format!(
            "`{name}` needs no link: anybody may wake it (spec.wake.access: public)"
        )));
    }
    // Without one, whoever reaches this call could make links: the manifest asks for more.
    let passes = api.passes.as_ref().filter(|_| !api.tokens.is_empty());
    let Some(passes) = passes else {
        return Err(conflict("links need a token to be asked with: set DORMOUSE_API_TOKEN".to_owned()));
    };
    let (token, until) = passes.link(&name);
    let url = format!("{}/?{PARAMETER}={token}", view.status.url.trim_end_matches('/'));
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(Link { url, expires_at: until })).into_response())
}

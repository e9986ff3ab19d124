//! Reading and deleting services.

use super::extract::{Caller, Name, Params};
use super::state::Api;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use dormouse_core::view::ServiceView;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// A view as an answer.
pub(super) struct Shown(pub(super) StatusCode, pub(super) Arc<ServiceView>);

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        (self.0, Json(&*self.1)).into_response()
    }
}

/// Services as an answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ServiceList")]
pub(super) struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<&'a ServiceView>,
}

/// `GET /v1/services`.
pub(super) async fn all(State(api): State<Api>, params: Params) -> Result<Response, Problem> {
    params.only(&[])?;
    let services = api.plane.services();
    let items = services.iter().map(|view| &**view).collect();
    Ok(Json(List { api_version: dormouse_manifests::API_VERSION, kind: "ServiceList", items })
        .into_response())
}

/// `GET /v1/services/{name}`.
pub(super) async fn get(State(api): State<Api>, Name(name): Name, params: Params) -> Result<Shown, Problem> {
    params.only(&[])?;
    match api.plane.service(&name) {
        Some(view) => Ok(Shown(StatusCode::OK, view)),
        None => Err(Problem::not_declared(&name)),
    }
}

/// `DELETE /v1/services/{name}`.
pub(super) async fn delete(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
    caller: Caller,
) -> Result<Shown, Problem> {
    params.only(&[])?;
    let view = api.plane.delete(&name).await?;
    caller.changed(&api, &name);
    Ok(Shown(StatusCode::ACCEPTED, view))
}

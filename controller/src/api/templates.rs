//! Templates: reading, declaring and deleting them.

use super::declare::{self, only};
use super::extract::{Name, Params, Whole};
use super::state::Api;
use crate::plane::{Declared, PlaneError};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use dormouse_core::view::TemplateView;
use dormouse_manifests::ServiceTemplate;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// Templates as an answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<TemplateView>,
}

/// `GET /v1/templates`.
pub(super) async fn all(State(api): State<Api>, params: Params) -> Result<Json<List>, Problem> {
    params.only(&[])?;
    let items = api.plane.templates();
    Ok(Json(List { api_version: dormouse_manifests::API_VERSION, kind: "ServiceTemplateList", items }))
}

/// `GET /v1/templates/{name}`.
pub(super) async fn get(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
) -> Result<Json<TemplateView>, Problem> {
    params.only(&[])?;
    let known = api.plane.templates().into_iter().find(|view| view.metadata.name == name);
    known.map(Json).ok_or_else(|| PlaneError::NoTemplate(name).into())
}

/// `PUT /v1/templates/{name}`: a manifest, YAML or JSON.
pub(super) async fn put(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
    Whole(body): Whole,
) -> Result<(StatusCode, Json<TemplateView>), Problem> {
    params.only(&[])?;
    let parsed = declare::parsed(&api, &body)?;
    let template: ServiceTemplate = only(parsed.templates, &name, &parsed.diagnostics, "templates")?;
    let (declared, view) = api.plane.declare_template(template).await?;
    let status = if declared == Declared::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view)))
}

/// `DELETE /v1/templates/{name}`.
pub(super) async fn delete(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
) -> Result<Json<TemplateView>, Problem> {
    params.only(&[])?;
    Ok(Json(api.plane.delete_template(&name).await?))
}

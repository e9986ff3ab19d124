//! Events and instances.

use super::extract::{Name, Params};
use super::state::Api;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use dormouse_core::view::{EventView, InstanceView};
use schemars::JsonSchema;
use serde::Serialize;

/// Several as an answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListOf{T}")]
pub(super) struct Items<T> {
    items: Vec<T>,
}

/// `GET /v1/services/{name}/events`.
pub(super) async fn of_service(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
) -> Result<Json<Items<EventView>>, Problem> {
    params.only(&[])?;
    if api.plane.service(&name).is_none() {
        return Err(Problem::not_declared(&name));
    }
    Ok(Json(Items { items: api.plane.events(Some(&name)) }))
}

/// `GET /v1/events`.
pub(super) async fn all(State(api): State<Api>, params: Params) -> Result<Json<Items<EventView>>, Problem> {
    params.only(&[])?;
    Ok(Json(Items { items: api.plane.events(None) }))
}

/// `GET /v1/instances`.
pub(super) async fn instances(
    State(api): State<Api>,
    params: Params,
) -> Result<Json<Items<InstanceView>>, Problem> {
    params.only(&[])?;
    Ok(Json(Items { items: api.plane.instances() }))
}

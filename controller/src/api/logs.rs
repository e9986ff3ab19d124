//! `GET /v1/services/{name}/logs`.

use super::extract::{Name, Params};
use super::state::Api;
use crate::logs::MOST;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use dormouse_aws::ports::CloudError;
use dormouse_core::logs::{Found, Line, Part, Since, Window, asleep, nothing};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lines of a service's containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLines {
    /// The newest, in the order in which they were written.
    pub items: Vec<Line>,
    /// There are, or may be, older ones in the stretch of time that was asked for.
    pub older: bool,
    /// Since when the service sleeps, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asleep: Option<String>,
    /// Why there are no lines, or none of the user's own containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
}

pub(super) async fn get(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
) -> Result<Json<LogLines>, Problem> {
    let params = params.only(&["container", "since", "tail"])?;
    let (part, since, tail) = (part(&params)?, since(&params)?, tail(&params)?);
    let view = api.plane.service(&name).ok_or_else(|| Problem::not_declared(&name))?;
    let reader = api.logs.as_ref().ok_or_else(|| {
        let detail = "the containers' lines go to no log group: set DORMOUSE_LOG_GROUP, and \
                      TASK_EXECUTION_ROLE_ARN, at the controller; a service writes to it from its next wake on";
        Problem::new(StatusCode::CONFLICT, "no-log-group", detail)
    })?;
    let window = Window::of(&view, &api.plane.events(Some(&name)), since, api.plane.now());
    let (items, older) = match window {
        None => (Vec::new(), false),
        Some(window) => reader
            .read(&part.prefix(&name, &view.spec), part, window, tail, api.plane.now())
            .await
            .map_err(|error| unread(reader.group(), &error))?,
    };
    let nothing = nothing(&view, Found { group: reader.group(), part, window, lines: &items });
    Ok(Json(LogLines { items, older, asleep: asleep(&view), nothing }))
}

fn unread(group: &str, error: &CloudError) -> Problem {
    match error {
        CloudError::NotFound { .. } => {
            let detail = format!(
                "there is no log group {group} (DORMOUSE_LOG_GROUP): make it, or name one that is in this \
                 account and region"
            );
            Problem::new(StatusCode::CONFLICT, "no-log-group", detail)
        }
        error => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-read", error.to_string()),
    }
}

fn part(params: &Params) -> Result<Part, Problem> {
    let Some(text) = params.get("container") else { return Ok(Part::default()) };
    let known = Part::ALL.into_iter().find(|part| part.name() == text);
    known.ok_or_else(|| Problem::invalid("container", text, &Part::ALL.map(Part::name).join(", ")))
}

fn since(params: &Params) -> Result<Since, Problem> {
    let Some(text) = params.get("since") else { return Ok(Since::default()) };
    Since::parse(text).ok_or_else(|| Problem::invalid("since", text, Since::ACCEPTED))
}

fn tail(params: &Params) -> Result<usize, Problem> {
    let Some(text) = params.get("tail") else { return Ok(MOST) };
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| Problem::invalid("tail", text, &format!("a number of lines, {MOST} at most")))
}

//! Declaring services.

use super::extract::{Caller, Name, Params, Whole};
use super::services::Shown;
use super::state::Api;
use crate::plane::Declared;
use crate::problem::Problem;
use axum::extract::State;
use dormouse_manifests::{Diagnostic, Located, Parsed, Service, ServiceTemplate, parse};
use http::StatusCode;

/// `PUT /v1/services/{name}`: a manifest, YAML or JSON.
pub(super) async fn put(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
    caller: Caller,
    Whole(body): Whole,
) -> Result<Shown, Problem> {
    params.only(&[])?;
    let parsed = parsed(&api, &body)?;
    let service: Service = only(parsed.services, &name, &parsed.diagnostics, "services")?;
    look_for_page(&api, &service);
    let (declared, view) = api.plane.declare(service).await?;
    if declared != Declared::Unchanged {
        caller.changed(&api, &name);
    }
    let status = if declared == Declared::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Shown(status, view))
}

/// A body's manifests, without mistakes.
pub(super) fn parsed(api: &Api, body: &[u8]) -> Result<Parsed, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|_| unprocessable("the body is not UTF-8: give a manifest, YAML or JSON".to_owned(), &[]))?;
    let mut parsed = parse("manifest", text);
    parsed.check(&|known| api.plane.service(known).is_some());
    if parsed.has_errors() {
        let first = parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let words = first.map_or_else(String::new, |first| format!(": {}", first.message));
        return Err(unprocessable(format!("the manifest is not valid{words}"), &parsed.diagnostics));
    }
    Ok(parsed)
}

/// The one manifest of a body that a call of this path takes.
pub(super) fn only<T: Named>(
    found: Vec<Located<T>>,
    name: &str,
    diagnostics: &[Diagnostic],
    of: &str,
) -> Result<T, Problem> {
    let count = found.len();
    let mut found = found.into_iter().map(|located| located.value);
    match (found.next(), found.next()) {
        (Some(one), None) if one.name() == name => Ok(one),
        (Some(one), None) => Err(unprocessable(
            format!("the manifest is of `{}`, the path of `{name}`: they must be the same", one.name()),
            diagnostics,
        )),
        _ => Err(unprocessable(
            format!("the body has {count} manifests of {of}: give exactly one, YAML or JSON"),
            diagnostics,
        )),
    }
}

/// What a manifest names.
pub(super) trait Named {
    fn name(&self) -> &str;
}

impl Named for Service {
    fn name(&self) -> &str {
        &self.metadata.name
    }
}

impl Named for ServiceTemplate {
    fn name(&self) -> &str {
        &self.metadata.name
    }
}

/// A page that is not there is no reason to refuse: another one is shown in its place.
fn look_for_page(api: &Api, service: &Service) {
    if let Some(page) = &service.spec.wake.theme.page
        && !api.pages.names().any(|known| known == page)
    {
        tracing::warn!(
            service = service.metadata.name,
            page,
            "there is no such page in DORMOUSE_PAGES (spec.wake.theme.page)"
        );
    }
}

fn unprocessable(detail: String, diagnostics: &[Diagnostic]) -> Problem {
    let listed: Vec<serde_json::Value> =
        diagnostics.iter().filter_map(|diagnostic| serde_json::to_value(diagnostic).ok()).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-manifest", detail).with("diagnostics", listed)
}

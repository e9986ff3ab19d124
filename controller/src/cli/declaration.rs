//! What a manifest declares, and what the server has: services and templates alike.

use super::failure::Failure;
use crate::client::{CallError, Client};
use dormouse_core::view::{ServiceView, TemplateView};
use dormouse_manifests::template::TemplateKind;
use dormouse_manifests::{ApiVersion, Kind, Metadata, Parsed, Service, ServiceTemplate, to_yaml};
use http::Method;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The answer of a call that lists.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

/// Something that a manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Declaration {
    Service(Box<Service>),
    Template(Box<ServiceTemplate>),
}

impl Declaration {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Declaration::Service(_) => "service",
            Declaration::Template(_) => "template",
        }
    }

    fn name(&self) -> &str {
        match self {
            Declaration::Service(service) => &service.metadata.name,
            Declaration::Template(template) => &template.metadata.name,
        }
    }

    /// As output names it: `service/hello`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }

    /// Its place in the API.
    pub(super) fn path(&self) -> String {
        format!("/v1/{}s/{}", self.kind(), self.name())
    }

    /// As a manifest; everything that was read can be written.
    pub(super) fn yaml(&self) -> String {
        match self {
            Declaration::Service(service) => to_yaml(service),
            Declaration::Template(template) => to_yaml(template),
        }
        .unwrap_or_default()
    }

    /// Declares it.
    pub(super) async fn put(&self, client: &Client) -> Result<(), CallError> {
        let json = match self {
            Declaration::Service(service) => serde_json::to_vec(service),
            Declaration::Template(template) => serde_json::to_vec(template),
        };
        let json = json.map_err(|error| CallError::Answer(error.to_string()))?;
        client.put(&self.path(), json).await.map(drop)
    }

    /// Deletes it.
    pub(super) async fn delete(&self, client: &Client) -> Result<(), CallError> {
        client.json::<serde_json::Value>(Method::DELETE, &self.path()).await.map(drop)
    }
}

/// What was parsed, templates first: services may be made from them.
pub(super) fn declarations(parsed: &Parsed) -> Vec<Declaration> {
    let templates = parsed.templates.iter().map(|one| Declaration::Template(Box::new(one.value.clone())));
    let services = parsed.services.iter().map(|one| Declaration::Service(Box::new(one.value.clone())));
    templates.chain(services).collect()
}

/// Something that the server has.
pub(super) struct Known {
    /// As it was declared.
    pub(super) declaration: Declaration,
    /// It is on its way out.
    pub(super) deleting: bool,
    /// A template made it: no manifest declares it.
    pub(super) made: bool,
}

/// What the server has, by title.
pub(super) struct Server(pub(super) BTreeMap<String, Known>);

impl Server {
    pub(super) async fn ask(client: &Client) -> Result<Server, Failure> {
        let services: List<ServiceView> = client.json(Method::GET, "/v1/services").await?;
        let templates: List<TemplateView> = client.json(Method::GET, "/v1/templates").await?;
        let services = services.items.into_iter().map(|view| Known {
            deleting: view.metadata.deleting,
            made: view.status.made_from.is_some(),
            declaration: Declaration::Service(Box::new(Service {
                api_version: ApiVersion::V1,
                kind: Kind::Service,
                metadata: Metadata { name: view.metadata.name, labels: view.metadata.labels },
                spec: view.spec.into_inner(),
            })),
        });
        let templates = templates.items.into_iter().map(|view| Known {
            deleting: false,
            made: false,
            declaration: Declaration::Template(Box::new(ServiceTemplate {
                api_version: ApiVersion::V1,
                kind: TemplateKind::ServiceTemplate,
                metadata: Metadata { name: view.metadata.name, labels: view.metadata.labels },
                spec: view.spec,
            })),
        });
        let all = services.chain(templates).map(|known| (known.declaration.title(), known));
        Ok(Server(all.collect()))
    }

    /// Checks manifests against each other and against what the server has.
    pub(super) fn check(&self, parsed: &mut Parsed) {
        let template = |known: &Known| match &known.declaration {
            Declaration::Template(template) => Some((**template).clone()),
            Declaration::Service(_) => None,
        };
        let templates: Vec<ServiceTemplate> = self.0.values().filter_map(template).collect();
        parsed.check_among(&|name| self.0.contains_key(&format!("service/{name}")), &templates);
    }
}

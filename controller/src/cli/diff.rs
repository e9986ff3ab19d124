//! What a manifest changes.

use super::args::FilesArgs;
use super::failure::Failure;
use super::manifests;
use super::output::Output;
use crate::client::Client;
use crate::exit::Exit;
use dormouse_core::view::ServiceView;
use dormouse_manifests::{ApiVersion, Kind, Metadata, Service, to_yaml};
use http::Method;
use serde::Deserialize;
use similar::TextDiff;
use std::collections::BTreeMap;

/// Services by name.
pub(super) type Known = BTreeMap<String, ServiceView>;

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

/// What the server has.
pub(super) async fn known(client: &Client) -> Result<Known, Failure> {
    let list: List<ServiceView> = client.json(Method::GET, "/v1/services").await?;
    Ok(list.items.into_iter().map(|view| (view.metadata.name.clone(), view)).collect())
}

/// The manifest that the server's view was declared with.
pub(super) fn declared(view: &ServiceView) -> Service {
    Service {
        api_version: ApiVersion::V1,
        kind: Kind::Service,
        metadata: Metadata { name: view.metadata.name.clone(), labels: view.metadata.labels.clone() },
        spec: view.spec.clone(),
    }
}

/// Lines that go and come; empty when nothing changes.
pub(super) fn between(before: Option<&Service>, after: Option<&Service>) -> String {
    // A service can always be written.
    let yaml =
        |service: Option<&Service>| service.and_then(|service| to_yaml(service).ok()).unwrap_or_default();
    let (before, after) = (yaml(before), yaml(after));
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(2).to_string()
}

/// `dormouse diff`.
pub(super) async fn run(args: &FilesArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut parsed = manifests::read(args)?;
    let known = known(client).await?;
    parsed.check(&|name| known.contains_key(name));
    let exit = manifests::report(&parsed, out);
    for service in &parsed.services {
        let name = &service.value.metadata.name;
        let before = known.get(name).map(declared);
        let diff = between(before.as_ref(), Some(&service.value));
        if !diff.is_empty() {
            out.data(&format!("service/{name}\n{diff}"));
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_manifests::ServiceSpec;

    #[test]
    fn only_what_changes_is_shown() {
        let before = Service::new("hello", ServiceSpec::defaults_for("nginx:1"));
        let mut after = before.clone();
        assert_eq!(between(Some(&before), Some(&after)), "");
        after.spec.image = Some("nginx:2".into());
        let diff = between(Some(&before), Some(&after));
        assert!(diff.contains("-  image: nginx:1\n+  image: nginx:2\n"), "{diff}");
        assert!(!diff.contains("gracePeriod"), "{diff}");
    }
}

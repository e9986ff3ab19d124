//! Templates: one document for every service whose name a pattern covers.

pub(crate) mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration;
use crate::load::parse;
use crate::patterns;
use crate::places::{self, Values};
use crate::types::{ApiVersion, Metadata, Service, ServiceSpec};

/// The kind of a template's document.
pub const TEMPLATE_KIND: &str = "ServiceTemplate";

/// Kind of a template's document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TemplateKind {
    /// `ServiceTemplate`.
    #[default]
    ServiceTemplate,
}

/// What services are made from that nobody declares one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceTemplate {
    /// `dormouse.dev/v1`.
    pub api_version: ApiVersion,
    /// `ServiceTemplate`.
    pub kind: TemplateKind,
    /// Its own name, and the labels of its services.
    pub metadata: Metadata,
    /// Which names it is for, and what they become.
    pub spec: TemplateSpec,
}

/// Which names a template is for, and what they become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateSpec {
    /// Names that it is for, such as `preview-*`: one `*`, which stands for at least one character.
    #[serde(rename = "match")]
    #[schemars(regex(pattern = patterns::MATCH))]
    pub pattern: String,
    /// So many services of it may be there at a time.
    #[serde(default = "default_max")]
    #[schemars(range(min = 1, max = 1000))]
    pub max: u32,
    /// A service of it is deleted this long after it last fell asleep.
    #[serde(default = "default_expiry", with = "duration::text")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub expire_after: Duration,
    /// The spec of its services. In its texts `{name}` is the service's name, and `{match}` what the `*` stands for.
    pub template: ServiceSpec,
}

pub(crate) fn default_max() -> u32 {
    10
}

pub(crate) fn default_expiry() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

impl ServiceTemplate {
    /// A template of the current version, with every default, without labels.
    pub fn new(name: &str, pattern: &str, template: ServiceSpec) -> ServiceTemplate {
        ServiceTemplate {
            api_version: ApiVersion::V1,
            kind: TemplateKind::ServiceTemplate,
            metadata: Metadata { name: name.to_owned(), labels: BTreeMap::new() },
            spec: TemplateSpec {
                pattern: pattern.to_owned(),
                max: default_max(),
                expire_after: default_expiry(),
                template,
            },
        }
    }

    /// What the `*` stands for in a name that it is for.
    pub fn captures<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (before, after) = self.spec.pattern.split_once('*')?;
        name.strip_prefix(before)?.strip_suffix(after).filter(|captured| !captured.is_empty())
    }

    /// The service of a name that it is for, checked as if somebody had declared it.
    ///
    /// # Errors
    /// The first thing that is wrong with the service, in words.
    pub fn service(&self, name: &str) -> Result<Service, String> {
        let captured = self.captures(name).ok_or_else(|| format!("`{}` is not for it", self.spec.pattern))?;
        let mut spec = serde_json::to_value(&self.spec.template).map_err(|error| error.to_string())?;
        fill(&mut spec, Values { name, captured });
        let spec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
        let mut service = Service::new(name, spec);
        service.metadata.labels.clone_from(&self.metadata.labels);
        let text = serde_json::to_string(&service).map_err(|error| error.to_string())?;
        let parsed = parse(&self.metadata.name, &text);
        match parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            Some(error) => Err(error.message.clone()),
            None => Ok(service),
        }
    }

    /// Whether there are names that both are for.
    pub fn overlaps(&self, other: &ServiceTemplate) -> bool {
        let (Some((before, after)), Some((others_before, others_after))) =
            (self.spec.pattern.split_once('*'), other.spec.pattern.split_once('*'))
        else {
            return false;
        };
        let is_start = before.starts_with(others_before) || others_before.starts_with(before);
        is_start && (after.ends_with(others_after) || others_after.ends_with(after))
    }

    /// Of two that are for the same name, the least is taken: the one that fixes more of it, then the first by name.
    fn rank(&self) -> (std::cmp::Reverse<usize>, &str) {
        (std::cmp::Reverse(self.spec.pattern.len()), &self.metadata.name)
    }

    /// Whether names that both are for are this one's.
    pub fn wins_over(&self, other: &ServiceTemplate) -> bool {
        self.rank() < other.rank()
    }
}

/// Fills the places in every text below a value. Names of variables are none.
fn fill(value: &mut Value, values: Values<'_>) {
    match value {
        Value::String(text) => *text = places::fill(text, values),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, values)),
        _ => {}
    }
}

/// The template that is for a name: of several, the one that fixes most of it, then the first by name.
pub fn template_for<'t>(
    templates: impl IntoIterator<Item = &'t ServiceTemplate>,
    name: &str,
) -> Option<&'t ServiceTemplate> {
    let fits = templates.into_iter().filter(|template| template.captures(name).is_some());
    fits.min_by(|a, b| a.rank().cmp(&b.rank()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, pattern: &str) -> ServiceTemplate {
        ServiceTemplate::new(name, pattern, ServiceSpec::defaults_for("demo"))
    }

    #[test]
    fn which_names_it_is_for() {
        for (pattern, name, captured) in [
            ("preview-*", "preview-42", Some("42")),
            ("preview-*", "preview-a-b", Some("a-b")),
            ("preview-*", "preview-", None),
            ("preview-*", "preview", None),
            ("preview-*", "my-preview-42", None),
            ("*-preview", "42-preview", Some("42")),
            ("a-*-b", "a-x-b", Some("x")),
            ("a-*-b", "a-b", None),
            ("a*a", "a", None),
            ("*", "anything", Some("anything")),
        ] {
            assert_eq!(template("t", pattern).captures(name), captured, "{pattern} {name}");
        }
    }

    #[test]
    fn the_one_that_fixes_most_is_taken() {
        let all = [template("any", "p-*"), template("b", "p-x-*"), template("a", "p-*-1")];
        let found = |name| template_for(&all, name).map(|template| template.metadata.name.as_str());
        assert_eq!(found("p-1"), Some("any"));
        assert_eq!(found("p-x-2"), Some("b"));
        assert_eq!(found("p-x-1"), Some("a"), "as much as the other: the first by name");
        assert_eq!(found("q-1"), None);
    }

    #[test]
    fn which_two_share_names() {
        for (one, other, shared) in [
            ("p-*", "p-*", true),
            ("p-*", "p-x-*", true),
            ("p-*", "*-1", true),
            ("p-*", "q-*", false),
            ("p-*-a", "p-*-b", false),
            ("p-*-a", "p-x*a", true),
            ("*", "q-*", true),
        ] {
            let (one, other) = (template("a", one), template("b", other));
            assert_eq!(one.overlaps(&other), shared, "{} {}", one.spec.pattern, other.spec.pattern);
            assert_eq!(other.overlaps(&one), shared);
        }
    }

    #[test]
    fn places_are_filled_in_every_text() {
        let mut template = template("t", "preview-*");
        let spec = &mut template.spec.template;
        spec.image = Some("registry/app:{match}".into());
        spec.command = vec!["serve".into(), "--name={name}".into()];
        spec.env.insert("BRANCH".into(), "{match}, not {{match}}".into());
        spec.secrets.insert("KEY".into(), "/preview/{match}/key".into());
        spec.depends_on = vec!["db-{match}".into()];
        spec.wake.theme.title = Some("Preview {match}".into());
        template.metadata.labels.insert("team".into(), "web".into());
        let service = template.service("preview-42").unwrap();
        assert_eq!(
            (service.metadata.name.as_str(), service.metadata.labels["team"].as_str()),
            ("preview-42", "web")
        );
        let spec = service.spec;
        assert_eq!(spec.image.as_deref(), Some("registry/app:42"));
        assert_eq!(spec.command, ["serve", "--name=preview-42"]);
        assert_eq!(spec.env["BRANCH"], "42, not {match}");
        assert_eq!(spec.secrets["KEY"], "/preview/42/key");
        assert_eq!(spec.depends_on, ["db-42"]);
        assert_eq!(spec.wake.theme.title.as_deref(), Some("Preview 42"));
    }

    #[test]
    fn what_does_not_make_a_valid_service_makes_none() {
        let mut template = template("t", "p-*");
        template.spec.template.depends_on = vec!["p-{match}".into()];
        assert_eq!(template.service("p-1").unwrap_err(), "`p-1` depends on itself");
        assert!(template.service("q-1").is_err());
    }
}

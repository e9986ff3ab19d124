//! The JSON Schema of manifests, for editors and for other programs.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::fargate;
use crate::template::ServiceTemplate;
use crate::types::Service;
use std::borrow::Cow;

/// A point in time as it is written, for the schemas of those who have one.
#[derive(Debug, Clone, Copy)]
pub struct TimeText;

impl JsonSchema for TimeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// The schema of any document, a service or a template, as draft 2020-12. The same is checked in as `manifests/schema.json`.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = [generator.subschema_for::<Service>(), generator.subschema_for::<ServiceTemplate>()];
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dormouse manifest",
        "oneOf": kinds,
        "$defs": generator.take_definitions(true),
    });
    // Which memory goes with which CPU cannot be said field by field.
    if let Some(proxy) = schema.pointer_mut("/$defs/ProxySpec").and_then(Value::as_object_mut) {
        proxy.insert("allOf".to_owned(), proxy_sizes());
    }
    schema
}

fn proxy_sizes() -> Value {
    fargate::cpu_sizes()
        .map(|cpu| {
            json!({
                "if": {"properties": {"cpu": {"const": cpu}}, "required": ["cpu"]},
                "then": {"properties": {"memory": {"enum": fargate::memory_sizes(cpu)}}},
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::schema;
    use crate::fields;

    /// The reader's names and the types' are the same.
    #[test]
    fn fields_are_those_of_the_types() {
        let schema = schema();
        for (pointer, section) in [
            ("/$defs/Service", &fields::DOCUMENT),
            ("/$defs/ServiceTemplate", &fields::DOCUMENT),
            ("/$defs/TemplateSpec", &fields::TEMPLATE),
            ("/$defs/Metadata", &fields::METADATA),
            ("/$defs/ServiceSpec", &fields::SPEC),
            ("/$defs/Health", &fields::HEALTH),
            ("/$defs/Wake", &fields::WAKE),
            ("/$defs/Theme", &fields::THEME),
            ("/$defs/Ignore", &fields::IGNORE),
            ("/$defs/AwakeWindow", &fields::AWAKE),
            ("/$defs/ProxySpec", &fields::PROXY),
            ("/$defs/Timeouts", &fields::TIMEOUTS),
        ] {
            let properties = schema.pointer(&format!("{pointer}/properties"));
            let properties = properties.and_then(Value::as_object).unwrap();
            let mut names = section.fields.to_vec();
            names.sort_unstable();
            let mut types: Vec<&str> = properties.keys().map(String::as_str).collect();
            types.sort_unstable();
            assert_eq!(names, types, "{pointer}");
        }
    }
}

//! What an answer holds.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What comes with a status.
#[derive(Clone, Copy)]
pub(in crate::api) enum Answer {
    Nothing,
    Text,
    Page,
    Events,
    /// The description.
    Document,
    /// What a sidecar is told.
    Heard,
    /// A value of a type.
    Json(fn(&mut SchemaGenerator) -> Schema),
}

/// The schema of a type.
pub(super) fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

impl Answer {
    /// Media type and schema; nothing: there is no body.
    fn content(self, schemas: &mut SchemaGenerator) -> Option<(&'static str, Value)> {
        let text = json!({"type": "string"});
        Some(match self {
            Answer::Nothing => return None,
            Answer::Text => ("text/plain", text),
            Answer::Page => ("text/html", text),
            Answer::Events => ("text/event-stream", text),
            Answer::Document => ("application/json", json!({"type": "object"})),
            Answer::Heard => ("application/json", heard()),
            Answer::Json(schema) => ("application/json", schema(schemas).to_value()),
        })
    }
}

/// All answers of a call, by status.
pub(super) fn responses(
    answers: &[(u16, Answer)],
    problems: impl IntoIterator<Item = u16>,
    schemas: &mut SchemaGenerator,
) -> Value {
    let mut responses = Map::new();
    let mut add = |status: u16, content: Option<(&str, Value)>| {
        let words = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let response = responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"description": words.unwrap_or_default()}));
        if let Some((media, schema)) = content {
            response["content"][media] = json!({"schema": schema});
        }
    };
    for (status, answer) in answers {
        add(*status, answer.content(schemas));
    }
    let problem = crate::problem::Problem::schema(schemas).to_value();
    for status in problems {
        add(status, Some((crate::problem::MEDIA_TYPE, problem.clone())));
    }
    responses.into()
}

/// Sidecars know it by heart: the types are theirs, and carry nothing that describes them.
fn heard() -> Value {
    json!({
        "type": "object",
        "required": ["intervalMs", "drain"],
        "properties": {
            "peer": {"type": "object"},
            "drain": {"type": "boolean"},
            "intervalMs": {"type": "integer", "minimum": 0},
            "controllers": {"type": "array", "items": {"type": "string"}},
        },
    })
}

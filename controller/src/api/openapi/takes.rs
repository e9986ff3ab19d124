//! What a call takes: its parameters and its body.

use super::calls::{Call, Takes, Value as Accepts};
use crate::logs::MOST;
use dormouse_core::logs::Part;
use serde_json::{Value, json};

/// What a path can name.
const LABEL: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
/// Durations of at most an hour, and of at most 30 days; as many as a pattern can say.
const WAIT: &str = "^([0-9]{1,4}ms|[0-9]{1,3}s|[0-5]?[0-9]m|1h)$";
const LONG: &str = "^([0-9]{1,5}s|[0-9]{1,4}m|[0-9]{1,2}h|[12]?[0-9]d|30d)$";
/// Times of this century, as many as a pattern can say.
const TIME: &str =
    "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$";

/// Parameters of path and query.
pub(super) fn parameters(call: &Call) -> Value {
    let of_path = call.path.contains("{name}").then(|| {
        json!({
            "name": "name", "in": "path", "required": true, "description": "The service's name, a DNS label",
            "schema": label(),
        })
    });
    let of_query = call.query.iter().map(|(name, description, accepts)| {
        let schema = match accepts {
            Accepts::Wait => json!({"type": "string", "pattern": WAIT}),
            Accepts::Long => json!({"type": "string", "pattern": LONG}),
            Accepts::Name => label(),
            Accepts::Part => json!({"enum": Part::ALL.map(Part::name)}),
            Accepts::Since => json!({"anyOf": [
                {"enum": ["wake", "previous-wake"]},
                {"type": "string", "pattern": LONG},
                {"type": "string", "pattern": TIME},
            ]}),
            Accepts::Lines => json!({"type": "integer", "minimum": 0, "maximum": MOST}),
            Accepts::Any => json!({"type": "string"}),
        };
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
    });
    of_path.into_iter().chain(of_query).collect()
}

fn label() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": LABEL})
}

fn manifest(schema: &str) -> Value {
    let manifest = json!({"schema": {"$ref": format!("#/components/schemas/{schema}")}});
    json!({"application/yaml": manifest, "application/json": manifest})
}

/// The body, when it takes one.
pub(super) fn body(takes: Takes) -> Option<Value> {
    let content = match takes {
        Takes::Nothing => return None,
        Takes::Manifest => manifest("Manifest"),
        Takes::Template => manifest("ManifestServiceTemplate"),
        Takes::Login => json!({
            "application/x-www-form-urlencoded": {"schema": {
                "type": "object", "required": ["token"], "properties": {"token": {"type": "string"}},
            }},
        }),
        // Both are the programs' own: `sidecars/peer` and `plane::StandbyReport` say what is in them.
        Takes::Heartbeat => json!({
            "application/json": {"schema": {
                "type": "object", "required": ["boot", "seq", "state"],
                "properties": {
                    "boot": {"type": "string"},
                    "seq": {"type": "integer", "minimum": 0},
                    "state": {"enum": ["starting", "serving", "draining", "stopping"]},
                },
            }},
        }),
        Takes::Report => json!({
            "application/json": {"schema": {
                "type": "object", "required": ["replica", "url"],
                "properties": {"replica": {"type": "string"}, "url": {"type": "string"}},
            }},
        }),
    };
    Some(json!({"required": true, "content": content}))
}

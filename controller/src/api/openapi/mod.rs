//! `/openapi.json`: the description of all of this, made from the types that are answered with.
//!
//! # Layout
//!
//! - `calls`: every call, as a table
//! - `takes`: parameters and bodies
//! - `answer`: what comes with a status

mod answer;
mod calls;
mod takes;

pub(super) use calls::{CALLS, For};

use axum::Json;
use axum::response::IntoResponse;
use calls::Call;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// Where a document's schemas are.
const SCHEMAS: &str = "/components/schemas";

/// `GET /openapi.json`.
pub(super) async fn get() -> impl IntoResponse {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(document))
}

fn document() -> Value {
    // What is answered, as it is written.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut schemas = settings.for_serialize().into_generator();
    let mut paths = Map::new();
    for call in CALLS {
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[call.method] = operation(call, &mut schemas);
    }
    let mut components = schemas.take_definitions(true);
    components.extend(manifest());
    let bearer = |of: &str| json!({"type": "http", "scheme": "bearer", "description": of});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dormouse",
            "description": "Scale-to-zero for Amazon ECS. Errors are application/problem+json (RFC 9457).",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": bearer("One of DORMOUSE_API_TOKEN, or of its like with fewer rights, when any is set"),
                "task": bearer("A task's own, which the controller gave it"),
                "controller": bearer("Another controller's of the installation"),
            },
            "schemas": components,
        },
    })
}

fn operation(call: &Call, schemas: &mut SchemaGenerator) -> Value {
    // What the guard answers.
    let guards: &[u16] = match (call.audience, call.method) {
        (For::Token, "get") => &[401],
        (For::Token, _) => &[401, 403],
        _ => &[],
    };
    let problems = call.problems.iter().chain(guards).copied();
    let mut operation = json!({
        "summary": call.summary,
        "parameters": takes::parameters(call),
        "responses": answer::responses(call.answers, problems, schemas),
    });
    let scheme = match call.audience {
        For::All => None,
        For::Token => Some("token"),
        For::Task => Some("task"),
        For::Controller => Some("controller"),
    };
    if let Some(scheme) = scheme {
        operation["security"] = json!([{scheme: []}]);
    }
    if let Some(body) = takes::body(call.takes) {
        operation["requestBody"] = body;
    }
    operation
}

/// The manifest and the parts of it, as they are read: not the same as what is answered, where defaults are resolved.
fn manifest() -> Map<String, Value> {
    let mut schema = dormouse_manifests::schema();
    let mut all = Map::new();
    if let Some(Value::Object(mut parts)) = schema.as_object_mut().and_then(|root| root.remove("$defs")) {
        all.extend(parts.remove("Service").map(|service| ("Manifest".to_owned(), service)));
        all.extend(parts.into_iter().map(|(name, part)| (format!("Manifest{name}"), part)));
    }
    all.values_mut().for_each(lead_to_components);
    all
}

fn lead_to_components(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(to) if name == "$ref" => {
                        *to = to.replace("#/$defs/", &format!("#{SCHEMAS}/Manifest"));
                    }
                    other => lead_to_components(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(lead_to_components),
        _ => {}
    }
}

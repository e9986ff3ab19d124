//! The checked-in JSON Schema is the one that the types have.

use dormouse_manifests::schema;
use serde_json::Value;

#[test]
fn the_file_is_up_to_date() {
    let file: Value = serde_json::from_str(include_str!("../schema.json")).unwrap();
    assert!(
        file == schema(),
        "manifests/schema.json is stale; renew it with: cargo run --bin dormouse -- schema > manifests/schema.json"
    );
}

#[test]
fn every_mapping_is_closed_and_every_field_described() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions.iter().map(|(name, value)| (name.as_str(), value)) {
        let Some(properties) = definition["properties"].as_object() else {
            continue;
        };
        assert_eq!(definition["additionalProperties"], Value::Bool(false), "{name}");
        for (field, property) in properties {
            assert!(property["description"].is_string(), "{name}.{field}");
        }
    }
}

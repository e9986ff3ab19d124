//! The examples: each one right, and all of them right together.

use std::fs;
use std::path::PathBuf;

use dormouse_manifests::{load, parse, schema, to_yaml};

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[test]
fn the_directory_can_be_applied() {
    let mut parsed = load(&[examples()]);
    parsed.check(&|_| false);
    let drawn: Vec<String> = parsed.diagnostics.iter().map(ToString::to_string).collect();
    assert!(drawn.is_empty(), "{}", drawn.join("\n"));
    let files = fs::read_dir(examples()).unwrap().filter_map(Result::ok);
    let files = files.filter(|file| file.path().extension().is_some_and(|ext| ext == "yaml"));
    assert!(parsed.services.len() + parsed.templates.len() >= files.count());
}

#[test]
fn each_one_can_be_written_and_read_again() {
    for service in load(&[examples()]).services {
        let yaml = to_yaml(&service.value).unwrap();
        let again = parse("again.yaml", &yaml);
        assert_eq!(again.diagnostics, [], "{yaml}");
        assert_eq!(again.services[0].value, service.value);
    }
}

/// What the schema lists, the full example and the template's show.
#[test]
fn the_full_example_has_every_field() {
    let text = |file: &str| fs::read_to_string(examples().join(file)).unwrap();
    let text = text("full.yaml") + &text("preview-template.yaml");
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        let Some(properties) = definition["properties"].as_object() else {
            continue;
        };
        for field in properties.keys() {
            // An image and a task definition exclude each other.
            if !["taskDefinition", "container"].contains(&field.as_str()) {
                assert!(text.contains(&format!("{field}:")), "{name}.{field}");
            }
        }
    }
    assert!(
        fs::read_to_string(examples().join("existing-task-definition.yaml")).unwrap().contains("container:")
    );
}

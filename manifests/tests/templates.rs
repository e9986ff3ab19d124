//! Templates: what is read, and what is said of mistakes.

use dormouse_manifests::{Parsed, ServiceSpec, ServiceTemplate, parse, to_yaml};
use std::time::Duration;

const TEMPLATE: &str = "\
apiVersion: dormouse.dev/v1
kind: ServiceTemplate
metadata: { name: preview, labels: { team: web } }
spec:
  match: \"preview-*\"
  max: 3
  expireAfter: 2d
  template:
    image: shop:{match}
    env: { NAME: \"{name}\", JSON: '{\"a\": {\"b\": 1}}' }
";

fn one(text: &str) -> ServiceTemplate {
    let mut parsed = parse("t.yaml", text);
    assert_eq!(parsed.diagnostics, [], "{}", drawn(&parsed));
    parsed.templates.remove(0).value
}

fn drawn(parsed: &Parsed) -> String {
    parsed.diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

#[test]
fn a_template_is_read_and_written() {
    let template = one(TEMPLATE);
    assert_eq!(template.metadata.name, "preview");
    let spec = &template.spec;
    assert_eq!((spec.pattern.as_str(), spec.max), ("preview-*", 3));
    assert_eq!(spec.expire_after, Duration::from_secs(2 * 86_400));
    assert_eq!(spec.template.image.as_deref(), Some("shop:{match}"), "places stay");
    assert_eq!(one(&serde_json::to_string(&template).unwrap()), template);
    let service = template.service("preview-42").unwrap();
    assert_eq!(service.spec.image.as_deref(), Some("shop:42"));
    assert_eq!(service.spec.env["NAME"], "preview-42");
    assert!(to_yaml(&service).is_ok());
}

#[test]
fn defaults() {
    let minimal = TEMPLATE.lines().filter(|line| !line.contains("max") && !line.contains("expire"));
    let template = one(&minimal.collect::<Vec<_>>().join("\n"));
    assert_eq!((template.spec.max, template.spec.expire_after), (10, Duration::from_secs(86_400)));
}

#[test]
fn mistakes() {
    for (from, to, message, help) in [
        (
            "\"preview-*\"",
            "preview",
            "`match` cannot be `preview`",
            "write names with one `*`, such as `preview-*`",
        ),
        (
            "\"preview-*\"",
            "\"*-a-*\"",
            "`match` cannot be `*-a-*`",
            "write names with one `*`, such as `preview-*`",
        ),
        (
            "\"preview-*\"",
            "\"Pre-*\"",
            "`match` cannot be `Pre-*`",
            "write names with one `*`, such as `preview-*`",
        ),
        ("{match}", "{mtach}", "there is no place `{mtach}`", "did you mean `{match}`?"),
        ("{name}", "{branch}", "there is no place `{branch}`", "write `{{branch}}` for the text `{branch}`"),
        ("max: 3", "max: 0", "`max` cannot be 0", ""),
        ("max: 3", "maximum: 3", "unknown field `maximum` in `spec`", "its fields are"),
        ("2d", "0s", "`expireAfter` cannot be zero", "a duration is written"),
        ("  match: \"preview-*\"\n", "", "`match` is missing in a template", "add `match: \"preview-*\"`"),
        ("image:", "imgae:", "unknown field `imgae` in `spec`", "did you mean `image`?"),
        (
            "name: preview,",
            "name: \"{match}\",",
            "the name `{match}` is not a DNS label",
            "did you mean `match`?",
        ),
        (
            "    image",
            "    dependsOn: [\"preview-{match}\"]\n    image",
            "a service of this template would not be valid: `preview-1` depends on itself",
            "that is `preview-1`, for instance",
        ),
    ] {
        let text = TEMPLATE.replace(from, to);
        let parsed = parse("t.yaml", &text);
        assert!(parsed.is_empty(), "{text}");
        let found = parsed.diagnostics.iter().find(|diagnostic| diagnostic.message == message);
        let Some(found) = found else { panic!("{message}:\n{}", drawn(&parsed)) };
        assert!(help.is_empty() || found.help.iter().any(|line| line.starts_with(help)), "{found}");
    }
}

#[test]
fn which_of_two_is_taken_is_said() {
    let other = TEMPLATE.replace("name: preview,", "name: longer,").replace("\"preview-*\"", "preview-x-*");
    let mut parsed = parse("t.yaml", &format!("{TEMPLATE}---\n{other}"));
    parsed.check(&|_| false);
    assert_eq!((parsed.templates.len(), parsed.has_errors()), (2, false));
    assert_eq!(
        drawn(&parsed),
        "\
warning: the template `preview` is for some of these names, too
  --> t.yaml:16:10
   |
16 |   match: preview-x-*
   |          ^^^^^^^^^^^ `longer` is taken for those: it fixes more of a name
   |
   = help: its `match` is `preview-*`
"
    );
}

#[test]
fn known_templates_count_and_the_one_that_is_replaced_does_not() {
    let known = |name: &str| ServiceTemplate::new(name, "*-x", ServiceSpec::defaults_for("demo"));
    let mut parsed = parse("t.yaml", TEMPLATE);
    parsed.check_templates(&[known("preview"), known("suffix")]);
    let words: Vec<&str> = parsed.diagnostics.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(words, ["the template `suffix` is for some of these names, too"]);
}

#[test]
fn a_name_is_given_once() {
    let mut parsed = parse("t.yaml", &format!("{TEMPLATE}---\n{TEMPLATE}"));
    parsed.check(&|_| false);
    assert_eq!(parsed.templates.len(), 1);
    assert!(parsed.has_errors());
    assert_eq!(parsed.diagnostics[0].message, "the template's name `preview` is given twice");
}

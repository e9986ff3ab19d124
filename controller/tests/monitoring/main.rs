//! The dashboard and the alert rules ask for numbers that there are: what a controller really exports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod nowhere;
mod promql;

use dormouse::activator::{Activator, Options};
use dormouse::metrics::{self, Metrics};
use dormouse::plane::{Asked, Plane};
use dormouse::reconcile::{Controller, ControllerPlane};
use dormouse::waker::Waker;
use dormouse_manifests::{Service, ServiceSpec};
use promql::{Query, Selector};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

fn file(name: &str) -> String {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../manifests/infrastructure/monitoring", name].iter().collect();
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a controller exports once a service was woken and put to sleep.
async fn exported() -> String {
    let controller = Controller::new(nowhere::parts());
    let plane = ControllerPlane(controller.clone());
    let service = Service::new("hello", ServiceSpec::defaults_for("demo"));
    plane.declare(service).await.unwrap();
    let asked = || Asked { origin: "api", reason: "a test".to_owned() };
    plane.wake("hello", asked(), None).await.unwrap();
    plane.sleep("hello", asked()).await.unwrap();
    let plane: Arc<dyn Plane> = Arc::new(plane);
    let waker = Waker::new(plane.clone());
    let activator = Activator::new(plane, waker.clone(), Options::default());
    let sources: [Arc<dyn Metrics>; 3] = [activator, Arc::new(waker), controller];
    metrics::text(&sources).unwrap()
}

/// Names that a query may use, by what `TYPE` says of each family.
fn names(text: &str) -> BTreeSet<String> {
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    families
        .flat_map(|(name, kind)| match kind {
            "histogram" => ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")).to_vec(),
            _ => vec![name.to_owned()],
        })
        .collect()
}

/// Every expression of the dashboard, by its panel's title.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&file("grafana/dormouse.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let panels = dashboard["panels"].as_array().unwrap();
    let all = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (text(&panel["title"]), text(&target["expr"])))
    });
    all.collect()
}

/// Every alert rule.
fn alerts() -> Vec<Value> {
    let rules: Value = serde_yaml::from_str(&file("alerts.yaml")).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap()).collect()
}

#[tokio::test]
async fn every_query_names_what_is_exported() {
    let text = exported().await;
    let names = names(&text);
    let alerts = alerts().into_iter().map(|rule| {
        let text = |name: &str| rule[name].as_str().unwrap().to_owned();
        (text("alert"), text("expr"))
    });
    let queries: Vec<(String, String)> = panels().into_iter().chain(alerts).collect();
    assert!(queries.len() > 40, "both files were read");
    let mut used = BTreeSet::new();
    for (of, expression) in &queries {
        let Query { selectors, .. } = promql::read(expression);
        assert!(!selectors.is_empty(), "{of}: {expression}");
        for Selector { name, labels } in selectors {
            assert!(names.contains(&name), "{of} asks for {name}, which nobody exports: {expression}");
            for (label, value) in labels {
                let sample = format!("{label}=\"{value}\"");
                let known = text.lines().any(|line| line.starts_with(&name) && line.contains(&sample));
                assert!(known, "{of}: no {name} has {sample}");
            }
            used.insert(name);
        }
    }
    let unused: Vec<&String> = names
        .iter()
        .filter(|name| {
            let family = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            !used.iter().any(|used| used.starts_with(family))
        })
        .collect();
    assert!(unused.is_empty(), "nobody looks at {unused:?}");
}

/// A label that a query groups by is one that its metric has, or Prometheus's own.
#[tokio::test]
async fn every_query_groups_by_labels_that_there_are() {
    let text = exported().await;
    let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
    for (family, label) in [
        ("dormouse_services", "phase"),
        ("dormouse_wakes_total", "origin"),
        ("dormouse_sleeps_total", "origin"),
        ("dormouse_refused_total", "reason"),
        ("dormouse_instances", "state"),
        ("dormouse_table_accesses_total", "access"),
    ] {
        assert!(text.contains(&format!("\n{family}{{{label}=\"")), "{family} has {label}: {text}");
        labels.insert(family, label);
    }
    // What is counted only once there is a call or a reconcile.
    labels.extend([
        ("dormouse_aws_calls_total", "operation"),
        ("dormouse_aws_throttled_total", "operation"),
        ("dormouse_aws_failed_total", "operation"),
        ("dormouse_wake_phase_duration_seconds_bucket", "phase"),
        ("dormouse_reconcile_duration_seconds_bucket", "key"),
        ("dormouse_reconcile_duration_seconds_count", "key"),
    ]);
    let alerts = alerts().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    for expression in panels().into_iter().map(|(_, expression)| expression).chain(alerts) {
        let Query { selectors, groups } = promql::read(&expression);
        for group in groups.iter().filter(|group| *group != "le") {
            let has = |selector: &Selector| labels.get(selector.name.as_str()) == Some(&group.as_str());
            assert!(selectors.iter().any(has), "{expression}: nothing has the label {group}");
        }
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let mut seen = BTreeSet::new();
    for rule in alerts() {
        let name = rule["alert"].as_str().unwrap();
        assert!(name.starts_with("Dormouse") && seen.insert(name.to_owned()), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "warn", "info"].contains(&severity), "{name}");
        for part in ["summary", "description"] {
            let text = rule["annotations"][part].as_str().unwrap_or_default();
            assert!(text.len() >= 15, "{name} has no {part}");
        }
    }
    assert!(seen.len() > 10);
}

/// The cases of the rules: which rule, and the series that are put in.
fn cases() -> Vec<(String, Vec<String>)> {
    let tests: Value = serde_yaml::from_str(&file("alerts_test.yaml")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let series = |case: &Value| {
        let series = case["input_series"].as_array().unwrap();
        series.iter().map(|one| text(&one["series"])).collect()
    };
    tests["tests"].as_array().unwrap().iter().map(|case| (text(&case["name"]), series(case))).collect()
}

/// Each rule has a case in which it fires and one in which it does not, of what is exported.
#[tokio::test]
async fn every_alert_is_tried() {
    let text = exported().await;
    let names = names(&text);
    let alerts = alerts().into_iter().map(|rule| rule["alert"].as_str().unwrap().to_owned());
    let cases = cases();
    assert_eq!(cases.iter().map(|(of, _)| of.clone()).collect::<Vec<_>>(), alerts.collect::<Vec<_>>());
    let tests: Value = serde_yaml::from_str(&file("alerts_test.yaml")).unwrap();
    for ((of, series), case) in cases.iter().zip(tests["tests"].as_array().unwrap()) {
        for one in series {
            let name = &promql::read(one).selectors[0].name;
            assert!(names.contains(name), "{of}: nobody exports {name}");
        }
        let looks = case["promql_expr_test"].as_array().unwrap();
        let fires: BTreeSet<i64> =
            looks.iter().map(|look| look["exp_samples"][0]["value"].as_i64().unwrap()).collect();
        assert_eq!(fires, BTreeSet::from([0, 1]), "{of}");
        let expression = looks[0]["expr"].as_str().unwrap();
        assert!(expression.contains(&format!("alertname=\"{of}\"")), "{of}: {expression}");
    }
}

/// Prometheus itself says when the rules fire. Skipped where its `promtool` is missing.
#[test]
fn alerts_fire_when_they_should() {
    let directory: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../manifests/infrastructure/monitoring"].iter().collect();
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        match Command::new("promtool").args(arguments).current_dir(&directory).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("skipped: there is no promtool");
                return;
            }
            Err(error) => panic!("{error}"),
            Ok(said) => assert!(said.status.success(), "{arguments:?}: {said:?}"),
        }
    }
}

#[test]
fn the_local_stack_has_the_files_that_there_are() {
    let compose: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../localstack"].iter().collect();
    let text = fs::read_to_string(compose.join("compose.yaml")).unwrap();
    let stack: Value = serde_yaml::from_str(&text).unwrap();
    let mut mounted = 0;
    for service in ["prometheus", "grafana"] {
        for volume in stack["services"][service]["volumes"].as_array().unwrap() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(compose.join(from).is_file(), "{from}");
            mounted += 1;
        }
    }
    assert_eq!(mounted, 5);
    let source: Value = serde_yaml::from_str(&file("grafana/datasource.yaml")).unwrap();
    let uid = &source["datasources"][0]["uid"];
    let dashboard: Value = serde_json::from_str(&file("grafana/dormouse.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(&target["datasource"]["uid"], uid, "{}", panel["title"]);
        }
    }
}

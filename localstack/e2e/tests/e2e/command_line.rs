//! What a user types.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::host;
use serde_json::Value;
use std::fs;

const HEAD: &str = "apiVersion: dormouse.dev/v1\nkind: Service\nmetadata:\n  name: hello\nspec:\n";

/// `dormouse validate` of a text: exit code 2, and every one of these in what it says.
#[track_caller]
fn refused(text: &str, says: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hello.yaml");
    fs::write(&file, text).unwrap();
    let outcome = cli::run(&["validate", "-f", file.to_str().unwrap()], "");
    assert_eq!(outcome.code, 2, "{outcome}");
    let said = format!("{}{}", outcome.out, outcome.err);
    for part in says {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    let piped = cli::run(&["validate", "-f", "-"], text);
    assert_eq!(piped.code, 2, "{piped}");
}

#[test]
fn an_invalid_manifest_is_shown_where_it_is_wrong() {
    refused(
        &format!("{HEAD}  image: nginx\n  idleAfer: 15m\n"),
        &[
            "unknown field `idleAfer` in `spec`",
            "hello.yaml:7:3",
            "7 |   idleAfer: 15m",
            "did you mean `idleAfter`?",
        ],
    );
    refused(
        &format!("{HEAD}  image: nginx\n  idleAfter: 15 minutes\n"),
        &["`idleAfter` cannot be `15 minutes`", "hello.yaml:7:14", "15m"],
    );
    refused(&format!("{HEAD}  image: nginx\n  port: \"80\"\n"), &["port", "hello.yaml:7:9"]);
    refused(&format!("{HEAD}  image: nginx\n  port: 70000\n"), &["port", "70000", "65535", "hello.yaml:7:9"]);
    refused(
        &format!("{HEAD}  image: nginx\n  image: httpd\n"),
        &["image", "hello.yaml:7:3", "hello.yaml", "6 |   image: nginx"],
    );
    refused(&format!("{HEAD}  port: 80\n"), &["`spec` has neither `image` nor `taskDefinition`"]);
    refused(
        &HEAD.replace("hello", "Hello_World").replace("spec:\n", "spec:\n  image: nginx\n"),
        &["the name `Hello_World` is not a DNS label", "did you mean `hello-world`?", "hello.yaml:4:9"],
    );
    refused(
        &format!("{HEAD}  image: nginx\n  dependsOn: [hello]\n"),
        &["`hello` depends on itself", "hello.yaml:7:15"],
    );
    refused(&format!("{HEAD}  image: nginx\n  env: [not, a, map]\n"), &["env", "hello.yaml:7:8"]);
    refused("apiVersion: v2\nkind: Service\n", &["apiVersion", "dormouse.dev/v1", "hello.yaml:1:13"]);
}

#[test]
fn a_valid_manifest_and_wrong_usage() {
    let fine = cli::run(&["validate", "-f", "-"], &format!("{HEAD}  image: nginx\n"));
    assert_eq!(fine.code, 0, "{fine}");
    assert_eq!(cli::run(&["validate"], "").code, 2);
    assert_eq!(cli::run(&["hibernate", "hello"], "").code, 2);
    assert_eq!(cli::run(&["validate", "-f", "/nowhere/hello.yaml"], "").code, 2);
    let unreachable = cli::run(&["get"], "");
    assert_eq!(unreachable.code, 5, "{unreachable}");
    assert!(unreachable.out.is_empty() && unreachable.err.contains("127.0.0.1:9"), "{unreachable}");
    let schema: Value = serde_json::from_str(&cli::run(&["schema"], "").fine()).unwrap();
    assert!(schema.to_string().contains("idleAfter"));
}

#[test]
fn from_apply_to_delete() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let cli = |arguments: &[&str]| cli::with(&controller, arguments);
        let file = world.directory().join("hello.yaml");
        fs::write(&file, Manifest::app("hello").document().to_string()).unwrap();
        let file = file.to_str().unwrap();

        let dry = cli(&["apply", "-f", file, "--dry-run"]).fine();
        assert!(dry.contains("hello"), "{dry}");
        assert_eq!(cli(&["get", "services", "hello"]).code, 3, "a dry run declares nothing");
        assert!(cli(&["apply", "-f", file]).fine().contains("created"));
        assert!(cli(&["apply", "-f", file]).fine().contains("unchanged"));

        let table = cli(&["get"]).fine();
        let (head, row) =
            (table.lines().next().unwrap_or_default(), table.lines().nth(1).unwrap_or_default());
        for column in ["NAME", "STATE", "READY", "IDLE-IN", "LAST-WAKE", "AGE", "URL"] {
            assert!(head.contains(column), "{table}");
        }
        assert!(row.starts_with("hello") && row.contains("Asleep"), "{table}");

        let woken = cli(&["wake", "hello", "--wait"]);
        assert_eq!(woken.code, 0, "{woken}");
        assert!(world.task("hello", Role::Service).is_running());
        assert_eq!(world.get("hello", "/").status, 200);
        let shown: Value =
            serde_json::from_str(&cli(&["get", "services", "hello", "-o", "json"]).fine()).unwrap();
        assert!(shown.to_string().contains("\"phase\":\"Awake\""), "{shown}");
        assert_eq!(cli(&["get", "services", "-o", "name"]).fine().trim(), "service/hello");
        let described = cli(&["describe", "hello"]).fine();
        for part in ["hello", "Awake", "Ready", world.task("hello", Role::Proxy).address()] {
            assert!(described.contains(part), "{part}: {described}");
        }
        assert!(cli(&["why", "hello"]).fine().contains("hello"));
        assert!(cli(&["get", "instances"]).fine().contains("i-"));
        assert!(cli(&["get", "events", "hello"]).fine().contains("Woken"));

        let slept = cli(&["sleep", "hello", "--wait"]);
        assert_eq!(slept.code, 0, "{slept}");
        world.nothing_of("hello");
        // Whole seconds are kept: it may take one until it has slept for any.
        eventually("its hours are reckoned", SOON, || {
            let costs: Value = serde_json::from_str(&cli(&["cost", "-o", "json"]).fine()).unwrap();
            let month = &costs["services"][0]["months"][0];
            let fields = ["awakeHours", "asleepHours", "spent", "saved"];
            let reckoned = |field: &str| month[field].as_f64().is_some_and(|value| value > 0.0);
            holds(fields.into_iter().all(reckoned), costs.to_string())
        });
        assert!(cli(&["cost"]).fine().contains("(all)"));
        assert_eq!(cli(&["delete", "hello"]).code, 0);
        eventually("it is gone", SOON, || {
            let outcome = cli(&["get", "services", "hello"]);
            holds(outcome.code == 3, outcome.to_string())
        });
        for command in [&["wake", "nobody"][..], &["describe", "nobody"], &["delete", "nobody"]] {
            let outcome = cli(command);
            assert_eq!((outcome.code, outcome.out.as_str()), (3, ""), "{command:?}: {outcome}");
        }
    });
}

#[test]
fn one_bad_document_leaves_its_neighbours_alone() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let good = Manifest::app("good").document().to_string();
        let bad = good.replace("\"good\"", "\"bad\"").replace("\"cpu\"", "\"cpus\"");
        let outcome = cli::with_input(&controller, &["apply", "-f", "-"], &format!("{bad}\n---\n{good}\n"));
        assert_eq!(outcome.code, 2, "{outcome}");
        assert!(outcome.err.contains("unknown field `cpus`"), "{outcome}");
        assert!(outcome.out.contains("good"), "{outcome}");
        assert!(controller.api.find("good").is_ok() && controller.api.find("bad").is_err());
    });
}

#[test]
fn waiting_for_what_does_not_come_times_out() {
    run(Options::default().group(0, 0, 0), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let outcome = cli::with(&controller, &["wake", "hello", "--wait", "--timeout", "2s"]);
        assert_eq!(outcome.code, 4, "{outcome}");
        assert!(outcome.err.contains("maximum"), "it says why: {outcome}");
    });
}

#[test]
fn a_token_is_asked_for_where_it_should_be() {
    let options = Options::default().controller("DORMOUSE_API_TOKEN", "let-me-in");
    run(options, |world| {
        let controller = world.controller();
        let put = |token: Option<&str>| {
            let mut request =
                Request::new("PUT", "c", "/v1/services/hello").header("Content-Type", "application/json");
            if let Some(token) = token {
                request = request.header("Authorization", &format!("Bearer {token}"));
            }
            let to = format!("{}:9070", controller.address()).parse().unwrap();
            request.body(Manifest::app("hello").document().to_string()).send(to).unwrap().status
        };
        assert_eq!((put(None), put(Some("let-me-out"))), (401, 401));
        assert!(put(Some("let-me-in")) < 300);
        assert_eq!(controller.api.call("GET", "/v1/services").status, 401);
        assert_eq!(controller.api.call("GET", "/healthz").status, 200);
        // The public way in is the activator; heartbeats carry tokens of their own.
        let answer = Request::new("GET", &host("hello"), "/").send(controller.activator()).unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        eventually("its record stands", SOON, || holds(world.record("hello").is_some(), "none"));
    });
}

//! Manifests that come and go.

use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use std::fs;
use std::time::Duration;

#[test]
fn a_directory_is_applied_at_the_start_and_when_it_changes() {
    run(Options::default(), |world| {
        let directory = world.directory().join("manifests");
        fs::create_dir(&directory).unwrap();
        let write = |name: &str, manifest: &Manifest| {
            // Whole at once, as a config map or a checkout would.
            let draft = world.directory().join("draft");
            fs::write(&draft, manifest.document().to_string()).unwrap();
            fs::rename(draft, directory.join(name)).unwrap();
        };
        write("one.yaml", &Manifest::app("one").env("VALUE", "1"));
        let mut controller = world.controller_with(&[("DORMOUSE_MANIFESTS", directory.to_str().unwrap())]);
        controller.is_up();
        world.is_open();
        controller.until("it is declared", "one", |_| true);
        assert_eq!(world.get("one", "/env?name=VALUE").text(), "1");
        controller.ready("one");

        write("two.yaml", &Manifest::app("two"));
        fs::write(directory.join("broken.yaml"), "apiVersion: dormouse.dev/v1\nkind: Servce\n").unwrap();
        controller.until("the new one is declared, whatever its neighbour", "two", |_| true);
        assert_eq!(world.get("two", "/").status, 200);

        controller.kill();
        write("one.yaml", &Manifest::app("one").env("VALUE", "2"));
        controller.start_again();
        controller.until("the change is seen at the next start", "one", |service| {
            service.0["metadata"]["generation"] == 2
        });
        eventually("it comes into use", SOON, || {
            let value = world.get("one", "/env?name=VALUE").text();
            holds(value == "2", value)
        });
        world.one_pair("one");
    });
}

#[test]
fn deleting_ends_tasks_and_records_first() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        controller.api.delete("hello");
        eventually("it is gone", SOON, || match controller.api.find("hello") {
            Err(error) if error.starts_with("404") => Ok(()),
            Err(error) => Err(error),
            Ok(service) => Err(service.0["status"].to_string()),
        });
        world.nothing_of("hello");
        assert_eq!(controller.api.call("GET", "/api/hello").status, 404);
        let families = world.aws.ecs("ListTaskDefinitions", &serde_json::json!({"status": "ACTIVE"}));
        let left: Vec<_> = families["taskDefinitionArns"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|arn| arn.to_string().contains("hello"))
            .collect();
        assert!(left.is_empty(), "its task definitions are deregistered: {left:?}");
        controller.declare(&Manifest::app("hello"));
        assert_eq!(world.get("hello", "/").status, 200, "and it can come back");
    });
}

#[test]
fn who_only_observes_changes_nothing() {
    run(Options::default().controller("DORMOUSE_POLICY", "observe"), |world| {
        let controller = world.controller_with(&[]);
        controller.is_up();
        controller.declare(&Manifest::app("hello"));
        let _ = controller.api.send("POST", "/v1/services/hello/wake", None, Duration::from_secs(10));
        steadily("nothing happens", Duration::from_secs(3), || {
            let calls = world.control.get("stats")["callers"]
                [world.ids["env"]["AWS_ACCESS_KEY_ID"].as_str().unwrap()]
            .clone();
            let changing = [
                "ecs.RunTask",
                "ecs.StopTask",
                "ecs.RegisterTaskDefinition",
                "route53.ChangeResourceRecordSets",
                "autoscaling.SetDesiredCapacity",
            ];
            holds(changing.iter().all(|operation| calls[*operation].is_null()), calls.to_string())
        });
    });
}

//! What is not Dormouse's stays as it is.

use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::{Role, Task};
use dormouse_e2e::world::{DOMAIN, host};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_foreign_record_of_the_same_name_is_a_conflict_and_stays() {
    let taken = json!([{"name": host("taken"), "type": "A", "values": ["192.0.2.7"], "ttl": 120}]);
    run(Options::default().seed("records", taken), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("taken"));
        controller.declare(&Manifest::app("free"));
        controller.api.wake("taken");
        let shown = controller.until("the conflict shows", "taken", |service| service.is("Conflict"));
        let (_, message) = shown.why("Conflict");
        assert!(message.contains("192.0.2.7"), "{message}");
        controller.wake("free");
        let shown = controller.api.service("taken");
        assert!(!shown.is("Ready") && shown.is("Degraded"), "{}", shown.0["status"]);
        assert_eq!(world.record("taken").as_deref(), Some("192.0.2.7"));

        // Once the name is free, nothing has to be asked for again.
        world.aws.change_record(world.id("hostedZone"), "DELETE", &host("taken"), "A", 120, &["192.0.2.7"]);
        controller.ready("taken");
        // Put back, so that the end finds all as it was.
        controller.api.sleep("taken");
        controller.api.sleep("free");
        world.nothing_of("taken");
        world.aws.change_record(world.id("hostedZone"), "CREATE", &host("taken"), "A", 120, &["192.0.2.7"]);
    });
}

#[test]
fn an_outsider_who_changes_our_record_is_not_fought() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let ours = world.record("hello").unwrap();
        world.aws.change_record(world.id("hostedZone"), "UPSERT", &host("hello"), "A", 1, &["192.0.2.9"]);
        controller.until("the conflict shows", "hello", |service| service.is("Conflict"));
        steadily("the outsider's value stands", Duration::from_secs(3), || {
            let record = world.record("hello");
            holds(record.as_deref() == Some("192.0.2.9"), format!("{record:?}, ours was {ours}"))
        });
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        assert_eq!(world.record("hello").as_deref(), Some("192.0.2.9"));
    });
}

#[test]
fn a_record_that_an_outsider_removes_is_restored() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let ours = world.record("hello").unwrap();
        world.aws.change_record(world.id("hostedZone"), "DELETE", &host("hello"), "A", 1, &[&ours]);
        eventually("it is back", SOON, || {
            let record = world.record("hello");
            holds(record.as_deref() == Some(ours.as_str()), format!("{record:?}"))
        });
    });
}

#[test]
fn a_foreign_task_keeps_its_instance_and_its_life() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let network =
            json!({"subnets": [world.ids["subnets"][0]], "securityGroups": [world.ids["securityGroup"]]});
        let answer = world.aws.ecs(
            "RunTask",
            &json!({
                "cluster": world.ids["clusters"][1],
                "taskDefinition": "foreign",
                "launchType": "EC2",
                "startedBy": "dormouse-of-another-name",
                "networkConfiguration": {"awsvpcConfiguration": network},
            }),
        );
        let arn = answer["tasks"][0]["taskArn"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let foreign = || Task::new(world.control.get(&format!("tasks/{}", arn.rsplit('/').next().unwrap())));
        eventually("the foreign task runs", SOON, || holds(foreign().is_running(), foreign().to_string()));
        controller.api.sleep("hello");
        world.nothing_of("hello");
        steadily("task and instance stay", Duration::from_secs(5), || {
            holds(foreign().is_running() && world.instances() == 1, foreign().to_string())
        });
        world.aws.ecs("StopTask", &json!({"cluster": world.ids["clusters"][1], "task": arn}));
        world.has_instances(0);
    });
}

#[test]
fn a_task_of_ours_that_an_outsider_stops_is_replaced() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let proxy = world.task("hello", Role::Proxy);
        world.aws.ecs("StopTask", &json!({"cluster": proxy.cluster(), "task": proxy.arn()}));
        world.stopped(&proxy);
        controller.until("a new pair is ready", "hello", |service| {
            service.is("Ready") && service.0["status"]["proxy"]["taskArn"] != proxy.arn()
        });
        assert_eq!(world.get("hello", "/").status, 200);
    });
}

#[test]
fn rows_of_the_replaced_system_do_no_harm_and_stay() {
    run(Options::default(), |world| {
        let rows = [
            json!({"serviceName": {"S": "hello"}, "ttl": {"N": "4102444800"}, "lockedAt": {"S": "2024-01-01"}}),
            json!({"serviceName": {"S": "wrapper-hello"}, "ttl": {"N": "1"}, "body": {"S": "not ours"}}),
        ];
        let table = |operation: &str, more: &serde_json::Value| {
            let mut parameters = json!({"TableName": world.id("table")});
            parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.aws.dynamodb(operation, &parameters)
        };
        for row in &rows {
            table("PutItem", &json!({"Item": row}));
        }
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        assert_eq!(world.get("hello", "/").status, 200);
        controller.ready("hello");
        controller.api.delete("hello");
        world.nothing_of("hello");
        eventually("its own row is gone", SOON, || {
            let scan = table("Scan", &json!({}));
            let items = scan["Items"].as_array().cloned().unwrap_or_default();
            for row in &rows {
                assert!(items.contains(row), "{row} was changed: {scan}");
            }
            holds(!items.iter().any(|item| item["serviceName"]["S"] == "svc#hello"), scan.to_string())
        });
        let text: Vec<String> = world.records().into_iter().map(|record| record.name).collect();
        assert!(!text.contains(&format!("hello._dormouse.{DOMAIN}")), "{text:?}");
    });
}

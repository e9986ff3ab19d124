//! No room: the conditions say why, and all goes on once there is some.

use dormouse_e2e::api::Service;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use serde_json::json;
use std::collections::BTreeSet;

fn lacks(service: &Service, reason: &str) -> bool {
    service.why("CapacityAvailable").0 == reason && !service.is("CapacityAvailable") && service.is("Degraded")
}

#[test]
fn the_group_may_have_no_instance() {
    run(Options::default().group(0, 0, 0), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.api.wake("hello");
        let shown = controller.until("the condition shows", "hello", |service| lacks(service, "AtMaximum"));
        assert!(shown.why("Degraded").1.contains("maximum"), "{}", shown.0["status"]);
        let answer = controller.api.call("GET", "/api/hello?status=true");
        assert!(answer.text().contains("maximum"), "who waits is told why: {answer}");

        let group = world.id("asg");
        world.aws.autoscaling("UpdateAutoScalingGroup", &[("AutoScalingGroupName", group), ("MaxSize", "1")]);
        controller.ready("hello");
    });
}

#[test]
fn the_provider_has_no_instance() {
    run(Options::default(), |world| {
        world.control.post("capacity", &json!({"insufficient": true}));
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.api.wake("hello");
        let shown =
            controller.until("the condition shows", "hello", |service| lacks(service, "LaunchFailed"));
        assert!(shown.why("CapacityAvailable").1.contains("sufficient"), "{}", shown.0["status"]);
        world.control.post("capacity", &json!({"insufficient": false}));
        controller.ready("hello");
    });
}

#[test]
fn without_spot_capacity_a_proxy_is_on_demand() {
    run(Options::default(), |world| {
        world.control.post("capacity", &json!({"insufficientSpot": true}));
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("proxy.spot", true));
        let shown = controller.wake("hello");
        assert_eq!(shown.why("CapacityAvailable").0, "SpotFallback", "{}", shown.0["status"]);
        assert_eq!(world.get("hello", "/").status, 200);
        // It is remembered of the pool: the next one does not try first.
        let before = world.calls("ecs.RunTask");
        controller.declare(&Manifest::app("other").spec("proxy.spot", true));
        controller.wake("other");
        assert_eq!(world.calls("ecs.RunTask") - before, 2);
    });
}

#[test]
fn network_interfaces_run_out_before_the_setting_says() {
    run(Options::default().local("--eni-limit=1").group(0, 2, 0), |world| {
        let controller = world.controller();
        for name in ["one", "two", "three"] {
            controller.declare(&Manifest::app(name));
        }
        controller.wake("one");
        controller.wake("two");
        let instances: BTreeSet<String> =
            ["one", "two"].iter().map(|name| world.task(name, Role::Service).instance().to_owned()).collect();
        assert_eq!(instances.len(), 2, "each instance has one interface for tasks");
        controller.api.wake("three");
        controller.until("the condition shows", "three", |service| lacks(service, "AtMaximum"));
        controller.api.sleep("one");
        controller.ready("three");
    });
}

#[test]
fn a_task_that_fits_on_no_instance_says_so() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("small"));
        controller.declare(&Manifest::app("large").spec("memory", 1_000_000));
        controller.wake("small");
        controller.api.wake("large");
        let shown = controller.until("the condition shows", "large", |service| lacks(service, "TooLarge"));
        assert!(shown.why("CapacityAvailable").1.contains("1000032 MiB"), "{}", shown.0["status"]);
        assert_eq!(world.instances(), 1, "no instance is started in vain");
    });
}

#[test]
fn instances_follow_the_services() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            controller.declare(&Manifest::app(name));
            controller.api.wake(name);
        }
        for name in names {
            controller.ready(name);
        }
        world.has_instances(2);
        let stats = world.control.get("stats");
        let highest = stats["setDesiredCapacity"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["to"].as_u64())
            .max();
        assert_eq!(highest, Some(2), "no instance is started in vain: {}", stats["setDesiredCapacity"]);

        // Those of one instance: the other one goes on as it is.
        let stays = world.task("e", Role::Service).instance().to_owned();
        for name in names {
            if world.task(name, Role::Service).instance() != stays {
                controller.api.sleep(name);
            }
        }
        world.has_instances(1);
        controller.ready("e");
        assert_eq!(world.task("e", Role::Service).instance(), stays);
        assert_eq!(world.get("e", "/").status, 200);
    });
}

#[test]
fn an_image_that_cannot_be_pulled_says_so() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("image", "no-such-image:1"));
        controller.api.wake("hello");
        let shown = controller.until("the reason shows", "hello", |service| service.is("Degraded"));
        let (reason, message) = shown.why("Degraded");
        assert_eq!(reason, "CrashLoop", "{}", shown.0["status"]);
        assert!(message.contains("no-such-image"), "{message}");
        controller.api.sleep("hello");
        world.nothing_of("hello");
    });
}

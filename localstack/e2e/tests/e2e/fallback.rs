//! Where there is no capacity of the wanted kind, another kind serves, and the conditions say why.

use dormouse_e2e::cli;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use serde_json::json;

#[test]
fn a_service_is_answered_from_fargate_while_no_instance_launches() {
    run(Options::default(), |world| {
        world.control.post("capacity", &json!({"insufficient": true}));
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("fallback", "fargate"));
        assert_eq!(world.get("hello", "/").status, 200, "the request that woke it");
        let shown = controller.ready("hello");
        let (reason, message) = shown.why("CapacityAvailable");
        assert_eq!(reason, "FargateFallback", "{}", shown.0["status"]);
        assert!(message.contains("sufficient"), "in AWS's words: {message}");
        assert!(!shown.is("Degraded"), "{}", shown.0["status"]);
        let task = world.task("hello", Role::Service);
        assert_eq!((task.truth()["launchType"].as_str(), task.instance()), (Some("FARGATE"), ""));
        let described = cli::with(&controller, &["describe", "hello"]).fine();
        assert!(described.contains("FargateFallback"), "{described}");

        // Once there is capacity again, the next wake has an instance.
        world.control.post("capacity", &json!({"insufficient": false}));
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        let shown = controller.wake("hello");
        assert_eq!(shown.why("CapacityAvailable").0, "Placed", "{}", shown.0["status"]);
        assert_ne!(world.task("hello", Role::Service).instance(), "");
    });
}

#[test]
fn one_that_fits_on_no_instance_runs_on_fargate_beside_those_that_do() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("small").spec("fallback", "fargate"));
        controller.declare(&Manifest::app("large").spec("memory", 100_000).spec("fallback", "fargate"));
        let shown = controller.wake("small");
        assert_eq!(shown.why("CapacityAvailable").0, "Placed", "{}", shown.0["status"]);
        let shown = controller.wake("large");
        assert_eq!(shown.why("CapacityAvailable").0, "FargateFallback", "{}", shown.0["status"]);
        assert_eq!(world.get("large", "/").status, 200);
        assert_eq!(world.instances(), 1, "no instance is started in vain");
    });
}

#[test]
fn a_proxy_that_spot_accepted_and_could_not_keep_is_on_demand() {
    run(Options::default(), |world| {
        world.control.post("capacity", &json!({"insufficientSpotLater": true}));
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("proxy.spot", true));
        let shown = controller.wake("hello");
        assert_eq!(shown.why("CapacityAvailable").0, "SpotFallback", "{}", shown.0["status"]);
        assert_eq!(shown.0["status"]["failures"], json!(null), "nothing of its own failed");
        // It is remembered of the pool: the next one does not try first.
        controller.declare(&Manifest::app("other").spec("proxy.spot", true));
        controller.wake("other");
        assert_eq!(world.tasks_ever("other", Role::Proxy).len(), 1);
    });
}

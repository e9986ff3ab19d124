//! Manifests that change while somebody uses them.

use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::http::Request;
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::{World, host};
use std::thread;
use std::time::Duration;

fn says(version: &str) -> Manifest {
    Manifest::app("hello").env("VERSION", version)
}

fn version(world: &World) -> String {
    world.get("hello", "/env?name=VERSION").text()
}

#[test]
fn a_changed_manifest_comes_into_use_and_no_request_is_lost() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&says("old"));
        controller.wake("hello");
        let before = (world.task("hello", Role::Proxy), world.task("hello", Role::Service));
        let to = world.resolve("hello");
        // What is in flight at the old pair is finished by it.
        let slow = Request::new("GET", &host("hello"), "/slow?ms=4000");
        let slow = thread::spawn(move || slow.send(to).map(|answer| answer.status));
        let load = Load::start(world, "hello", 6, Duration::from_millis(20));
        eventually("the load runs", SOON, || holds(load.answered() > 50, "few answers"));

        controller.declare(&says("new"));
        let mut phases = Vec::new();
        eventually("the new one answers", SOON, || {
            phases.push(controller.api.service("hello").phase().to_owned());
            let version = version(world);
            holds(version == "new", version)
        });
        phases.retain(|phase| phase != "Awake");
        assert_eq!(phases, Vec::<String>::new(), "it was awake all the time");
        assert_eq!(slow.join().unwrap().unwrap(), 200);
        eventually("the old pair is gone", SOON, || {
            let (proxy, service) = (world.again(&before.0), world.again(&before.1));
            holds(!proxy.is_live() && !service.is_live(), format!("{proxy} {service}"))
        });
        let answered = load.answered();
        eventually("the load goes on", SOON, || holds(load.answered() > answered + 50, "few answers"));
        load::all_answered(world, "hello", &load.stop());

        let (proxy, service) = (world.again(&before.0), world.again(&before.1));
        assert_eq!(proxy.exit_code("dormouse-proxy"), Some(0), "{proxy}");
        let ended = proxy.time("executionStoppedAt");
        assert!(
            service.time("stoppingAt") >= ended,
            "the service stops once the proxy's container has ended"
        );
        let service = controller.ready("hello");
        assert_eq!(service.epoch(), 1, "nobody had to wake it");
    });
}

#[test]
fn one_that_does_not_come_up_leaves_the_old_one_serving() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&says("old"));
        controller.wake("hello");
        let load = Load::start(world, "hello", 3, Duration::from_millis(20));
        controller.declare(&says("broken").env("EXIT_AT_START", "3"));
        let service = controller.until("it says so", "hello", |service| service.is("Degraded"));
        let (reason, message) = service.why("Degraded");
        assert_eq!(reason, "RolloutFailed");
        assert!(message.contains("generation 2 did not become ready"), "{message}");
        steadily("the old one serves", Duration::from_secs(3), || {
            let version = version(world);
            holds(version == "old", version)
        });
        controller.declare(&says("mended"));
        eventually("the next one comes", SOON, || {
            let version = version(world);
            holds(version == "mended", version)
        });
        load::all_answered(world, "hello", &load.stop());
        controller.until("all is well", "hello", |service| !service.is("Degraded"));
        world.one_pair("hello");
    });
}

#[test]
fn asleep_the_next_wake_uses_it() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&says("old"));
        controller.wake("hello");
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        controller.declare(&says("new"));
        steadily("it sleeps on", Duration::from_secs(2), || {
            let phase = controller.api.service("hello").phase().to_owned();
            holds(phase == "Asleep", phase)
        });
        assert_eq!(version(world), "new");
    });
}

#[test]
fn what_fails_its_check_is_rolled_back() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&says("good").spec("rolloutCheck", true));
        // The first manifest is tried, too.
        controller.until("it was tried, and sleeps", "hello", |service| {
            service.phase() == "Asleep" && service.0["status"]["lastSleep"]["origin"] == "rollout"
        });
        let broken = says("bad").spec("rolloutCheck", true).env("EXIT_AT_START", "3");
        controller.declare(&broken);
        // Three tries, ten and twenty seconds apart.
        let service = eventually("it is rolled back", SOON * 2, || {
            let service = controller.api.find("hello")?;
            let back = service.why("Degraded").0 == "RolledBack" && service.phase() == "Asleep";
            if back { Ok(service) } else { Err(service.0["status"].to_string()) }
        });
        assert_eq!(service.0["spec"]["env"]["VERSION"], "good");
        let (_, message) = service.why("Degraded");
        assert!(message.contains("generation 2 did not come up"), "{message}");
        assert_eq!(version(world), "good");
    });
}

//! Idleness, drains, and requests that come in between.

use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::flapping;
use dormouse_e2e::http::Request;
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::host;
use std::thread;
use std::time::Duration;

#[test]
fn an_idle_service_goes_to_zero_and_takes_its_instance_along() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("2s"));
        assert_eq!(world.get("hello", "/").status, 200);
        controller.ready("hello");
        let (proxy, service) = (world.task("hello", Role::Proxy), world.task("hello", Role::Service));

        let asleep = controller.phase("hello", "Asleep");
        assert_eq!(asleep.0["status"]["lastSleep"]["origin"], "idle", "{}", asleep.0["status"]);
        world.nothing_of("hello");
        world.has_instances(0);
        let (proxy, service) = (world.again(&proxy), world.again(&service));
        assert_eq!(
            (proxy.exit_code("dormouse-proxy"), service.exit_code("dormouse-service")),
            (Some(0), Some(0))
        );
        let ended = proxy.time("executionStoppedAt");
        assert!(
            service.time("stoppingAt") >= ended,
            "the service stops once the proxy's container has ended"
        );
        assert_eq!(world.resolve("hello"), controller.activator(), "its name leads to the activator again");
        assert_eq!(world.get("hello", "/").status, 200, "and it wakes again");
        assert_eq!(controller.ready("hello").epoch(), 2);
    });
}

#[test]
fn use_keeps_it_awake() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("2s"));
        controller.wake("hello");
        let to = world.resolve("hello");
        let slow = Request::new("GET", &host("hello"), "/slow?ms=5000");
        let slow = thread::spawn(move || slow.send(to).map(|answer| answer.status));
        steadily("a request in flight keeps it awake", Duration::from_secs(4), || {
            let phase = controller.api.service("hello").phase().to_owned();
            holds(phase == "Awake", phase)
        });
        assert_eq!(slow.join().unwrap().unwrap(), 200);
        controller.phase("hello", "Asleep");
    });
}

#[test]
fn no_request_is_lost_while_it_falls_asleep_and_wakes_again_and_again() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").drain("3s"));
        controller.wake("hello");
        let load = Load::start(world, "hello", 6, Duration::from_millis(20));
        for round in 1..=4 {
            let before = load.answered();
            eventually("the load runs", SOON, || holds(load.answered() > before + 20, "few answers"));
            // Once at once, later at other moments of the drain.
            let epoch = controller.api.service("hello").epoch();
            controller.api.sleep("hello");
            controller.until("a request has woken it", "hello", |service| service.epoch() > epoch);
            controller.ready("hello");
            assert!(round < 9);
        }
        let outcomes = load.stop();
        load::all_answered(world, "hello", &outcomes);
    });
}

#[test]
fn nothing_is_lost_or_done_twice_while_it_flaps() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let flapped = flapping::flap(world, &controller, Duration::from_secs(25));
        load::all_answered(world, "flap", &flapped.outcomes);
        assert!(flapped.wakes >= 4 && flapped.slept >= 1, "{} {}", flapped.wakes, flapped.slept);
    });
}

#[test]
fn a_request_during_the_drain_keeps_the_same_pair() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").drain("20s"));
        controller.wake("hello");
        let proxy = world.task("hello", Role::Proxy);
        let to = world.resolve("hello");
        // Something in flight holds the drain open.
        let slow = Request::new("GET", &host("hello"), "/slow?ms=6000");
        let slow = thread::spawn(move || slow.send(to).map(|answer| answer.status));
        eventually("the proxy tells of the request", SOON, || {
            let activity = controller.api.service("hello").0["status"]["activity"].clone();
            holds(activity["inFlight"].as_u64() > Some(0), activity.to_string())
        });
        controller.api.sleep("hello");
        eventually("its record is withdrawn", SOON, || holds(world.record("hello").is_none(), "it stands"));
        assert_eq!(
            world.get("hello", "/").status,
            200,
            "the activator serves by the pair that is still there"
        );
        let shown = controller.ready("hello");
        assert_eq!(shown.epoch(), 2, "{}", shown.0["status"]);
        assert_eq!(slow.join().unwrap().unwrap(), 200);
        assert_eq!(world.task("hello", Role::Proxy).id(), proxy.id());
        assert_eq!(world.tasks_ever("hello", Role::Service).len(), 1);
    });
}

#[test]
fn a_drain_waits_for_what_is_in_flight_and_no_longer_than_it_may() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("patient").drain("20s"));
        controller.declare(&Manifest::app("strict").drain("1s"));
        let slow = |name: &str, ms: u32| {
            controller.wake(name);
            let (to, request) =
                (world.resolve(name), Request::new("GET", &host(name), &format!("/slow?ms={ms}")));
            let request = thread::spawn(move || request.send(to).map(|answer| answer.status));
            controller.until("it is in flight", name, |service| {
                service.0["status"]["activity"]["inFlight"].as_u64() > Some(0)
            });
            request
        };
        let (patient, strict) = (slow("patient", 8000), slow("strict", 60_000));
        controller.api.sleep("patient");
        controller.api.sleep("strict");
        assert_eq!(patient.join().unwrap().unwrap(), 200, "it gets its answer before its proxy ends");
        world.nothing_of("patient");
        world.nothing_of("strict");
        // A client that was cut off knows that it was.
        assert!(strict.join().unwrap().map_or(true, |status| status >= 500));
        let events = controller.api.events("strict").to_string();
        assert!(events.contains("DrainCut"), "{events}");
    });
}

#[test]
fn the_container_asks_for_its_own_sleep() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        assert_eq!(world.get("hello", "/sleep?why=done").status, 200);
        let asleep = controller.phase("hello", "Asleep");
        assert_eq!(asleep.0["status"]["lastSleep"]["origin"], "container", "{}", asleep.0["status"]);
        world.nothing_of("hello");
        for role in Role::ALL {
            assert_eq!(world.tasks_ever("hello", role).len(), 1, "it was not restarted: {role:?}");
        }
    });
}

#[test]
fn what_was_answered_before_it_was_put_to_sleep_does_not_wake_it() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        // Long enough for the proxy to report rarely.
        steadily("it is steady", Duration::from_secs(2), || {
            let service = controller.api.find("hello")?;
            holds(service.is("Ready"), service.0["status"].to_string())
        });
        for _ in 0..5 {
            assert_eq!(world.get("hello", "/").status, 200);
        }
        controller.api.sleep("hello");
        world.nothing_of("hello");
        assert_eq!(controller.api.service("hello").epoch(), 1);
    });
}

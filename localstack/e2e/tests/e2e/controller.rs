//! The controller dies, at any moment, or for good.

use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::faults::{self, Fault};
use dormouse_e2e::http::Request;
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::{self, Role};
use dormouse_e2e::world::{World, host};
use jiff::Timestamp;
use rustix::process::Signal;
use std::thread;
use std::time::{Duration, Instant};

/// Ready, with one pair that is the only one there ever was.
fn one_pair(world: &World, controller: &Controller) {
    controller.ready("hello");
    for role in Role::ALL {
        let ever = world.tasks_ever("hello", role);
        assert_eq!(ever.len(), 1, "{role:?}: {}", dormouse_e2e::world::list(&ever));
    }
    assert_eq!(world.get("hello", "/").status, 200);
}

#[test]
fn killed_before_run_task() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        Fault::http500("ecs.RunTask").for_ever().install(&world.control);
        let before = world.calls("ecs.RunTask");
        controller.api.wake("hello");
        eventually("it has tried", SOON, || holds(world.calls("ecs.RunTask") > before, "no call"));
        controller.kill();
        faults::clear(&world.control);
        controller.start_again();
        one_pair(world, &controller);
    });
}

#[test]
fn killed_while_run_task_is_under_way() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let fault = Fault::delay("ecs.RunTask", 700).times(2).install(&world.control);
        controller.api.wake("hello");
        eventually("a call is on its way", SOON, || holds(faults::hits(&world.control, fault) > 0, "none"));
        controller.crash();
        one_pair(world, &controller);
    });
}

#[test]
fn killed_between_run_task_and_ready() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "2500"));
        controller.api.wake("hello");
        eventually("both tasks run", SOON, || {
            let runs = |role| tasks::live(&world.control, "hello", role).iter().any(|task| task.is_running());
            holds(Role::ALL.into_iter().all(runs), "not yet")
        });
        controller.crash();
        one_pair(world, &controller);
    });
}

#[test]
fn killed_while_a_request_is_held_the_next_one_is_answered() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "1500"));
        let to = controller.activator();
        let held = thread::spawn(move || Request::new("GET", &host("hello"), "/").send(to));
        controller.until("the request has woken it", "hello", |service| service.epoch() == 1);
        controller.crash();
        assert!(held.join().unwrap().is_err(), "the client sees its connection end");
        one_pair(world, &controller);
    });
}

#[test]
fn who_comes_before_the_table_is_read_is_held_until_it_is() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.kill();
        Fault::delay("dynamodb.Scan", 1500).for_ever().install(&world.control);
        controller.launch_again();
        let request = Request::new("GET", &host("hello"), "/").patience(Duration::from_secs(60));
        let answer = eventually("the activator listens", SOON, || request.send(controller.activator()));
        faults::clear(&world.control);
        assert_eq!(answer.status, 200, "{answer}");
    });
}

#[test]
fn killed_while_awake_nobody_notices() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let load = Load::start(world, "hello", 3, Duration::from_millis(50));
        controller.crash();
        let known = world.tasks_ever("hello", Role::Proxy);
        steadily("it stays awake", Duration::from_secs(4), || {
            let service = controller.api.find("hello")?;
            holds(service.phase() == "Awake", service.0["status"].to_string())
        });
        controller.crash();
        controller.ready("hello");
        load::all_answered(world, "hello", &load.stop());
        assert_eq!(world.task("hello", Role::Proxy).id(), known[0].id());
        one_pair(world, &controller);
    });
}

#[test]
fn a_restart_neither_forgets_idleness_nor_invents_it() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("busy").idle_after("4s"));
        controller.declare(&Manifest::app("idle").idle_after("12s"));
        controller.wake("busy");
        controller.wake("idle");
        assert_eq!(world.get("idle", "/").status, 200);
        let last_use = Instant::now();
        // In use for longer than its `idleAfter`, by connections that only its proxy sees.
        let load = Load::start(world, "busy", 1, Duration::from_millis(200));
        eventually("it is used for long", SOON, || {
            holds(last_use.elapsed() > Duration::from_secs(6), "not yet")
        });
        controller.kill();
        eventually("it is down for a while", SOON, || {
            holds(last_use.elapsed() > Duration::from_secs(9), "not yet")
        });
        let restarted = Timestamp::now();
        controller.start_again();
        steadily("what is in use stays awake", Duration::from_secs(5), || {
            let service = controller.api.find("busy")?;
            holds(service.0["status"]["desired"] == "Awake", service.0["status"].to_string())
        });
        let idle = controller.until("the other one falls asleep", "idle", |service| {
            service.0["status"]["desired"] == "Asleep"
        });
        let after = last_use.elapsed();
        assert!(after >= Duration::from_secs(12), "too early: {after:?}");
        let used: Timestamp =
            idle.0["status"]["activity"]["lastRequestAt"].as_str().unwrap().parse().unwrap();
        assert!(used < restarted, "the restart has started the clock anew: {used}, {restarted}");
        assert_eq!(controller.api.service("busy").epoch(), 1);
        load::all_answered(world, "busy", &load.stop());
    });
}

#[test]
fn killed_while_draining() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").drain("20s"));
        controller.wake("hello");
        let to = world.resolve("hello");
        let slow = thread::spawn(move || Request::new("GET", &host("hello"), "/slow?ms=6000").send(to));
        controller.until("it is in flight", "hello", |service| {
            service.0["status"]["activity"]["inFlight"].as_u64() > Some(0)
        });
        controller.api.sleep("hello");
        eventually("its record is withdrawn", SOON, || holds(world.record("hello").is_none(), "it stands"));
        controller.crash();
        let answer = slow.join().unwrap().unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        // When the crash took the change's id along, a minute is waited for the name servers instead.
        eventually("it is asleep", Duration::from_secs(100), || {
            let service = controller.api.find("hello")?;
            holds(service.phase() == "Asleep", service.0["status"].to_string())
        });
        world.nothing_of("hello");
        for role in Role::ALL {
            assert_eq!(world.tasks_ever("hello", role).len(), 1, "{role:?}");
        }
    });
}

#[test]
fn without_a_controller_an_idle_pair_ends_itself() {
    let options = Options::default().proxy("IDLE_MARGIN_MS", "1000");
    run(options, |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("3s"));
        controller.wake("hello");
        let (proxy, service) = (world.task("hello", Role::Proxy), world.task("hello", Role::Service));
        controller.kill();
        let to = dormouse_e2e::world::socket(proxy.address());
        let answer = Request::new("GET", &host("hello"), "/").send(to).unwrap();
        assert_eq!(answer.status, 200, "without a controller it serves on: {answer}");
        let ended = world.stopped(&proxy);
        assert_eq!(ended.exit_code("dormouse-proxy"), Some(11), "{ended}");
        let ended = world.stopped(&service);
        assert_eq!(ended.exit_code("dormouse-service"), Some(10), "{ended}");
        controller.start_again();
        world.nothing_of("hello");
        let phase = controller.phase("hello", "Asleep");
        assert_eq!(phase.epoch(), 1, "that it ended itself is no reason to wake it");
        assert_eq!(world.get("hello", "/").status, 200);
    });
}

#[test]
fn without_a_controller_a_busy_pair_lives_on() {
    let options = Options::default().proxy("IDLE_MARGIN_MS", "500");
    run(options, |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("2s"));
        controller.wake("hello");
        let load = Load::start(world, "hello", 2, Duration::from_millis(100));
        controller.kill();
        let start = Instant::now();
        eventually("three idle times have passed", SOON, || {
            holds(start.elapsed() > Duration::from_secs(8), "not yet")
        });
        load::all_answered(world, "hello", &load.stop());
        controller.start_again();
        one_pair(world, &controller);
    });
}

#[test]
fn an_orderly_end_leaves_services_awake() {
    run(Options::default().controller("DORMOUSE_LEASE", "300s"), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        controller.wake("hello");
        let status = controller.terminate();
        assert!(status.success(), "{status}");
        controller.start_again();
        one_pair(world, &controller);
        // Only who leads does this, and nobody waits here for a lease to run out: it was given back.
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
    });
}

#[test]
fn a_second_controller_takes_over_from_a_frozen_one() {
    run(Options::default().expect_error("lease"), |world| {
        let mut first = world.controller();
        first.declare(&Manifest::app("hello"));
        first.signal(Signal::STOP);
        let second = world.controller();
        second.wake("hello");
        one_pair(world, &second);
        first.signal(Signal::CONT);
        let status = first.ended();
        assert!(!status.success(), "who has lost the lease ends: {status}");
        steadily("the second one keeps it awake", Duration::from_secs(2), || {
            let service = second.api.find("hello")?;
            holds(service.is("Ready"), service.0["status"].to_string())
        });
        one_pair(world, &second);
    });
}

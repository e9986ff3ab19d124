//! Who wakes a service, and what ends its being awake.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use std::time::Duration;

#[test]
fn a_day_has_so_many_wakes_and_a_restart_gives_no_more() {
    run(Options::default(), |world| {
        let mut controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("wake.dailyBudget", 1));
        assert_eq!(world.get("hello", "/").status, 200);
        controller.ready("hello");
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        let refused = world.get("hello", "/");
        assert_eq!((refused.status, refused.json()["reason"].as_str()), (429, Some("daily-budget")));
        assert!(refused.header("retry-after").is_some());
        eventually("it is told", SOON, || {
            let events = controller.api.events("hello").to_string();
            holds(events.contains("a request did not wake it (daily-budget)"), events)
        });
        assert_eq!(controller.terminate().code(), Some(0));
        controller.start_again();
        assert_eq!(world.get("hello", "/").status, 429, "the record knows");
        let told = cli::with(&controller, &["describe", "hello"]).fine();
        assert!(told.contains("Wakes today: 1 of 1, by requests"), "{told}");
        // Who may, still can.
        controller.wake("hello");
    });
}

#[test]
fn a_time_that_is_up_ends_even_what_is_used_and_no_request_is_lost() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").spec("maxAwake", "8s").drain("3s"));
        controller.wake("hello");
        let first = world.task("hello", Role::Proxy);
        let why = cli::with(&controller, &["why", "hello"]).fine();
        assert!(why.contains("used or not (maxAwake: 8s)"), "{why}");
        let load = Load::start(world, "hello", 4, Duration::from_millis(50));
        controller.until("it was put to sleep, and woken anew", "hello", |service| service.epoch() > 1);
        world.stopped(&first);
        let before = load.answered();
        eventually("the new pair answers", SOON, || holds(load.answered() > before + 20, "few answers"));
        let service = controller.api.service("hello");
        assert_eq!(service.0["status"]["lastSleep"]["origin"], "maxAwake", "{}", service.0["status"]);
        load::all_answered(world, "hello", &load.stop());
    });
}

//! Who wakes a service, and what ends its being awake.

use dormouse_e2e::cli;
use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::http::Request;
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::host;
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

#[test]
fn a_container_that_is_busy_does_not_fall_asleep() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").idle_after("1s").spec("busyPath", "/busy"));
        controller.wake("hello");
        assert_eq!(world.get("hello", "/work").status, 200);
        steadily("it stays awake", Duration::from_secs(6), || {
            let service = controller.api.find("hello")?;
            holds(service.phase() == "Awake", service.0["status"].to_string())
        });
        let why = cli::with(&controller, &["why", "hello"]).fine();
        assert!(why.contains("busy"), "{why}");
        assert_eq!(world.get("hello", "/rest").status, 200);
        controller.phase("hello", "Asleep");
    });
}

#[test]
fn a_link_lets_in_once_and_only_where_it_was_made_for() {
    const TOKEN: &str = "a-token-of-the-tests";
    let options = Options::default().controller("DORMOUSE_API_TOKEN", TOKEN);
    run(options, |world| {
        let controller = world.controller();
        let to = controller.activator();
        let call = |method: &str, path: &str, body: String| {
            let api = std::net::SocketAddr::new(to.ip(), 9070);
            let request = Request::new(method, &api.to_string(), path);
            request.header("Authorization", &format!("Bearer {TOKEN}")).body(body).send(api).unwrap()
        };
        for name in ["hello", "other"] {
            let manifest = Manifest::app(name).spec("wake.access", "token").document().to_string();
            assert_eq!(call("PUT", &format!("/v1/services/{name}"), manifest).status, 201);
        }
        let ask = |name: &str, target: &str, cookie: &str| {
            let request = Request::new("GET", &host(name), target).header("Cookie", cookie);
            request.header("Accept", "text/html").header("Sec-Fetch-Mode", "navigate").send(to).unwrap()
        };
        assert_eq!(ask("hello", "/", "").status, 401);
        let made = call("POST", "/v1/services/hello/link", String::new());
        assert_eq!(made.status, 201, "{made}");
        let url = made.json()["url"].as_str().unwrap().to_owned();
        let target = url.strip_prefix(&format!("http://{}:9060", host("hello"))).unwrap();
        assert_eq!(ask("other", target, "").status, 401, "another service's");
        let entered = ask("hello", target, "");
        assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "{entered}");
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(ask("hello", target, "").status, 401, "it was used");
        assert_eq!(ask("other", "/", &cookie).status, 401);
        assert_eq!(ask("hello", "/", &cookie).status, 503, "the waiting page");
        // What the service sees has neither.
        let echo = Request::new("GET", &host("hello"), "/echo").header("Cookie", &format!("a=1; {cookie}"));
        let echo = echo.send(to).unwrap();
        assert!(echo.status == 200 && echo.text().to_lowercase().contains("cookie: a=1\r\n"), "{echo}");
        assert!(!echo.text().contains("dormouse_pass"), "{echo}");
    });
}

//! First requests.

use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::http::Request;
use dormouse_e2e::load;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::host;
use std::time::Duration;

#[test]
fn the_first_request_wakes_from_zero_instances() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        assert_eq!((world.instances(), controller.phase("hello", "Asleep").epoch()), (0, 0));
        assert_eq!(world.resolve("hello"), controller.activator(), "the wildcard leads to the activator");

        let answer = world.get("hello", "/");
        let service = world.task("hello", Role::Service);
        assert_eq!((answer.status, answer.text().ends_with(service.id())), (200, true), "{answer}");

        let shown = controller.ready("hello");
        let proxy = world.task("hello", Role::Proxy);
        assert_eq!(
            world.record("hello").as_deref(),
            Some(proxy.address()),
            "then its own record leads to its proxy"
        );
        assert_eq!((shown.phase(), shown.epoch()), ("Awake", 1));
        for kind in ["CapacityAvailable", "ServiceRunning", "ProxyRunning"] {
            assert!(shown.is(kind), "{kind}: {}", shown.0["status"]);
        }
        controller.until("all name servers and both halves agree", "hello", |service| {
            service.is("DnsPublished") && service.is("PeersHealthy")
        });
        assert_eq!(world.get("hello", "/").text(), answer.text(), "by the proxy it is the same service");
        assert_eq!(world.instances(), 1);
    });
}

#[test]
fn a_warm_instance_takes_the_next_service() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("first"));
        controller.declare(&Manifest::app("second"));
        controller.wake("first");
        assert_eq!(world.get("second", "/").status, 200);
        controller.ready("second");
        let instance = |name| world.task(name, Role::Service).instance().to_owned();
        assert_eq!(instance("first"), instance("second"));
        assert_eq!(world.instances(), 1);
    });
}

#[test]
fn fifty_first_requests_wake_one_pair() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let outcomes = load::at_once(world, "hello", 50);
        load::all_answered(world, "hello", &outcomes);
        assert_eq!(outcomes.len(), 50);
        controller.ready("hello");
        for role in Role::ALL {
            assert_eq!(world.tasks_ever("hello", role).len(), 1, "{role:?}");
        }
    });
}

#[test]
fn a_browser_gets_the_waiting_page_and_a_script_the_status() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "1500"));
        let browser = |host: &str, target: &str| {
            Request::new("GET", host, target)
                .header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
                .header("Sec-Fetch-Mode", "navigate")
                .header("Sec-Fetch-Dest", "document")
        };
        let before = controller.api.call("GET", "/api/hello?status=true");
        assert_eq!(before.json()["status"], "starting", "{before}");
        assert_eq!(controller.phase("hello", "Asleep").epoch(), 0, "a question wakes nobody");

        let page = browser(&host("hello"), "/").send(controller.activator()).unwrap();
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
        assert!(page.text().to_lowercase().contains("<html"), "{page}");
        controller.until("the page has woken it", "hello", |service| service.epoch() == 1);
        let starting = controller.api.call("GET", "/api/hello");
        assert_eq!((starting.status, &starting.json()["status"]), (202, &"starting".into()), "{starting}");

        controller.ready("hello");
        let ready = controller.api.call("GET", "/api/hello");
        assert_eq!((ready.status, &ready.json()["status"]), (200, &"ready".into()), "{ready}");
        assert_eq!(ready.json()["url"], format!("http://{}:9060", host("hello")));
        let old_address = controller.api.call("GET", "/hello");
        assert_eq!(old_address.status, 303, "{old_address}");
    });
}

#[test]
fn only_declared_names_wake_and_not_for_everything() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let ask = |name: &str, target: &str, agent: &str| {
            let request = Request::new("GET", &host(name), target).header("User-Agent", agent);
            request.patience(Duration::from_secs(10)).send(controller.activator()).unwrap().status
        };
        assert_eq!(ask("nobody", "/", "curl/8"), 404);
        assert_eq!(ask("hell", "/", "curl/8"), 404);
        assert_eq!(ask("hello2", "/", "curl/8"), 404);
        for target in ["/favicon.ico", "/robots.txt"] {
            let status = ask("hello", target, "Mozilla/5.0");
            assert!(status < 500, "{target}: {status}");
        }
        assert_eq!(controller.api.call("GET", "/api/nobody").status, 404);
        assert_eq!(controller.api.call("GET", "/api/No_Body").status, 400);
        steadily("nothing was woken", Duration::from_secs(1), || {
            let epoch = controller.api.service("hello").epoch();
            holds(epoch == 0 && world.calls("ecs.RunTask") == 1, format!("epoch {epoch}"))
        });
    });
}

#[test]
fn a_dependency_is_woken_first_and_slept_last() {
    run(Options::default(), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("db").idle_after("1s"));
        controller.declare(&Manifest::app("web").spec("dependsOn", vec!["db"]));
        controller.wake("web");
        controller.ready("db");
        steadily("the database stays awake with its dependent", Duration::from_secs(3), || {
            let phase = controller.api.service("db").phase().to_owned();
            holds(phase == "Awake", phase)
        });
        controller.api.sleep("web");
        eventually("both sleep", SOON, || {
            let phases = ["web", "db"].map(|name| controller.api.service(name).phase().to_owned());
            holds(phases == ["Asleep", "Asleep"], phases.join(" "))
        });
        let stopped = |name: &str, role| world.tasks_ever(name, role)[0].time("stoppingAt").unwrap();
        assert!(
            stopped("db", Role::Proxy) >= stopped("web", Role::Service),
            "the database stops after its dependent"
        );
    });
}

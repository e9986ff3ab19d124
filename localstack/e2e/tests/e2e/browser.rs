//! What people see: the waiting page and the dashboard, in a browser.
//!
//! Pictures are kept in `localstack/.run/screens`.

use dormouse_e2e::browser::{Browser, DESK, PHONE};
use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::{World, host};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Runs a test with a browser, or says that there is none.
fn browse(options: Options, test: impl FnOnce(&World, &Browser)) {
    if Browser::is_installed() {
        run(options, |world| test(world, &Browser::open(world)));
    }
}

/// Waits until an element's text has a part.
#[track_caller]
fn shows(browser: &Browser, selector: &str, part: &str) -> String {
    eventually(&format!("{selector} shows {part:?}"), SOON, || {
        let text = browser.text(selector);
        if text.contains(part) { Ok(text) } else { Err(text) }
    })
}

/// A world in which every step of a wake can be looked at.
fn slow() -> Options {
    Options::default()
        .local("--boot-delay=3s")
        .local("--provision-delay=1500ms")
        .local("--pull-delay=2500ms")
        .local("--dns-sync-delay=2s")
}

#[test]
fn opening_a_sleeping_service_ends_on_the_page_that_was_asked_for() {
    browse(Options::default(), |world, browser| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "1500"));
        let url = format!("http://{}:9060/echo?x=1&y=%20z", host("hello"));
        browser.go(&format!("{url}#part"));
        assert_eq!(browser.text("h1"), "hello is waking up");
        let answer = shows(browser, "body", "GET /echo?x=1&y=%20z HTTP/1.1");
        assert!(!answer.contains("waking"), "{answer}");
        assert_eq!(browser.url(), format!("{url}#part"));
        assert_eq!(browser.complaints().iter().filter(|line| !line.contains("503")).count(), 0);
        controller.ready("hello");

        // The same by the controller's own address: to the service, with the query.
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        browser.go(&format!("{}/hello?x=1&y=%20z", controller.url()));
        assert_eq!(browser.text("h1"), "hello is waking up");
        eventually("it is at the service", SOON, || {
            let url = browser.url();
            holds(url == format!("http://{}:9060/?x=1&y=%20z", host("hello")), url)
        });
        shows(browser, "body", "hello-service");
        assert!(controller.api.service("hello").is("Ready"), "not before it was");
        let wakes = controller.api.service("hello").0["status"]["wakes"].clone();
        assert_eq!(wakes.as_array().map(Vec::len), Some(2), "{wakes}");
    });
}

#[test]
fn a_page_of_ones_own_is_as_live_as_the_built_in_one() {
    let examples = dormouse_e2e::paths::localstack().join("../manifests/examples/pages");
    let options = slow().controller("DORMOUSE_PAGES", examples.to_str().unwrap());
    browse(options, |world, browser| {
        let controller = world.controller();
        let app = Manifest::app("hello").env("START_DELAY_MS", "1500");
        controller
            .declare(&app.spec("wake.theme.title", "The <b>wiki</b>").spec("wake.theme.accent", "#b02a6f"));
        let url = format!("http://{}:9060/echo?x=1", host("hello"));
        browser.go(&url);
        assert_eq!(browser.text("h1"), "The <b>wiki</b> is waking up");
        assert!(browser.text(".bar").contains("Acme apps"));
        // Both styles act: the page's own, and the manifest's colour.
        let look = "return [getComputedStyle(document.querySelector('.card')).borderTopLeftRadius,
             getComputedStyle(document.querySelector('.bar svg')).fill]";
        assert_eq!(browser.run(look), json!(["8px", "rgb(176, 42, 111)"]));
        shows(browser, ".now .what", "Containers");
        for (name, screen) in [("", DESK), ("-dark", DESK.dark()), ("-phone", PHONE)] {
            browser.screen(screen);
            browser.picture(&format!("own-page{name}"));
        }
        browser.screen(DESK);
        shows(browser, "body", "GET /echo?x=1 HTTP/1.1");
        assert_eq!(browser.url(), url);
        let complaints = browser.complaints();
        assert!(complaints.iter().all(|line| line.contains("503")), "{complaints:?}");
    });
}

#[test]
fn a_link_opens_a_service_that_asks_for_a_token() {
    let options = Options::default().controller("DORMOUSE_API_TOKEN", "a-token-of-the-tests");
    browse(options, |world, browser| {
        let controller = world.controller();
        let call = |method: &str, path: &str, body: String| {
            let api = std::net::SocketAddr::new(controller.activator().ip(), 9070);
            let request = Request::new(method, &api.to_string(), path).body(body);
            request.header("Authorization", "Bearer a-token-of-the-tests").send(api).unwrap()
        };
        let app = Manifest::app("hello").env("START_DELAY_MS", "1500").spec("wake.access", "token");
        assert_eq!(call("PUT", "/v1/services/hello", app.document().to_string()).status, 201);
        let made = call("POST", "/v1/services/hello/link", String::new()).json();
        browser.go(made["url"].as_str().unwrap());
        let url = format!("http://{}:9060/", host("hello"));
        assert_eq!(browser.text("h1"), "hello is waking up");
        assert_eq!(browser.url(), url, "the token is gone from the address");
        shows(browser, "body", "hello-service");
        assert_eq!(browser.url(), url);
    });
}

#[test]
fn it_works_without_scripts() {
    browse(Options::default(), |world, browser| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "1500"));
        browser.scripts(false);
        let url = format!("http://{}:9060/deep?x=1", host("hello"));
        browser.go(&url);
        controller.ready("hello");
        browser.scripts(true);
        shows(browser, "body", "hello-service");
        assert_eq!(browser.url(), url);
    });
}

#[test]
fn each_step_of_a_wake_is_shown() {
    browse(slow(), |world, browser| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello").env("START_DELAY_MS", "3000"));
        browser.go(&format!("http://{}:9060/", host("hello")));
        let mut seen = Vec::new();
        let woken = Instant::now();
        while world.tasks_ever("hello", Role::Service).is_empty() || browser.text("h1").contains("hello is") {
            let step = browser.text(".now .what");
            let new = !step.is_empty() && !seen.contains(&step);
            if new {
                let number = seen.len();
                for (name, screen) in
                    [("", DESK), ("-dark", DESK.dark()), ("-phone", PHONE), ("-phone-dark", PHONE.dark())]
                {
                    browser.screen(screen);
                    browser.picture(&format!("waiting-{number}{name}"));
                }
                browser.screen(DESK);
                seen.push(step);
            }
            assert!(woken.elapsed() < Duration::from_secs(90), "{seen:?}");
        }
        shows(browser, "body", "hello-service");
        for step in ["Machine", "Containers", "Application"] {
            assert!(seen.iter().any(|seen| seen.contains(step)), "{step}: {seen:?}");
        }
        let complaints = browser.complaints();
        assert!(complaints.iter().all(|line| line.contains("503")), "{complaints:?}");

        // The next time there is an estimate.
        controller.ready("hello");
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
        browser.go(&format!("{}/hello", controller.url()));
        let pace = shows(browser, "#pace", "last time it took");
        assert!(browser.run("return document.querySelector('progress').position") != json!(-1), "{pace}");
        shows(browser, ".now .what", "Containers");
        browser.picture("waiting-estimate");
        shows(browser, "body", "hello-service");
    });
}

#[test]
fn a_failing_wake_shows_the_reason_and_tries_again() {
    let options = Options::default().group(0, 0, 0);
    browse(options, |world, browser| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        browser.go(&format!("http://{}:9060/", host("hello")));
        let reason = controller
            .until("the reason is known", "hello", |service| service.is("Degraded"))
            .why("Degraded")
            .1;
        shows(browser, "h1", "hello has trouble waking up");
        let trouble = browser.text("#trouble");
        assert!(trouble.contains(&reason) && trouble.contains("dormouse why hello"), "{trouble}");
        for (name, screen) in
            [("", DESK), ("-dark", DESK.dark()), ("-phone", PHONE), ("-phone-dark", PHONE.dark())]
        {
            browser.screen(screen);
            browser.picture(&format!("failing{name}"));
        }
        browser.screen(DESK);
        browser.click("#again button");
        eventually("the button can be used again", SOON, || {
            holds(
                browser.run("return !document.querySelector('#again button').disabled") == json!(true),
                "no",
            )
        });
        assert_eq!(browser.text("h1"), "hello has trouble waking up", "still the same page");

        // Somebody puts it to sleep: the page says so, and wakes nothing by itself.
        controller.api.sleep("hello");
        shows(browser, "h1", "hello sleeps");
        let epoch = controller.api.service("hello").epoch();
        browser.picture("asleep");
        browser.click("#again button");
        controller.until("the button has woken it", "hello", |service| service.epoch() == epoch + 1);
        shows(browser, "h1", "hello has trouble waking up");
        let complaints = browser.complaints();
        assert!(complaints.iter().all(|line| line.contains("503")), "{complaints:?}");

        // The same without scripts.
        browser.scripts(false);
        let url = format!("http://{}:9060/deep?x=1", host("hello"));
        browser.go(&url);
        browser.click("#again button");
        shows(browser, "h1", "hello has trouble waking up");
        assert_eq!(browser.url(), url);
        browser.scripts(true);
        // Without scripts the page asks again every two seconds, and each time wakes it.
        browser.go("about:blank");
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
    });
}

/// The text of a service's row.
fn row(browser: &Browser, name: &str) -> String {
    browser.text(&format!("#s-{name}"))
}

#[track_caller]
fn row_shows(browser: &Browser, name: &str, part: &str) {
    eventually(&format!("the row of {name} shows {part:?}"), SOON, || {
        let text = row(browser, name);
        holds(text.contains(part), text)
    });
}

#[test]
fn the_dashboard_is_live_and_its_buttons_act() {
    browse(Options::default().local("--boot-delay=2s"), |world, browser| {
        let controller = world.controller();
        for name in ["hello", "shop"] {
            controller.declare(&Manifest::app(name).idle_after("10m"));
        }
        controller.declare(&Manifest::app("reports").spec("cpu", 16_384));
        browser.go(&controller.url());
        shows(browser, "#link", "live");
        row_shows(browser, "hello", "asleep");
        assert!(browser.text("#instances").contains("There is none"));

        browser.click("#s-hello [data-do=wake]");
        row_shows(browser, "hello", "waking");
        row_shows(browser, "hello", "woken by api");
        row_shows(browser, "hello", "awake");
        row_shows(browser, "hello", "running");
        shows(browser, "#instances", "hello");
        shows(browser, "#events", "Ready");
        eventually("it is shown on its instance", SOON, || {
            let text = row(browser, "hello");
            holds(text.contains("i-"), text)
        });
        shows(browser, "[data-only=awake]", "1 awake");

        browser.click("#s-hello [data-do=keep]");
        row_shows(browser, "hello", "1 h 59 min kept awake");
        controller.declare(&Manifest::app("another"));
        row_shows(browser, "another", "asleep");
        let order =
            browser.run("return [...document.querySelectorAll('tbody tr')].map(row => row.dataset.name)");
        assert_eq!(order, json!(["another", "hello", "reports", "shop"]));
        controller.api.delete("another");
        eventually("it is gone", SOON, || {
            let there = browser.run("return !!document.getElementById('s-another')");
            holds(there == json!(false), there.to_string())
        });

        // One that cannot come up.
        controller.api.wake("reports");
        row_shows(browser, "reports", "in trouble");
        for (name, screen) in
            [("", DESK), ("-dark", DESK.dark()), ("-phone", PHONE), ("-phone-dark", PHONE.dark())]
        {
            browser.screen(screen);
            browser.picture(&format!("dashboard{name}"));
        }
        browser.screen(DESK);

        browser.write("#find", "rep");
        let visible = "return [...document.querySelectorAll('tbody tr')].filter(row => !row.hidden).map(row => row.dataset.name)";
        assert_eq!(browser.run(visible), json!(["reports"]));
        browser.run("const find = document.getElementById('find'); find.value = ''; find.dispatchEvent(new Event('input'))");

        browser.click("#s-hello [data-do=sleep]");
        row_shows(browser, "hello", "asleep");
        let complaints = browser.complaints();
        assert!(complaints.is_empty(), "{complaints:?}");
        for name in ["hello", "reports"] {
            controller.api.sleep(name);
            controller.phase(name, "Asleep");
        }
    });
}

#[test]
fn with_a_token_the_dashboard_asks_for_it_first() {
    let options = Options::default().controller("DORMOUSE_API_TOKEN", "a-token-of-the-tests");
    browse(options, |world, browser| {
        let controller = world.controller();
        browser.go(&controller.url());
        browser.picture("login");
        browser.write("#token", "a-guess");
        browser.click("form button");
        shows(browser, "main", "That is not the token.");
        browser.write("#token", "a-token-of-the-tests");
        browser.click("form button");
        shows(browser, "#none", "No service is declared yet");
        shows(browser, "#link", "live");
        browser.picture("dashboard-empty");
        browser.click("header form button");
        shows(browser, "main", "asks for the API's token");
    });
}

const MANY: usize = 1000;

#[test]
fn a_thousand_services_fit_on_the_dashboard() {
    // It only observes: nothing of them is registered, and all of them are told by the same calls.
    let options = Options::default().controller("DORMOUSE_POLICY", "observe");
    browse(options, |world, browser| {
        let controller = world.controller_with(&[]);
        controller.is_up();
        for number in 0..MANY {
            controller.declare(&Manifest::app(&format!("service-{number:04}")));
        }
        let began = Instant::now();
        browser.go(&controller.url());
        shows(browser, "#link", "live");
        let loaded = began.elapsed();
        let count = "return document.querySelectorAll('tbody tr:not([hidden])').length";
        assert_eq!(browser.run(count), json!(MANY));
        browser.run(
            "window.long = [];
             new PerformanceObserver(list => list.getEntries().forEach(e => long.push(e.duration))).observe({type: 'longtask'});
             window.touched = 0;
             new MutationObserver(list => list.forEach(m => { touched += m.addedNodes.length }))
               .observe(document.getElementById('rows'), {childList: true});",
        );
        for number in [1, 500, 999] {
            controller.api.wake(&format!("service-{number:04}"));
        }
        row_shows(browser, "service-0500", "waking");
        row_shows(browser, "service-0999", "waking");
        let touched = browser.run("return touched").as_u64().unwrap();
        assert!((3..=30).contains(&touched), "{touched} rows were rendered anew for three changes");
        let sifted = Instant::now();
        browser.write("#find", "service-00");
        assert_eq!(browser.run(count), json!(100));
        let sifted = sifted.elapsed();
        browser.picture("dashboard-thousand");
        let long = browser.run("return long");
        let longest = long.as_array().into_iter().flatten().filter_map(Value::as_f64).fold(0.0, f64::max);
        println!("{MANY} rows: shown in {loaded:?}, sifted in {sifted:?}, longest task {longest} ms");
    });
}

#[test]
fn the_waiting_page_is_small_and_comes_at_once() {
    run(Options::default().group(0, 0, 0), |world| {
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        let (bytes, times) = first_bytes(&controller);
        let median = times[times.len() / 2];
        println!("waiting page: {bytes} bytes, median {median:?}, slowest {:?}", times[times.len() - 1]);
        assert!(bytes < 20_000, "{bytes} bytes");
        controller.api.sleep("hello");
        controller.phase("hello", "Asleep");
    });
}

/// Bytes of the page, and how long it took, sorted.
fn first_bytes(controller: &Controller) -> (usize, Vec<Duration>) {
    let page = Request::new("GET", &host("hello"), "/").header("Accept", "text/html");
    let mut bytes = 0;
    let ask = |_| {
        let began = Instant::now();
        let answer = page.send(controller.activator()).unwrap();
        assert_eq!((answer.status, answer.header("cache-control")), (503, Some("no-store")), "{answer}");
        bytes = answer.body.len();
        began.elapsed()
    };
    let mut times: Vec<Duration> = (0..100).map(ask).collect();
    times.sort();
    (bytes, times)
}

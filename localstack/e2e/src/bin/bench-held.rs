//! Ten thousand requests that are held for one sleeping service: what each takes of the controller's memory, and how
//! long they wait once the service answers. `make bench-held` runs it.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use dormouse_e2e::controller::Controller;
use dormouse_e2e::crowd::Crowd;
use dormouse_e2e::eventually::eventually;
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::{World, host, read, socket};
use std::collections::HashMap;
use std::path::Path;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Requests that are held: all that may be by default.
const HELD: usize = 10_000;
/// More of them.
const MORE: usize = 100;
/// Until the application listens: all are held by then.
const START_DELAY: &str = "20000";
const LONG: Duration = Duration::from_secs(120);

fn main() {
    let options = Options::default()
        .controller("DORMOUSE_MAX_HELD_PER_SERVICE", &HELD.to_string())
        .controller("DORMOUSE_POLL_FAST", "1s")
        .controller("DORMOUSE_LEASE", "15s");
    let world = World::start(options);
    let controller = world.controller();
    let app = Manifest::app("hello").env("START_DELAY_MS", START_DELAY).spec("wake.hold", "2m");
    controller.declare(&app);
    let request = |id: usize| {
        format!(
            "GET /?id=h{id} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            host("hello")
        )
    };
    // Whatever is made once, for the first request, is no held request's.
    let first = thread::spawn({
        let (to, request) = (controller.activator(), Request::new("GET", &host("hello"), "/?id=first"));
        move || request.patience(LONG).send(to).map(|answer| answer.status)
    });
    eventually(
        "the first one is held",
        LONG,
        || if held(&controller) == 1 { Ok(()) } else { Err("it is not") },
    );
    sleep(Duration::from_secs(1));

    let before = kibibytes(controller.pid());
    let began = Instant::now();
    let mut crowd = Crowd::send(controller.activator(), (1..HELD).map(request)).expect("connections");
    eventually("all are held", LONG, || {
        let held = held(&controller);
        if held == HELD { Ok(()) } else { Err(format!("{held} are")) }
    });
    let taken = began.elapsed();
    let after = kibibytes(controller.pid());

    // One more is one too many.
    let mut more =
        Crowd::send(controller.activator(), (0..MORE).map(|id| request(HELD + id))).expect("connections");
    more.read(LONG).expect("answers");
    for refused in &more.asked {
        let text = refused.text().to_lowercase();
        assert_eq!(refused.status(), 503, "{text}");
        assert!(
            text.contains("\r\nretry-after: 5\r\n") && text.contains("x-dormouse-state: waking"),
            "{text}"
        );
    }
    assert_eq!(held(&controller), HELD, "nobody lost its place");

    // When the application answers for the first time, seen beside it.
    let probe = thread::spawn({
        let to = socket(world.task("hello", Role::Service).address());
        let to = std::net::SocketAddr::new(to.ip(), 9050);
        move || loop {
            let asked = Request::new("GET", "probe", "/healthz").patience(Duration::from_secs(5)).send(to);
            if asked.is_ok_and(|answer| answer.status == 200) {
                return Instant::now();
            }
            sleep(Duration::from_millis(2));
        }
    });
    crowd.read(LONG).expect("answers");
    let answering = probe.join().expect("a time");
    assert_eq!(first.join().expect("no panic").expect("an answer"), 200);
    let peak = kibibytes(controller.pid());

    let wrong: Vec<String> =
        crowd.asked.iter().filter(|one| one.status() != 200).map(|one| one.text()).take(3).collect();
    let right = crowd.asked.iter().filter(|one| one.status() == 200).count() + 1;
    assert_eq!(right, HELD, "{} without an answer; {wrong:?}", crowd.open());
    let mut times = HashMap::new();
    let printed = world.printed("hello");
    printed
        .lines()
        .filter_map(|line| line.strip_prefix("request "))
        .for_each(|id| *times.entry(id).or_insert(0) += 1);
    let twice = times.values().filter(|count| **count > 1).count();
    assert_eq!((times.len(), twice), (HELD, 0), "each is done once");
    for role in Role::ALL {
        assert_eq!(world.tasks_ever("hello", role).len(), 1, "one pair");
    }

    let mut waits: Vec<Duration> =
        crowd.asked.iter().filter_map(|one| Some(one.ended?.saturating_duration_since(answering))).collect();
    waits.sort();
    let at = |share: f64| {
        waits[((waits.len() as f64 * share).ceil() as usize).clamp(1, waits.len()) - 1].as_millis()
    };
    let row = |what: &str, value: String| println!("{what:<66} {value:>10}");
    row("held for one service, all answered once, by one pair", right.to_string());
    row("refused beyond them: 503 with Retry-After", more.asked.len().to_string());
    row("until all were held (ms)", taken.as_millis().to_string());
    row("memory of the controller before (MiB)", format!("{:.1}", before / 1024.0));
    row("memory of the controller while all are held (MiB)", format!("{:.1}", after / 1024.0));
    row("memory per held request (KiB)", format!("{:.1}", (after - before) / (HELD - 1) as f64));
    row("memory of the controller after all were answered (MiB)", format!("{:.1}", peak / 1024.0));
    row("answer after the service's own first one, first (ms)", at(0.0).to_string());
    row("  median (ms)", at(0.5).to_string());
    row("  p99 (ms)", at(0.99).to_string());
    row("  last (ms)", at(1.0).to_string());
}

fn held(controller: &Controller) -> usize {
    let text = controller.api.call("GET", "/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix("dormouse_activator_held_requests "));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

fn kibibytes(pid: u32) -> f64 {
    let status = read(Path::new(&format!("/proc/{pid}/status")));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
}

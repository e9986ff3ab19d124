//! Two controllers: one leads, both answer, and the other takes over.

use dormouse_e2e::api::Service;
use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::{Answer, Request};
use dormouse_e2e::load::{self, Load};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::{World, host, socket};
use rustix::process::Signal;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One that leads, and one that follows it.
fn two(world: &World) -> (Controller, Controller) {
    let first = world.controller();
    let second = world.controller();
    follows(&second);
    (first, second)
}

#[track_caller]
fn follows(standby: &Controller) {
    eventually("it follows the one that leads", SOON, || {
        holds(standby.log().contains("following"), standby.log())
    });
}

/// Declares a service. Whoever asks the standby for it in the same moment is not told that it is unknown.
#[track_caller]
fn declare(leader: &Controller, standby: &Controller, manifest: &Manifest, name: &str) {
    leader.declare(manifest);
    // Answered in the service's place, without waking it.
    let answer = get(standby.activator(), name, "/robots.txt");
    assert_eq!(answer.status, 200, "{answer}");
}

fn get(to: SocketAddr, name: &str, target: &str) -> Answer {
    let request = Request::new("GET", &host(name), target).patience(Duration::from_secs(60));
    request.send(to).unwrap()
}

fn pairs_ever(world: &World, service: &str) -> [usize; 2] {
    Role::ALL.map(|role| world.tasks_ever(service, role).len())
}

#[test]
fn a_standby_answers_as_the_leader_does() {
    run(Options::default(), |world| {
        let (first, second) = two(world);
        let mut both = [first.address().to_owned(), second.address().to_owned()];
        both.sort();
        eventually("the wildcard names both", SOON, || {
            holds(world.record("*").as_deref() == Some(&both.join(",")), format!("{:?}", world.record("*")))
        });
        // The call goes on to the leader.
        declare(&second, &second, &Manifest::app("hello"), "hello");
        assert_eq!(first.api.find("hello").unwrap().phase(), "Asleep");

        let answer = get(second.activator(), "hello", "/");
        assert_eq!(answer.status, 200, "{answer}");
        let (led, stood) = (first.ready("hello"), second.ready("hello"));
        for path in ["/status/service", "/status/proxy", "/status/lastWake", "/status/epoch"] {
            assert!(led.0.pointer(path).is_some_and(|known| !known.is_null()), "{path}: {}", led.0);
            assert_eq!(led.0.pointer(path), stood.0.pointer(path), "{path}");
        }
        let text = |controller: &Controller| {
            let answer = controller.api.send("GET", "/v1/instances", None, Duration::from_secs(5)).unwrap();
            answer.text()
        };
        assert_eq!(text(&first), text(&second), "what only the leader knows comes from there");
        second.api.send("POST", "/v1/services/hello/sleep", None, Duration::from_secs(5)).unwrap();
        first.phase("hello", "Asleep");
        second.phase("hello", "Asleep");
        assert_eq!(pairs_ever(world, "hello"), [1, 1]);
    });
}

#[test]
fn use_at_a_standby_is_use() {
    run(Options::default(), |world| {
        let (first, second) = two(world);
        declare(&first, &second, &Manifest::app("hello").idle_after("1s"), "hello");
        assert_eq!(get(second.activator(), "hello", "/").status, 200);
        let at = second.activator();
        let slow = thread::spawn(move || get(at, "hello", "/slow?ms=4000"));
        let answer = slow.join().unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(first.api.find("hello").unwrap().epoch(), 1, "it did not fall asleep meanwhile");
        first.phase("hello", "Asleep");
    });
}

#[test]
fn the_survivor_answers_what_it_holds() {
    run(Options::default(), |world| {
        let (mut first, second) = two(world);
        declare(&first, &second, &Manifest::app("hello").env("START_DELAY_MS", "2000"), "hello");
        let at = second.activator();
        let held = thread::spawn(move || get(at, "hello", "/"));
        eventually("both tasks are being started", SOON, || {
            let ever = pairs_ever(world, "hello");
            holds(ever == [1, 1], format!("{ever:?}"))
        });
        first.kill();
        let answer = held.join().unwrap();
        assert_eq!(answer.status, 200, "{answer}");
        second.ready("hello");
        assert_eq!(pairs_ever(world, "hello"), [1, 1], "the same pair, whoever leads");
        eventually("the dead one's address is gone", SOON, || {
            holds(world.record("*").as_deref() == Some(second.address()), format!("{:?}", world.record("*")))
        });
        // Its sidecars report to the survivor: it knows of their use, and puts them to sleep in order.
        second.api.send("POST", "/v1/services/hello/sleep", None, Duration::from_secs(5)).unwrap();
        second.phase("hello", "Asleep");
        world.nothing_of("hello");
    });
}

#[test]
fn a_frozen_leader_holds_nobody_up() {
    run(Options::default().expect_error("lease"), |world| {
        let (mut first, second) = two(world);
        declare(&first, &second, &Manifest::app("hello"), "hello");
        first.signal(Signal::STOP);
        assert_eq!(get(second.activator(), "hello", "/").status, 200);
        second.ready("hello");
        first.signal(Signal::CONT);
        assert!(!first.ended().success(), "who has lost the lease ends");
        assert_eq!(pairs_ever(world, "hello"), [1, 1]);
    });
}

#[test]
fn controllers_replaced_one_after_the_other_lose_nothing() {
    run(Options::default(), |world| {
        let (mut first, mut second) = two(world);
        first.declare(&Manifest::app("hello").idle_after("10m"));
        assert_eq!(get(first.activator(), "hello", "/").status, 200);
        assert!(first.terminate().success());
        eventually("the other leads", SOON, || holds(second.log().contains("\"leading\""), second.log()));
        let third = world.controller();
        follows(&third);
        assert_eq!(second.ready("hello").epoch(), 1);
        // Its proxy is told of the third with the answer to its next report, which this request has it send.
        let last = |service: &Service| service.0.pointer("/status/activity/lastRequestAt").cloned();
        let before = last(&second.api.service("hello"));
        assert_eq!(world.get("hello", "/").status, 200);
        second.until("its proxy has reported", "hello", |service| last(service) != before);
        assert!(second.terminate().success());
        // Neither of the two that its tasks were told of at their start is there any more.
        let awake = third.until("it is known to be awake, and when it falls asleep", "hello", |service| {
            service.is("Ready") && service.0.pointer("/status/activity/idleAt").is_some()
        });
        assert_eq!(awake.epoch(), 1);
        third.api.sleep("hello");
        third.phase("hello", "Asleep");
        assert_eq!(pairs_ever(world, "hello"), [1, 1]);
    });
}

#[test]
fn an_upgrade_cuts_off_nobody_and_answers_whom_the_old_one_held() {
    let options = Options::default().controller("DORMOUSE_STOP_TIMEOUT", "120s");
    run(options, |world| {
        let mut old = world.controller();
        old.declare(&Manifest::app("awake"));
        old.declare(&Manifest::app("waking").env("START_DELAY_MS", "3000"));
        old.declare(&Manifest::app("woken").env("START_DELAY_MS", "1000"));
        old.wake("awake");
        let load = Load::start(world, "awake", 3, Duration::from_millis(50));
        // ECS starts the new one first, and asks the old one to end once it is up.
        let new = world.controller_with(&[]);
        new.is_up();
        follows(&new);
        let names = ["awake", "waking", "woken"];
        eventually("the new one knows all", SOON, || {
            holds(names.iter().all(|name| new.api.find(name).is_ok()), "not yet")
        });
        let hold = |name: &'static str, at: SocketAddr| thread::spawn(move || get(at, name, "/"));
        let mut held: Vec<_> =
            [&old, &old, &new].into_iter().map(|controller| hold("waking", controller.activator())).collect();
        eventually("both tasks are being started", SOON, || {
            let ever = pairs_ever(world, "waking");
            holds(ever == [1, 1], format!("{ever:?}"))
        });
        // Of this one nothing is there yet but the wish.
        held.push(hold("woken", old.activator()));
        eventually("the old one has heard it", SOON, || {
            holds(old.api.service("woken").epoch() == 1, "not yet")
        });
        assert!(old.terminate().success());
        for answer in held {
            let answer = answer.join().unwrap();
            assert_eq!(answer.status, 200, "{answer}");
        }
        new.ready("waking");
        new.ready("woken");
        eventually("the old one's address is gone", SOON, || {
            holds(world.record("*").as_deref() == Some(new.address()), format!("{:?}", world.record("*")))
        });
        load::all_answered(world, "awake", &load.stop());
        for name in names {
            assert_eq!(pairs_ever(world, name), [1, 1], "{name}");
        }
    });
}

#[test]
fn strangers_are_no_controllers() {
    run(Options::default(), |world| {
        let controller = world.controller();
        let report = json!({"replica": "x", "url": "http://192.0.2.1:9070", "addresses": ["192.0.2.1"]});
        let answer = controller.api.send("POST", "/v1/replicas", Some(&report), Duration::from_secs(5));
        assert_eq!(answer.unwrap().status, 401);
        let forged = Request::new("GET", "x", "/v1/services")
            .header("x-dormouse-relayed-for", "standby 192.0.2.1:00")
            .send(format!("{}:9070", controller.address()).parse().unwrap())
            .unwrap();
        assert_eq!(forged.status, 401, "{forged}");
    });
}

/// Clients who ask the controllers themselves, over a new connection each time, wherever an honest resolver leads them:
/// what a sleeping service's name answers without being woken. Answers what went wrong.
fn newcomers(world: &World, stop: &Arc<AtomicBool>, asked: &Arc<AtomicU64>) -> Vec<JoinHandle<Vec<String>>> {
    let client = |_| {
        let (mut resolver, stop, asked) = (world.resolver(), Arc::clone(stop), Arc::clone(asked));
        thread::spawn(move || {
            let mut wrong = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let to = resolver.resolve(&host("asleep")).unwrap();
                let answer = Request::new("GET", &host("asleep"), "/robots.txt").send(socket(&to));
                match answer {
                    Ok(answer) if answer.status == 200 => {}
                    other => wrong.push(format!("{to}: {other:?}")),
                }
                asked.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
            wrong
        })
    };
    (0..3).map(client).collect()
}

/// Replaces so many controllers by as many new ones, as ECS does, under newcomers. They are led to the old ones until
/// the record has another address, and a TTL longer.
#[track_caller]
fn upgraded_under_newcomers(world: &World, mut old: Vec<Controller>) {
    old[0].declare(&Manifest::app("asleep"));
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients = newcomers(world, &stop, &asked);
    let more = |count: u64| {
        let before = asked.load(Ordering::SeqCst);
        eventually("they are answered", SOON, || {
            let now = asked.load(Ordering::SeqCst);
            holds(now >= before + count, format!("{before} {now}"))
        });
    };
    more(20);
    let new: Vec<Controller> = old.iter().map(|_| world.controller_with(&[])).collect();
    for one in &new {
        one.is_up();
        follows(one);
        eventually("it knows the service", SOON, || holds(one.api.find("asleep").is_ok(), "not yet"));
    }
    let mut addresses: Vec<_> = old.iter().chain(&new).map(|one| one.address().to_owned()).collect();
    addresses.sort();
    let stands = |what: &str, addresses: &[String]| {
        eventually(what, SOON, || {
            holds(
                world.record("*").as_deref() == Some(&addresses.join(",")),
                format!("{:?}", world.record("*")),
            )
        });
    };
    stands("all are named", &addresses);
    for one in &old {
        one.signal(Signal::TERM);
    }
    for one in &mut old {
        assert!(one.ended().success());
        let log = one.log();
        assert!(log.contains("nobody is led here any more"), "{log}");
    }
    let mut addresses: Vec<_> = new.iter().map(|one| one.address().to_owned()).collect();
    addresses.sort();
    stands("only the new ones are named", &addresses);
    more(20);
    stop.store(true, Ordering::SeqCst);
    let wrong: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{} of {}: {}", wrong.len(), asked.load(Ordering::SeqCst), wrong.join("\n"));
}

/// A name server is as late as this: what comes to the old ones until then, on a busy machine, still finds them.
fn late() -> Options {
    Options::default().controller("DORMOUSE_STOP_TIMEOUT", "120s").local("--dns-sync-delay=1500ms")
}

#[test]
fn an_upgrade_refuses_no_newcomer() {
    run(late(), |world| {
        let old = world.controller();
        upgraded_under_newcomers(world, vec![old]);
    });
}

#[test]
fn an_upgrade_of_two_refuses_no_newcomer() {
    run(late(), |world| {
        let (first, second) = two(world);
        upgraded_under_newcomers(world, vec![first, second]);
    });
}

//! Services are woken, put to sleep and deleted.

use super::shell::shell;
use super::testing::condition;
use dormouse::plane::Plane as _;
use dormouse_state::{ConditionType, Desired, Phase};
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn wake_and_sleep() {
    let shell = shell();
    shell.run(&["wake", "hello"]).with(0, "service/hello is woken: http://hello.example.com:9060\n", "");
    assert_eq!(shell.plane.service("hello").unwrap().status.desired, Desired::Awake);
    shell.run(&["wake", "hello", "--for", "2h"]).with(0, "is woken", "");
    assert_eq!(shell.plane.asked.lock().unwrap()[1].2, Some(Duration::from_secs(7200)));
    shell.run(&["wake", "hello", "--wait", "--timeout", "10ms"]).with(
        4,
        "",
        "`hello` was not ready within 10ms",
    );
    shell.plane.make_ready("hello");
    shell.run(&["wake", "hello", "--wait"]).with(0, "service/hello is ready", "");
    shell.run(&["sleep", "hello"]).with(0, "service/hello is put to sleep", "");
    shell.run(&["sleep", "hello", "--wait", "--timeout", "10ms"]).with(4, "", "was not asleep within 10ms");
}

#[test]
fn who_waits_is_told_how_far_it_is() {
    let shell = shell();
    let mut wake = shell.follow(&["wake", "hello", "--wait"]);
    let step = |message: &str| {
        shell.plane.update("hello", |view| {
            view.status.phase = Phase::Waking;
            let kind = ConditionType::CapacityAvailable;
            view.status.conditions = vec![condition(kind, false, "ScalingUp", message)].into();
        });
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while shell.plane.wakes() == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    step("an instance is starting");
    while wake.says() != "hello: machine: an instance is starting" {}
    // The same again is not said again.
    step("an instance is starting");
    step("an instance joins");
    assert_eq!(wake.says(), "hello: machine: an instance joins");
    shell.plane.make_ready("hello");
    wake.ends().with(
        0,
        "service/hello is ready: http://hello.example.com:9060
",
        "",
    );
}

#[test]
fn deleting() {
    let shell = shell();
    shell.run(&["delete", "hello", "--wait"]).with(0, "service/hello is deleted\n", "");
    shell.run(&["delete", "up"]).with(0, "service/up is being deleted\n", "");
}

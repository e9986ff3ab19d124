//! Everything at once, for minutes: controllers killed, frozen and replaced, halves of pairs killed, calls that fail,
//! are applied and not answered, are late or throttled, old readings, operators; and clients all the while.
//!
//! What is done is drawn from a seed; when it meets what, the machine decides. Every request has an outcome, and each
//! that is not the service's answer needs a reason: whoever it was sent to was killed, or it was told when to come
//! again. Nothing that is not idempotent is done twice. Afterwards all falls asleep, and nothing more is called.
//!
//! # Layout
//!
//! - [`clients`]: who ask, and what becomes of it
//! - [`acts`]: what is done to whom

pub mod acts;
pub mod clients;

use crate::controller::Controller;
use crate::eventually::{SOON, eventually, steadily};
use crate::faults;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::world::World;
use acts::Acts;
use clients::{Clients, Outcome, Verdict};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Services; each is used by clients of its own.
pub const SERVICES: [&str; 3] = ["ant", "bee", "cat"];

/// One instance a minute is terminated, and there is none left.
const SCALED_IN: Duration = Duration::from_secs(300);

/// Calls that change something.
const CHANGES: &[&str] = &[
    "ecs.RunTask",
    "ecs.StopTask",
    "ecs.UpdateContainerInstancesState",
    "route53.ChangeResourceRecordSets",
    "autoscaling.SetDesiredCapacity",
    "autoscaling.SetInstanceProtection",
    "autoscaling.TerminateInstanceInAutoScalingGroup",
];

/// What came of it.
#[derive(Debug)]
pub struct Weathered {
    /// How many of each there were: requests by what became of them, acts by their kind.
    pub counts: BTreeMap<String, usize>,
    /// Requests that are lost without a reason, and those that were done twice, in words.
    pub wrong: Vec<String>,
}

/// What a storm's world is like.
pub fn options() -> Options {
    // A leader that was frozen for longer than its lease ends by itself, and says so.
    Options::default().expect_error("the lease is lost").expect_error("lost its lease")
}

/// Lets it storm for this long, prints what is done, and waits until all is at rest again.
///
/// # Panics
/// When it does not come to rest.
#[track_caller]
pub fn storm(world: &World, seed: u64, during: Duration) -> Weathered {
    let controllers = vec![world.controller(), world.controller()];
    for name in SERVICES {
        controllers[0].declare(&manifest(name, 0));
    }
    let begin = Instant::now();
    let clients = Clients::start(world);
    let mut acts = Acts::new(world, controllers, seed, begin);
    while begin.elapsed() < during {
        acts.next();
    }
    faults::clear(&world.control);
    let (controllers, harms, mut counts) = acts.end();
    let outcomes = clients.stop();
    at_rest(world, &controllers);

    let printed = SERVICES.map(|name| (name, world.printed(name)));
    let mut wrong = Vec::new();
    for outcome in &outcomes {
        let verdict = outcome.verdict(&harms);
        *counts.entry(verdict.word().to_owned()).or_default() += 1;
        if verdict == Verdict::Lost {
            wrong.push(outcome.to_string());
        }
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.method == "POST") {
        let times = done(&printed, outcome);
        if times > 1 {
            wrong.push(format!("done {times} times: {outcome}"));
        }
    }
    for (name, text) in &printed {
        let ids = text.lines().filter(|line| line.starts_with("request ")).count();
        counts.insert(format!("requests that {name} has seen"), ids);
    }
    let epochs = SERVICES.map(|name| controllers[0].api.service(name).epoch());
    counts.insert("wakes".to_owned(), usize::try_from(epochs.iter().sum::<u64>()).unwrap_or(0));
    Weathered { counts, wrong }
}

/// A service of the storm, in one of its versions.
fn manifest(name: &str, version: u64) -> Manifest {
    Manifest::app(name).idle_after("2s").drain("3s").env("VERSION", &version.to_string())
}

fn done(printed: &[(&str, String)], outcome: &Outcome) -> usize {
    let line = format!("request {}", outcome.id);
    let of_service = printed.iter().filter(|(name, _)| *name == outcome.service);
    of_service.map(|(_, text)| text.lines().filter(|other| *other == line).count()).sum()
}

/// Everything has fallen asleep, nothing is left, and nothing is called any more.
fn at_rest(world: &World, controllers: &[Controller]) {
    for name in SERVICES {
        for controller in controllers {
            controller.phase(name, "Asleep");
        }
        world.nothing_of(name);
    }
    eventually("no instance is left", SCALED_IN, || {
        let left = world.instances();
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    });
    let called = || CHANGES.iter().map(|operation| world.calls(operation)).sum::<u64>();
    eventually("the last change was called", SOON, || {
        let before = called();
        std::thread::sleep(Duration::from_secs(3));
        if called() == before { Ok(()) } else { Err("something is still being changed") }
    });
    let before = called();
    steadily("nothing is changed at rest", Duration::from_secs(10), || {
        let now = called();
        if now == before { Ok(()) } else { Err(format!("{} more calls", now - before)) }
    });
}

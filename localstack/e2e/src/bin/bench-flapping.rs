//! A service that falls asleep and wakes again and again under 50 requests a second: how many requests are lost, and how
//! many are done twice. `make bench-flapping` runs it for five minutes; `--minutes N` for as many.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use dormouse_e2e::flapping::flap;
use dormouse_e2e::load;
use dormouse_e2e::options::Options;
use dormouse_e2e::world::World;
use std::collections::BTreeMap;
use std::time::Duration;

fn main() {
    let mut given = std::env::args().skip_while(|argument| argument != "--minutes").skip(1);
    let minutes: f64 = given.next().map_or(5.0, |number| number.parse().expect("a number of minutes"));
    let world = World::start(Options::default());
    let controller = world.controller();
    let flapped = flap(&world, &controller, Duration::from_secs_f64(minutes * 60.0));
    let outcomes = &flapped.outcomes;
    let answered =
        |outcome: &&load::Outcome| outcome.answer.as_ref().is_ok_and(|answer| answer.status == 200);
    let lost = outcomes.len() - outcomes.iter().filter(answered).count();
    let printed = world.printed("flap");
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    printed
        .lines()
        .filter_map(|line| line.strip_prefix("request "))
        .for_each(|id| *times.entry(id).or_default() += 1);
    let twice = times.values().filter(|count| **count > 1).count();
    let mut waits: Vec<Duration> = outcomes.iter().map(|outcome| outcome.took).collect();
    waits.sort();
    let at = |share: f64| {
        waits[((waits.len() as f64 * share).ceil() as usize).clamp(1, waits.len()) - 1].as_millis()
    };
    println!("{:<58} {:>10}", "requests", outcomes.len());
    println!("{:<58} {:>10}", "wakes", flapped.wakes);
    println!("{:<58} {:>10}", "put to sleep by an operator under load", flapped.slept);
    println!("{:<58} {:>10}", "lost: not answered by the service", lost);
    println!("{:<58} {:>10}", "done twice", twice);
    println!("{:<58} {:>10}", "answer, median (ms)", at(0.5));
    println!("{:<58} {:>10}", "answer, p99 (ms)", at(0.99));
    println!("{:<58} {:>10}", "answer, slowest (ms)", at(1.0));
    if lost + twice > 0 {
        println!("{}", load::summary(outcomes));
        std::process::exit(1);
    }
}

//! Minutes in which everything goes wrong at once (see `storm`): `make storm`, or `--minutes N --seed N`.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use dormouse_e2e::run::run;
use dormouse_e2e::storm::{options, storm};
use std::time::Duration;

fn main() {
    let given = |name: &str| {
        let mut given = std::env::args().skip_while(|argument| argument != name).skip(1);
        given.next().map(|number| number.parse::<f64>().expect("a number"))
    };
    let (minutes, seed) = (given("--minutes").unwrap_or(5.0), given("--seed").unwrap_or(1.0));
    run(options(), |world| {
        let weathered = storm(world, seed as u64, Duration::from_secs_f64(minutes * 60.0));
        weathered.counts.iter().for_each(|(what, count)| println!("{what:<58} {count:>8}"));
        assert!(
            weathered.wrong.is_empty(),
            "{} wrong:\n{}",
            weathered.wrong.len(),
            weathered.wrong.join("\n")
        );
    });
}

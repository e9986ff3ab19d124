//! `dormouse-sim`: seeds in bulk, or one of them to read.

use crate::driver::{Options, Outcome, run};
use crate::scenario::{NAMES, crash_everywhere, scenario};
use crate::script::Script;
use crate::shrink::shrink;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: dormouse-sim --seeds A..B [--jobs N] [--most N]
       dormouse-sim --seed N [--trace] [--shrink]
       dormouse-sim --scenario NAME [--trace]
       dormouse-sim --crashes [--pairs N]
";

/// Runs the program.
pub fn main(args: &[String]) -> ExitCode {
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let has = |name: &str| args.iter().any(|arg| arg == name);
    if has("--crashes") {
        let pairs = value("--pairs").and_then(|text| text.parse().ok()).unwrap_or(0);
        return crashes(pairs);
    }
    if let Some(name) = value("--scenario") {
        return scenario(name).map_or(ExitCode::from(2), |script| play(0, &script, has("--trace")));
    }
    if let Some(seed) = value("--seed").and_then(|text| text.parse().ok()) {
        return one(seed, has("--trace"), has("--shrink"));
    }
    let range = value("--seeds").and_then(|text| text.split_once(".."));
    let range = range.and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
    let Some((from, to)) = range else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let most = value("--most").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    let jobs = value("--jobs").and_then(|text| text.parse().ok()).unwrap_or(1);
    many(from, to, jobs, most)
}

fn one(seed: u64, trace: bool, shorter: bool) -> ExitCode {
    let mut script = Script::draw(seed);
    if shorter {
        let first = run(&script, &Options::default());
        if let Some(violation) = first.violations.first() {
            script = shrink(&script, violation.id);
            println!("{script:#?}");
        }
    }
    play(seed, &script, trace)
}

fn play(seed: u64, script: &Script, trace: bool) -> ExitCode {
    let outcome = run(script, &Options { trace, ..Options::default() });
    if trace {
        println!("{:#?}", script.profile);
    }
    outcome.lines.iter().for_each(|line| println!("{line}"));
    report(seed, &outcome);
    println!("hash {:016x}, {:?}, {} mutating calls", outcome.hash, outcome.answers, outcome.mutations);
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A crash at every effect of every scenario.
fn crashes(pairs: u64) -> ExitCode {
    let mut found = 0;
    for name in NAMES {
        let tried = crash_everywhere(name, pairs);
        println!("{name}: {} runs, {} did harm", tried.runs, tried.harms.len());
        for harm in &tried.harms {
            found += 1;
            let when = if harm.after { "after" } else { "before" };
            for violation in &harm.violations {
                let at = crate::trace::clock(violation.at);
                println!("  crash {when} {:?}: {at} {} {}", harm.effects, violation.id, violation.what);
            }
        }
    }
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(seed: u64, outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("seed {seed} {} {}: {}", crate::trace::clock(violation.at), violation.id, violation.what);
    }
}

#[allow(clippy::disallowed_methods, reason = "how long it really took")]
fn many(from: u64, to: u64, jobs: u64, most: usize) -> ExitCode {
    let began = std::time::Instant::now();
    let next = std::sync::atomic::AtomicU64::new(from);
    let found = std::sync::Mutex::new((0u64, 0u64, Vec::<u64>::new(), BTreeMap::<&'static str, u64>::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    let outcome = run(&Script::draw(seed), &Options::default());
                    let Ok(mut found) = found.lock() else { return };
                    found.0 += 1;
                    found.1 += outcome.simulated;
                    if !outcome.violations.is_empty() {
                        report(seed, &outcome);
                        found.2.push(seed);
                        for violation in &outcome.violations {
                            *found.3.entry(violation.id).or_default() += 1;
                        }
                        if found.2.len() >= most {
                            next.store(to, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let took = began.elapsed().max(Duration::from_millis(1)).as_secs_f64();
    let Ok((seeds, simulated, failing, kinds)) = found.into_inner() else { return ExitCode::FAILURE };
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let (rate, hours) = (seeds as f64 / took, simulated as f64 / 3_600_000.0);
    println!(
        "{seeds} seeds in {took:.1} s: {rate:.1} seeds/s, {hours:.0} simulated hours, {:.0} of them a second; {} failed {kinds:?}",
        hours / took,
        failing.len()
    );
    if failing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

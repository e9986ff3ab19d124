//! `dormouse-sim`: seeds in bulk, or one of them to read; scenarios with everything that can go wrong once.

use crate::driver::{Options, Outcome, run};
use crate::faults::FAULTS;
use crate::scenario::{NAMES, PAIRED};
use crate::script::{Script, Size};
use crate::shrink::shrink;
use crate::stroke::{self, Stroke};
use crate::systematic::{self, Tried};
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::PoisonError;
use std::time::Duration;

const USAGE: &str = "\
usage: dormouse-sim --seeds A..B [--jobs N] [--services N] [--hours N] [--most N]
       dormouse-sim --seed N [--services N] [--hours N] [--trace] [--shrink]
       dormouse-sim --scenario NAME [--crash WHEN:N[,WHEN:N]] [--read HOW:N] [--trace]
       dormouse-sim [--crashes] [--freezes] [--takeovers] [--pairs] [--reads] [--only NAME] [--every N]
                    [--jobs N]
       dormouse-sim --faults | --invariants
       dormouse-sim --mutants [NAME,NAME…] [--seeds A..B] [--jobs N] [--table FILE]
       dormouse-sim --mutants --quick [--jobs N] --table FILE

--seeds     runs many seeds and says which of them failed
--seed      runs one; --trace prints its timeline, --shrink looks for the shortest run that fails the same way
--services  so many services instead of as many as the seed says; --hours: at least so long
--most      stops after so many failures
--scenario  runs a named scenario; --crash before:37,after:52: with crashes around these effects of it (frozen-before,
            frozen-after: frozen until another leads; late, overtaken: gone, and the effect comes 8 or 20 s later);
            --read missed:9 (or stale:9): with this read of it gone wrong
--crashes   a crash at every effect of every scenario, before it and after it
--freezes   the controller frozen there, before its call leaves or before it hears the answer, until another leads
--takeovers the controller gone while its call is on its way, which arrives when the next has started, or leads
--pairs     crashes at every two effects of a wake and of a falling asleep
--reads     every read of every scenario gone wrong: not answered, or a minute old
--every     only at every N-th effect or read
--faults    lists what goes wrong in a run; --invariants: what must never be, and what must come true
--mutants   plants faults into the product, one at a time, and says what finds each (feature `mutants`); --table
            writes that down; --quick: only by what the table says, and by more if that shows it no more
";

struct Args<'a>(&'a [String]);

impl Args<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|arg| arg == name)
    }

    fn value(&self, name: &str) -> Option<&String> {
        self.0.iter().position(|arg| arg == name).and_then(|at| self.0.get(at + 1))
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.value(name)?.parse().ok()
    }

    fn size(&self) -> Size {
        Size { services: self.number("--services"), hours: self.number("--hours") }
    }

    /// What is asked of one run. Effects and reads that cannot be read are none.
    fn options(&self) -> Options {
        Options {
            trace: self.has("--trace"),
            strokes: self.value("--crash").and_then(|text| stroke::read(text)),
            read: self.value("--read").and_then(|text| systematic::read_of(text)),
        }
    }
}

/// Runs the program.
pub fn main(args: &[String]) -> ExitCode {
    let args = Args(args);
    let jobs = args.number("--jobs").unwrap_or(1);
    if args.has("--faults") {
        FAULTS.iter().for_each(|(name, what)| println!("{name:<18}  {what}"));
        println!("\nscenarios: {}", NAMES.join(", "));
        return ExitCode::SUCCESS;
    }
    if args.has("--invariants") {
        let line = |known: &crate::check::Invariant| {
            println!("{:4}{:24}{}", known.id, known.name, known.says.trim())
        };
        crate::check::ALL.iter().for_each(line);
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "mutants")]
    if args.has("--mutants") {
        let names = args.value("--mutants").filter(|names| !names.starts_with("--"));
        let names: Vec<String> = names.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
        let seeds = args.value("--seeds").and_then(|text| range(text)).unwrap_or(0..crate::mutants::SEEDS);
        let table = args.value("--table").map(std::path::Path::new);
        if args.has("--quick") {
            let written = table.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            let all = crate::mutants::quick::main(&written, jobs);
            return if all { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        let all = crate::mutants::main(&names, &seeds, args.number("--jobs").unwrap_or(2), table);
        return if all { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if SYSTEMATIC.iter().any(|(name, _)| args.has(name)) {
        return everywhere(&args, jobs);
    }
    if let Some(name) = args.value("--scenario") {
        let options = args.options();
        let strokes: Vec<Stroke> = options.strokes.iter().flatten().map(|(_, stroke)| *stroke).collect();
        let script = systematic::with_others(name, &strokes);
        return script.map_or(ExitCode::from(2), |script| play(5, &script, &options));
    }
    if let Some(seed) = args.number("--seed") {
        return one(seed, args.size(), &args.options(), args.has("--shrink"));
    }
    let Some(Range { start: from, end: to }) = args.value("--seeds").and_then(|text| range(text)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    many(from, to, args.size(), jobs, args.number("--most").unwrap_or(usize::MAX))
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

fn one(seed: u64, size: Size, options: &Options, shorter: bool) -> ExitCode {
    let mut script = Script::of(seed, size);
    if shorter {
        let first = run(&script, &Options::default());
        if let Some(violation) = first.violations.first() {
            script = shrink(&script, violation.id);
            println!("{script:#?}");
        }
    }
    play(seed, &script, options)
}

fn play(seed: u64, script: &Script, options: &Options) -> ExitCode {
    let outcome = run(script, options);
    if options.trace {
        println!("{:#?}", script.profile);
    }
    outcome.lines.iter().for_each(|line| println!("{line}"));
    report(seed, &outcome);
    println!(
        "hash {:016x}, {:?}, {} mutating calls, {} events, {} effects, {} reads",
        outcome.hash, outcome.answers, outcome.mutations, outcome.events, outcome.effects, outcome.reads
    );
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is tried in each scenario: by its name, at every so-many-th effect or read, with so many jobs.
type Attempt = fn(&str, usize, usize) -> Tried;

const SYSTEMATIC: [(&str, Attempt); 5] = [
    ("--crashes", |name, every, jobs| systematic::crash_everywhere(name, 0, every, jobs)),
    ("--freezes", |name, every, jobs| systematic::freeze_everywhere(name, 0, every, jobs)),
    ("--takeovers", |name, every, jobs| systematic::take_over_everywhere(name, 0, every, jobs)),
    ("--reads", |name, every, jobs| systematic::odd_reads(name, 0, every, jobs)),
    (PAIRS, |name, _, jobs| systematic::crash_in_pairs(name, jobs)),
];

/// Of all of them the one that takes the square of the time.
const PAIRS: &str = "--pairs";

/// Tries what is asked for in every scenario, or in one.
fn everywhere(args: &Args<'_>, jobs: usize) -> ExitCode {
    let mut found = 0;
    let mut tell = |what: &str, name: &str, tried: Tried| {
        let hours = tried.simulated / 3_600_000;
        println!(
            "{what} {name}: {} runs, {hours} simulated hours, {} did harm",
            tried.runs,
            tried.harms.len()
        );
        for harm in &tried.harms {
            found += 1;
            for violation in &harm.violations {
                let at = crate::trace::clock(violation.at);
                println!("  {}: {at} {} {}", harm.tried, violation.id, violation.what);
            }
        }
    };
    let (only, every) = (args.value("--only"), args.number("--every").unwrap_or(1));
    let asked = SYSTEMATIC.iter().filter(|(what, _)| args.has(what));
    for name in NAMES.iter().filter(|name| only.is_none_or(|only| only == **name)) {
        for (what, attempt) in asked.clone().filter(|(what, _)| *what != PAIRS || PAIRED.contains(name)) {
            tell(what.trim_start_matches('-'), name, attempt(name, every, jobs));
        }
    }
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(seed: u64, outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("seed {seed} {} {}: {}", crate::trace::clock(violation.at), violation.id, violation.what);
    }
}

#[derive(Default)]
struct Total {
    seeds: u64,
    simulated: u64,
    events: u64,
    /// Of all runs, in whichever order they ended.
    hash: u64,
    failing: Vec<u64>,
    kinds: BTreeMap<&'static str, u64>,
}

#[allow(clippy::disallowed_methods, reason = "how long it really took")]
fn many(from: u64, to: u64, size: Size, jobs: usize, most: usize) -> ExitCode {
    let began = std::time::Instant::now();
    let next = std::sync::atomic::AtomicU64::new(from);
    let total = std::sync::Mutex::new(Total::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    let outcome = run(&Script::of(seed, size), &Options::default());
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.seeds += 1;
                    total.simulated += outcome.simulated;
                    total.events += outcome.events;
                    let hash = outcome.hash.wrapping_mul(seed.wrapping_mul(2) | 1);
                    total.hash = total.hash.wrapping_add(hash);
                    if outcome.violations.is_empty() {
                        continue;
                    }
                    report(seed, &outcome);
                    total.failing.push(seed);
                    for violation in &outcome.violations {
                        *total.kinds.entry(violation.id).or_default() += 1;
                    }
                    if total.failing.len() >= most {
                        next.store(to, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let took = began.elapsed().max(Duration::from_millis(1)).as_secs_f64();
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let (rate, hours) = (total.seeds as f64 / took, total.simulated as f64 / 3_600_000.0);
    println!(
        "{} seeds in {took:.1} s: {rate:.1} seeds/s, {hours:.0} simulated hours, {:.1} of them a second \
         ({:.0} times real time), {} events, hash {:016x}; {} failed {:?}",
        total.seeds,
        hours / took,
        hours * 3_600.0 / took,
        total.events,
        total.hash,
        total.failing.len(),
        total.kinds
    );
    let given = |name, value: Option<u64>| value.map_or(String::new(), |value| format!(" --{name} {value}"));
    let services = size.services.and_then(|services| u64::try_from(services).ok());
    for seed in &total.failing {
        let size = given("services", services) + &given("hours", size.hours);
        println!(
            "to see it: cargo run --profile sim -p dormouse-sim -- --seed {seed}{size} --trace   (or --shrink)"
        );
    }
    if total.failing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

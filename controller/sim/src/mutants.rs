//! Faults planted into the product's decisions, one at a time: each has to be found.
//!
//! Every fault meets the same seeds. What these do not find meets the named scenarios, then a crash at every effect of
//! them. Faults in adapters are beyond the simulated ports: they meet the adapters' own tests.

use crate::driver::{Options, run};
use crate::scenario::{NAMES, crash_everywhere, scenario};
use crate::script::Script;
use dormouse_state::planted::{Fault, plant};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Faults in adapters, and which of their tests are to notice.
const ADAPTERS: [(Fault, &str); 3] = [
    (Fault::OneUnpagedList, "ecs_tasks::"),
    (Fault::UnchunkedDescribe, "ecs_tasks::"),
    (Fault::UnchunkedProtect, "autoscaling::"),
];

/// How a fault fared.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// Invariant → runs in which it did not hold.
    by: BTreeMap<String, u64>,
    /// Seeds that found it.
    seeds: u64,
    /// The first of them, or whatever else found it.
    first: Option<String>,
}

impl Fate {
    fn note(&mut self, violated: Vec<String>, found_by: impl FnOnce() -> String) {
        if !violated.is_empty() {
            self.first.get_or_insert_with(found_by);
        }
        for id in violated {
            *self.by.entry(id).or_default() += 1;
        }
    }
}

/// Plants each fault (or only those that are named) and prints what found it. Answers whether all were found.
pub fn main(named: &[String], seeds: &Range<u64>, jobs: usize) -> bool {
    let wanted = |fault: &&Fault| named.is_empty() || named.contains(&format!("{fault:?}"));
    let faults: Vec<Fault> = Fault::ALL.iter().filter(wanted).copied().collect();
    let found = Mutex::new(0);
    let next = AtomicUsize::new(0);
    println!("{:22} {:>9} {:28} {:18} what", "fault", "seeds", "found by", "first");
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fate = try_it(*fault, seeds);
                    let Ok(mut found) = found.lock() else { return };
                    print(*fault, &fate, seeds);
                    *found += usize::from(fate.first.is_some());
                }
            });
        }
    });
    let Ok(found) = found.into_inner() else { return false };
    println!("{found} of {} faults found, {} seeds each", faults.len(), seeds.end - seeds.start);
    found == faults.len()
}

fn print(fault: Fault, fate: &Fate, seeds: &Range<u64>) {
    let mut by: Vec<(&String, &u64)> = fate.by.iter().collect();
    by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let by = by.iter().take(5).map(|(id, count)| format!("{id}×{count}")).collect::<Vec<_>>().join(" ");
    let share = format!("{}/{}", fate.seeds, seeds.end - seeds.start);
    let first = fate.first.as_deref().unwrap_or("NOT FOUND");
    println!("{:22} {share:>9} {by:28} {first:18} {}", format!("{fault:?}"), fault.what());
}

fn try_it(fault: Fault, seeds: &Range<u64>) -> Fate {
    let mut fate = Fate::default();
    if let Some((_, tests)) = ADAPTERS.iter().find(|(known, _)| *known == fault) {
        if !adapter_passes(None, tests) {
            fate.by.insert("the tests fail without it".to_owned(), 1);
        } else if !adapter_passes(Some(fault), tests) {
            fate.note(vec!["adapter's tests".to_owned()], || tests.trim_end_matches(':').to_owned());
        }
        return fate;
    }
    plant(Some(fault));
    for seed in seeds.clone() {
        let violated = violations(&Script::draw(seed));
        fate.seeds += u64::from(!violated.is_empty());
        fate.note(violated, || seed.to_string());
    }
    for name in NAMES {
        if fate.first.is_none() {
            let violated = scenario(name).map(|script| violations(&script)).unwrap_or_default();
            fate.note(violated, || name.to_owned());
        }
    }
    for name in NAMES {
        if fate.first.is_none() {
            let harms = crash_everywhere(name, 0, 3, 1).harms;
            let violated = harms.iter().flat_map(|harm| &harm.violations).map(|found| found.id.to_owned());
            fate.note(violated.collect(), || format!("{name}, crashed"));
        }
    }
    plant(None);
    fate
}

/// What a run violates, each property once. A run that does not get to its end at all is found, too.
fn violations(script: &Script) -> Vec<String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(script, &Options::default())));
    let mut ids: Vec<String> = match outcome {
        Ok(outcome) => outcome.violations.iter().map(|found| found.id.to_owned()).collect(),
        Err(_) => vec!["panic".to_owned()],
    };
    ids.sort();
    ids.dedup();
    ids
}

/// Whether the adapters' tests pass, with a fault or without one.
fn adapter_passes(fault: Option<Fault>, tests: &str) -> bool {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "test",
        "--locked",
        "-q",
        "-p",
        "dormouse-aws",
        "--features",
        "mutants",
        "--test",
        "wire",
        "--",
        tests,
    ]);
    if let Some(fault) = fault {
        cargo.env("DORMOUSE_MUTANT", format!("{fault:?}"));
    }
    cargo.output().is_ok_and(|output| output.status.success())
}

//! Faults planted into the product's decisions, one at a time: each has to be found.
//!
//! Every fault meets the same seeds. What these do not show meets the named scenarios, then more seeds, then a crash at
//! every effect of the scenarios, which takes longest. Faults in what a run does not have, such as the adapters, meet
//! the tests that are there for it.
//!
//! # Layout
//!
//! - [`quick`]: each fault with what showed it last time, in seconds

pub mod quick;

use crate::driver::{Options, run};
use crate::scenario::{NAMES, scenario};
use crate::script::Script;
use crate::systematic::crash_everywhere;
use dormouse_state::planted::{Fault, plant};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds that every fault meets, unless others are asked for.
pub const SEEDS: u64 = 16;
/// Seeds that are tried beyond those that every fault meets, for what nothing else shows.
const MORE_SEEDS: u64 = 300;

/// Tests of a crate.
#[derive(Debug, Clone, Copy)]
struct Tests {
    package: &'static str,
    /// Of which of its targets, as for `cargo test`.
    target: &'static [&'static str],
    filter: &'static str,
}

const fn core(filter: &'static str) -> Tests {
    Tests { package: "dormouse-core", target: &["--lib"], filter }
}

const fn wire(filter: &'static str) -> Tests {
    Tests { package: "dormouse-aws", target: &["--test", "wire"], filter }
}

/// Faults that a run cannot show, and which tests are to notice.
const BY_TESTS: &[(Fault, Tests)] = &[
    (Fault::OneUnpagedList, wire("ecs_tasks::")),
    (Fault::UnchunkedDescribe, wire("ecs_tasks::")),
    (Fault::UnchunkedProtect, wire("autoscaling::")),
    (Fault::RollsOutForEver, core("lifecycle::tests::rollout::")),
    (Fault::RollbackForgets, core("lifecycle::tests::rollout::")),
    (Fault::ChecksNothing, core("lifecycle::tests::rollout::")),
    (Fault::WindowsWakeNobody, core("lifecycle::tests::falling_asleep::")),
    (Fault::WindowsKeepNobody, core("idle::tests::")),
    (Fault::WindowOverrules, core("lifecycle::tests::falling_asleep::")),
    (Fault::FallsBackAtOnce, core("lifecycle::tests::pools::")),
    (Fault::WaitsForEver, core("lifecycle::tests::pools::")),
    (Fault::SpotForEver, core("lifecycle::tests::pools::")),
    (Fault::TemplatesMakeAnyNumber, core("template::tests::")),
    (Fault::TemplatesStay, core("template::tests::")),
];

/// How a fault fared.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// Invariant → runs in which it did not hold.
    by: BTreeMap<String, u64>,
    /// Of the seeds that every fault meets, those that showed it.
    seeds: u64,
    /// What showed it first.
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

    /// What did not hold, the most frequent first.
    fn invariants(&self) -> String {
        let mut by: Vec<(&String, &u64)> = self.by.iter().collect();
        by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        by.iter().take(5).map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// What becomes of each fault.
type Fates = BTreeMap<usize, Fate>;

/// Plants each fault (or only those that are named), says what found it, and writes the table of all. Answers whether
/// all were found, and nothing was without them.
pub fn main(named: &[String], seeds: &Range<u64>, jobs: usize, table: Option<&Path>) -> bool {
    let wanted = |fault: &&Fault| named.is_empty() || named.contains(&format!("{fault:?}"));
    let faults: Vec<Fault> = Fault::ALL.iter().filter(wanted).copied().collect();
    if let Some(seed) = seeds.clone().find(|seed| !violations(&Script::draw(*seed)).is_empty()) {
        eprintln!("seed {seed} fails without a fault");
        return false;
    }
    // Cargo builds for one at a time: what tests are to find comes last.
    let mut order: Vec<usize> = (0..faults.len()).collect();
    order.sort_by_key(|index| faults.get(*index).and_then(by_tests).is_some());
    let fates = Mutex::new(Fates::new());
    side_by_side(jobs, &order, |index| {
        let Some(fault) = faults.get(*index) else { return };
        let fate = look_for(*fault, seeds);
        eprintln!("{}", row(*fault, &fate));
        fates.lock().unwrap_or_else(PoisonError::into_inner).insert(*index, fate);
    });
    let fates = fates.into_inner().unwrap_or_else(PoisonError::into_inner);
    let written = show(&faults, &fates, seeds);
    print!("{written}");
    if let Some(path) = table.filter(|_| named.is_empty())
        && let Err(error) = std::fs::write(path, &written)
    {
        eprintln!("{}: {error}", path.display());
        return false;
    }
    fates.len() == faults.len() && fates.values().all(|fate| fate.first.is_some())
}

/// Does the same with each of a list, several at a time.
fn side_by_side<T: Sync>(jobs: usize, all: &[T], each: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(one);
                }
            });
        }
    });
}

/// The table of all, as a page.
fn show(faults: &[Fault], fates: &Fates, seeds: &Range<u64>) -> String {
    let found = fates.values().filter(|fate| fate.first.is_some()).count();
    let mut page = format!(
        "# Planted faults\n\n\
         Written by `make mutants`, which plants each fault of `state/src/planted.rs` into the product's decisions and \
         fails\nwhen one is not found. {found} of {} were found. Each meets the seeds {}..{}, which are quiet without \
         it; how many of\nthem show it is in the fourth column. What they do not show meets the named scenarios, then \
         {MORE_SEEDS} more\nseeds, then crashes in the scenarios. What a run does not have is for tests to find. The first \
         fifteen are of the kind that systems like\nthis have got wrong.\n\n\
         | fault | what is wrong | what did not hold | seeds | first shown by |\n|---|---|---|---|---|\n",
        faults.len(),
        seeds.start,
        seeds.end
    );
    for (fault, fate) in
        faults.iter().enumerate().filter_map(|(index, fault)| Some((fault, fates.get(&index)?)))
    {
        let _ = writeln!(page, "{}", row(*fault, fate));
    }
    page
}

fn row(fault: Fault, fate: &Fate) -> String {
    let first = fate.first.as_deref().unwrap_or("**nothing**");
    let seeds = if fate.seeds > 0 { fate.seeds.to_string() } else { "–".to_owned() };
    format!("| `{fault:?}` | {} | {} | {seeds} | {first} |", fault.what(), fate.invariants())
}

fn by_tests(fault: &Fault) -> Option<&'static Tests> {
    BY_TESTS.iter().find(|(known, _)| known == fault).map(|(_, tests)| tests)
}

fn look_for(fault: Fault, seeds: &Range<u64>) -> Fate {
    let mut fate = Fate::default();
    if let Some(tests) = by_tests(&fault) {
        if !passes(None, tests) {
            eprintln!("`{}` of {} fails without a fault", tests.filter, tests.package);
        } else if !passes(Some(fault), tests) {
            let name = format!("{}'s tests `{}`", tests.package, tests.filter.trim_end_matches(':'));
            fate.note(vec!["tests".to_owned()], || name);
        }
        return fate;
    }
    for seed in seeds.clone() {
        let violated = shown_by(fault, &Way::Seed(seed));
        fate.seeds += u64::from(!violated.is_empty());
        fate.note(violated, || Way::Seed(seed).to_string());
    }
    let crashes = || NAMES.into_iter().map(|name| Way::Crashes(name.to_owned()));
    for way in beyond(seeds).chain(crashes()) {
        if fate.first.is_none() {
            fate.note(shown_by(fault, &way), || way.to_string());
        }
    }
    fate
}

/// Something that may show a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Seed(u64),
    Scenario(String),
    /// Crashes at some effects of a scenario.
    Crashes(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Seed(seed) => write!(f, "seed {seed}"),
            Way::Scenario(name) => write!(f, "scenario `{name}`"),
            Way::Crashes(name) => write!(f, "crashes in `{name}`"),
        }
    }
}

/// What is tried after the seeds that every fault meets.
fn beyond(seeds: &Range<u64>) -> impl Iterator<Item = Way> {
    let more = (seeds.end..seeds.end + MORE_SEEDS).map(Way::Seed);
    NAMES.into_iter().map(|name| Way::Scenario(name.to_owned())).chain(more)
}

/// What does not hold with the fault, that way.
fn shown_by(fault: Fault, way: &Way) -> Vec<String> {
    plant(Some(fault));
    let violated = match way {
        Way::Seed(seed) => violations(&Script::draw(*seed)),
        Way::Scenario(name) => scenario(name).map(|script| violations(&script)).unwrap_or_default(),
        Way::Crashes(name) => {
            let harms = crash_everywhere(name, 0, 3, 1).harms;
            harms.iter().flat_map(|harm| &harm.violations).map(|found| found.id.to_owned()).collect()
        }
    };
    plant(None);
    violated
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

/// Whether tests pass, with a fault or without one.
fn passes(fault: Option<Fault>, tests: &Tests) -> bool {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["test", "--locked", "-q", "--features", "mutants", "-p", tests.package]);
    cargo.args(tests.target).args(["--", tests.filter]);
    cargo.env_remove("DORMOUSE_MUTANT");
    if let Some(fault) = fault {
        cargo.env("DORMOUSE_MUTANT", format!("{fault:?}"));
    }
    cargo.output().is_ok_and(|output| output.status.success())
}

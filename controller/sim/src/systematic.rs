//! Everything that can go wrong once, in a named scenario: at each of its effects in turn, or at each of its reads.

use crate::check::Violation;
use crate::driver::{Options, Outcome, run};
use crate::profile::Ms;
use crate::scenario::scenario;
use crate::script::Script;
use crate::sim::Odd;
use crate::stroke::{self, At, Stroke};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What was tried and did harm.
#[derive(Debug, Clone)]
pub struct Harm {
    /// What went wrong, as the program takes it.
    pub tried: String,
    /// What it did.
    pub violations: Vec<Violation>,
}

/// How much was tried, and what did harm.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Runs.
    pub runs: u64,
    /// Simulated time of all of them.
    pub simulated: Ms,
    /// What was found.
    pub harms: Vec<Harm>,
}

impl Tried {
    fn add(&mut self, tried: impl FnOnce() -> String, outcome: Outcome) {
        self.runs += 1;
        self.simulated += outcome.simulated;
        if !outcome.violations.is_empty() {
            self.harms.push(Harm { tried: tried(), violations: outcome.violations });
        }
    }

    fn join(&mut self, other: Tried) {
        self.runs += other.runs;
        self.simulated += other.simulated;
        self.harms.extend(other.harms);
    }
}

/// A scenario as it is run with these strokes: with another controller beside the first, if it takes one.
pub fn with_others(name: &str, strokes: &[Stroke]) -> Option<Script> {
    let mut script = scenario(name)?;
    if strokes.iter().any(|stroke| stroke.needs_another()) {
        script.controllers = script.controllers.max(2);
    }
    Some(script)
}

fn struck(script: &Script, strokes: &[At]) -> Outcome {
    run(script, &Options { strokes: Some(strokes.to_vec()), ..Options::default() })
}

/// A read that goes wrong, in the words that the program takes: `missed:9`.
pub fn read_of(word: &str) -> Option<(u64, Odd)> {
    let (how, read) = word.split_once(':')?;
    let odd = match how {
        "missed" => Odd::Missed,
        "stale" => Odd::Stale,
        _ => return None,
    };
    Some((read.parse().ok()?, odd))
}

/// Crashes at every `stride`-th effect of a scenario in turn, before it and after it.
pub fn crash_everywhere(name: &str, first: u64, stride: usize, jobs: usize) -> Tried {
    everywhere(name, &[Stroke::Before, Stroke::After], first, stride, jobs)
}

/// Freezes the controller that has it at every `stride`-th effect of a scenario in turn, before it and after it, until
/// another has taken over.
pub fn freeze_everywhere(name: &str, first: u64, stride: usize, jobs: usize) -> Tried {
    everywhere(name, &[Stroke::FrozenBefore, Stroke::FrozenAfter], first, stride, jobs)
}

/// Has every `stride`-th effect of a scenario in turn arrive late, its controller gone since it left.
pub fn take_over_everywhere(name: &str, first: u64, stride: usize, jobs: usize) -> Tried {
    everywhere(name, &[Stroke::Late, Stroke::Overtaken], first, stride, jobs)
}

fn everywhere(name: &str, strokes: &[Stroke], first: u64, stride: usize, jobs: usize) -> Tried {
    let Some(script) = with_others(name, strokes) else { return Tried::default() };
    // None at all: how many effects there are.
    let plain = struck(&script, &[]);
    let effects = (first..plain.effects).step_by(stride.max(1));
    let at: Vec<At> =
        effects.flat_map(|effect| strokes.iter().map(move |stroke| (effect, *stroke))).collect();
    let mut tried = side_by_side(jobs, &at, |at, tried| {
        tried.add(|| format!("--crash {}", stroke::words(&[*at])), struck(&script, &[*at]));
    });
    tried.add(|| "nothing gone wrong".to_owned(), plain);
    tried
}

/// Crashes at every two effects of a scenario, each of them before or after: the second counts in the run that the
/// first one makes of it.
pub fn crash_in_pairs(name: &str, jobs: usize) -> Tried {
    let Some(script) = scenario(name) else { return Tried::default() };
    let both = [Stroke::Before, Stroke::After];
    let firsts: Vec<At> =
        (0..struck(&script, &[]).effects).flat_map(|effect| both.map(|stroke| (effect, stroke))).collect();
    side_by_side(jobs, &firsts, |first, tried| {
        let alone = struck(&script, &[*first]);
        for second in first.0 + 1..alone.effects {
            for stroke in both {
                let pair = [*first, (second, stroke)];
                tried.add(|| format!("--crash {}", stroke::words(&pair)), struck(&script, &pair));
            }
        }
    })
}

/// Lets every `stride`-th read of a scenario go wrong in turn: not answered, or a minute old.
pub fn odd_reads(name: &str, first: u64, stride: usize, jobs: usize) -> Tried {
    let Some(script) = scenario(name) else { return Tried::default() };
    let with = |read: (u64, Odd)| run(&script, &Options { read: Some(read), ..Options::default() });
    let reads = with((u64::MAX, Odd::Stale)).reads;
    let odd: Vec<(u64, Odd)> = (first..reads)
        .step_by(stride.max(1))
        .flat_map(|read| [(read, Odd::Missed), (read, Odd::Stale)])
        .collect();
    side_by_side(jobs, &odd, |read, tried| {
        let how = if read.1 == Odd::Missed { "missed" } else { "stale" };
        tried.add(|| format!("--read {how}:{}", read.0), with(*read));
    })
}

/// Tries everything of a list, in its order whoever comes first.
fn side_by_side<T: Sync>(jobs: usize, all: &[T], attempt: impl Fn(&T, &mut Tried) + Sync) -> Tried {
    #[cfg(feature = "mutants")]
    let fault = dormouse_state::planted::here();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                #[cfg(feature = "mutants")]
                dormouse_state::planted::plant(fault);
                while let Some((index, one)) = all.get(next.load(Ordering::Relaxed)..).and_then(|_| {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    Some((index, all.get(index)?))
                }) {
                    let mut tried = Tried::default();
                    attempt(one, &mut tried);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, tried));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let mut all = Tried::default();
    done.into_iter().for_each(|(_, tried)| all.join(tried));
    all
}

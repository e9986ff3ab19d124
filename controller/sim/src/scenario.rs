//! Named scenarios without random faults, for a crash at every single effect of each.

use crate::check::Violation;
use crate::driver::{Options, run};
use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::script::{Act, Script};
use dormouse_peer::wire::Role;

/// Every scenario by name.
pub const NAMES: [&str; 11] = [
    "wake-cold",
    "wake-warm",
    "sleep-idle",
    "request-during-rest",
    "delete",
    "service-crash",
    "proxy-crash",
    "instance-removal",
    "redeclare-while-waking",
    "foreign-record",
    "instance-never-joins",
];

/// A scenario: what happens, and from when on its effects are of interest.
pub fn scenario(name: &str) -> Option<Script> {
    let wake = (20 * SECOND, Act::Wake(0));
    let up = 4 * MINUTE;
    let ask = |at: Ms, count: u64, gap: Ms| (at, Act::Ask { service: 0, count, gap, takes: 200 });
    let acts = match name {
        "wake-cold" => vec![wake, ask(21 * SECOND, 3, 10 * SECOND)],
        "wake-warm" => vec![wake, (up, Act::Sleep(0)), (up + 100 * SECOND, Act::Wake(0))],
        "sleep-idle" => vec![wake, ask(up, 5, 5 * SECOND)],
        "request-during-rest" => vec![wake, (up, Act::Sleep(0)), ask(up + 2 * SECOND, 10, 3 * SECOND)],
        "delete" => vec![wake, (up, Act::Delete(0))],
        "service-crash" => vec![wake, (up, Act::Kill(0, Role::Service)), ask(up, 20, 2 * SECOND)],
        "proxy-crash" => vec![wake, (up, Act::Kill(0, Role::Proxy)), ask(up, 20, 2 * SECOND)],
        "instance-removal" => vec![
            wake,
            (up, Act::Sleep(0)),
            (up + 250 * SECOND, Act::Wake(0)),
            (up + 8 * MINUTE, Act::Sleep(0)),
        ],
        "redeclare-while-waking" => vec![wake, (25 * SECOND, Act::Declare(0)), (up, Act::Declare(0))],
        "foreign-record" => vec![wake, (up, Act::Record(0, true)), (up + 2 * MINUTE, Act::Record(0, false))],
        "instance-never-joins" => vec![wake, (up, Act::Wake(0))],
        _ => return None,
    };
    let calm_at = acts.iter().map(|(at, _)| *at).max().unwrap_or(0) + 2 * MINUTE;
    Some(Script {
        seed: 5,
        profile: Profile {
            never_joins: if name == "instance-never-joins" { 1000 } else { 0 },
            ..Profile::CALM
        },
        services: 1,
        controllers: 1,
        max_instances: 2,
        skew: 0,
        acts,
        calm_at,
        end_at: calm_at + 62 * MINUTE,
    })
}

/// A crash that did harm.
#[derive(Debug, Clone)]
pub struct Harm {
    /// The scenario.
    pub name: &'static str,
    /// The effects at which it crashed.
    pub effects: Vec<u64>,
    /// After them, or before.
    pub after: bool,
    /// What it did.
    pub violations: Vec<Violation>,
}

/// How many crashes were tried, and those that did harm.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Runs.
    pub runs: u64,
    /// Simulated time of all of them.
    pub simulated: Ms,
    /// What was found.
    pub harms: Vec<Harm>,
}

/// Crashes at every effect of a scenario in turn, before and after it; with `pairs`, at every two of them that are
/// at most so far apart.
pub fn crash_everywhere(name: &'static str, pairs: u64) -> Tried {
    let mut tried = Tried::default();
    let Some(script) = scenario(name) else { return tried };
    let mut attempt = |effects: Vec<u64>, after: bool| {
        let outcome = run(&script, &Options { crash: Some((effects.clone(), after)), ..Options::default() });
        tried.runs += 1;
        tried.simulated += outcome.simulated;
        if !outcome.violations.is_empty() {
            tried.harms.push(Harm { name, effects, after, violations: outcome.violations });
        }
        outcome.effects
    };
    // No crash at all: how many effects there are.
    let effects = attempt(Vec::new(), false);
    for after in [false, true] {
        for first in 0..effects {
            attempt(vec![first], after);
            for second in first + 1..=first + pairs {
                attempt(vec![first, second], after);
            }
        }
    }
    tried
}

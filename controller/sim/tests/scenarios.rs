//! Every named scenario comes to rest, and so it does with a crash at any of its effects, with the controller frozen or
//! replaced there, and with any of its reads gone wrong. All effects, reads and pairs are tried by
//! `dormouse-sim --crashes --freezes --takeovers --reads --pairs`, which takes long; here are a few of each.

use dormouse_sim::driver::{Options, run};
use dormouse_sim::scenario::{NAMES, scenario};
use dormouse_sim::script::{Act, Script};
use dormouse_sim::systematic::{Tried, crash_everywhere, freeze_everywhere, odd_reads, take_over_everywhere};

#[test]
fn without_anything_gone_wrong() {
    for name in NAMES {
        let outcome = run(&scenario(name).unwrap(), &Options::default());
        assert!(outcome.violations.is_empty(), "{name}: {:#?}", outcome.violations);
        assert!(outcome.mutations > 0, "{name}: nothing happened");
    }
}

/// Whom the same is asked of beside a neighbour of which nothing works, and beside one that is well: what is ours of a
/// wake may be longer by a tenth of the wake.
#[test]
fn a_poisoned_neighbour_delays_the_others_by_a_tenth_at_most() {
    let with = scenario("poisoned-neighbour").unwrap();
    let mut without = with.clone();
    without.acts.retain(|(_, act)| !matches!(act, Act::Poison(_)));
    let mean = |script: &Script| {
        let (mut own, mut whole, mut count) = (0, 0, 0);
        for seed in 0..8 {
            let outcome = run(&Script { seed, ..script.clone() }, &Options::default());
            assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
            for (_, ours, all) in outcome.wakes.iter().filter(|(name, ..)| name != "shop") {
                (own, whole, count) = (own + ours, whole + all, count + 1);
            }
        }
        assert!(count > 32, "{count} wakes can be compared");
        (own / count, whole / count)
    };
    let ((own, _), (own_without, whole)) = (mean(&with), mean(&without));
    assert!(own <= own_without + whole / 10, "{own} ms are ours instead of {own_without}, of {whole}");
}

fn harmless(name: &str, tried: &Tried) {
    assert!(tried.harms.is_empty(), "{name}: {:#?}", tried.harms);
}

#[test]
fn a_crash_at_some_effects_of_each() {
    for (index, name) in (0..).zip(NAMES) {
        let tried = crash_everywhere(name, index % 7, 97, 1);
        assert!(tried.runs > 2, "{name}: it has effects");
        harmless(name, &tried);
    }
}

#[test]
fn a_freeze_at_some_effects_of_each() {
    for (index, name) in (0..).zip(NAMES) {
        harmless(name, &freeze_everywhere(name, (index * 3) % 11, 97, 1));
    }
}

#[test]
fn a_call_of_each_that_lands_when_its_controller_is_gone() {
    for (index, name) in (0..).zip(NAMES) {
        harmless(name, &take_over_everywhere(name, (index * 5) % 13, 97, 1));
    }
}

#[test]
fn some_reads_of_each_gone_wrong() {
    for (index, name) in (0..).zip(NAMES) {
        let tried = odd_reads(name, index * 5, 499, 1);
        assert!(tried.runs > 0, "{name}: it reads");
        harmless(name, &tried);
    }
}

/// The last line of a run's timeline that holds these words, in milliseconds.
fn at(lines: &[String], words: &str) -> Option<u64> {
    let line = lines.iter().rev().find(|line| line.contains(words))?;
    let (minutes, rest) = line.split_once(':')?;
    let seconds: f64 = rest.split(' ').next()?.parse().ok()?;
    Some(minutes.parse::<u64>().ok()? * 60_000 + (seconds * 1000.0) as u64)
}

/// What one part of AWS does not answer is waited for, and nothing else is.
#[test]
fn an_outage_holds_up_nobody_whom_it_does_not_concern() {
    for (name, happens) in [
        ("addresses-outage", "shop: phase Asleep"),
        ("takeover-without-the-group", "RunTask shop2:service"),
        ("takeover-without-the-group", "shop2: phase Awake"),
    ] {
        let script = scenario(name).unwrap();
        let options = Options { trace: true, ..Options::default() };
        let lines = run(&script, &options).lines;
        let outage = at(&lines, "· Outage").unwrap();
        let happened = at(&lines, happens).unwrap_or_else(|| panic!("{name}: {happens}: {lines:#?}"));
        assert!((outage..outage + 3 * 60_000).contains(&happened), "{name}: {happens}, at {happened} ms");
    }
}

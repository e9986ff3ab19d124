//! Every named scenario comes to rest, and so it does with a crash at any of its effects, and with any of its reads
//! gone wrong. All effects, reads and pairs are tried by `dormouse-sim --crashes --reads --pairs`, which takes
//! minutes; here are a few of each.

use dormouse_sim::driver::{Options, run};
use dormouse_sim::scenario::{NAMES, Tried, crash_everywhere, odd_reads, scenario};

#[test]
fn without_anything_gone_wrong() {
    for name in NAMES {
        let outcome = run(&scenario(name).unwrap(), &Options::default());
        assert!(outcome.violations.is_empty(), "{name}: {:#?}", outcome.violations);
        assert!(outcome.mutations > 0, "{name}: nothing happened");
    }
}

fn harmless(name: &str, tried: &Tried) {
    assert!(tried.harms.is_empty(), "{name}: {:#?}", tried.harms);
}

#[test]
fn a_crash_at_some_effects_of_each() {
    for (index, name) in (0..).zip(NAMES) {
        let tried = crash_everywhere(name, index % 7, 29, 1);
        assert!(tried.runs > 2, "{name}: it has effects");
        harmless(name, &tried);
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

//! Every named scenario comes to rest, and so it does with a crash at its effects. All effects, and pairs of them,
//! are tried by `dormouse-sim --crashes`, which takes minutes; here are a few of each.

use dormouse_sim::driver::{Options, run};
use dormouse_sim::scenario::{NAMES, scenario};

/// Of so many effects one is crashed at here.
const STRIDE: usize = 23;

#[test]
fn without_a_crash() {
    for name in NAMES {
        let outcome = run(&scenario(name).unwrap(), &Options::default());
        assert!(outcome.violations.is_empty(), "{name}: {:#?}", outcome.violations);
        assert!(outcome.mutations > 0, "{name}: nothing happened");
    }
}

fn crashed(name: &str, offset: usize) {
    let Some(script) = scenario(name) else { unreachable!("no scenario is called {name}") };
    let counted = run(&script, &Options { crash: Some((Vec::new(), false)), ..Options::default() });
    for effect in (0..counted.effects).skip(offset).step_by(STRIDE) {
        for after in [false, true] {
            let options = Options { crash: Some((vec![effect], after)), ..Options::default() };
            let outcome = run(&script, &options);
            assert!(outcome.violations.is_empty(), "{name} at {effect}: {:#?}", outcome.violations);
        }
    }
}

#[test]
fn a_crash_while_it_wakes() {
    crashed("wake-cold", 3);
}

#[test]
fn a_crash_while_it_falls_asleep() {
    crashed("request-during-rest", 11);
}

#[test]
fn a_crash_while_an_instance_goes() {
    crashed("instance-removal", 17);
}

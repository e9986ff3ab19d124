//! The shortest run that still shows the same violation.

use crate::driver::{Options, run};
use crate::script::Script;

/// Leaves out of a script whatever its violation does not need: acts, fault rates, the second controller.
/// `id`: which property is to be violated still.
pub fn shrink(script: &Script, id: &str) -> Script {
    let fails =
        |script: &Script| run(script, &Options::default()).violations.iter().any(|found| found.id == id);
    let mut best = script.clone();
    // Large pieces first, then single acts, until nothing more can go.
    let mut piece = best.acts.len().max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < best.acts.len() {
            let mut tried = best.clone();
            let end = (at + piece).min(tried.acts.len());
            tried.acts.drain(at..end);
            if fails(&tried) {
                best = tried;
                shorter = true;
            } else {
                at += piece;
            }
        }
        if piece > 1 {
            piece /= 2;
        } else if !shorter {
            break;
        }
    }
    let rates = best.profile.rates().len();
    for index in 0..rates {
        let mut tried = best.clone();
        let was = tried.profile.rates().into_iter().nth(index).map_or(0, |(_, rate)| std::mem::take(rate));
        if was > 0 && fails(&tried) {
            best = tried;
        }
    }
    for simpler in [
        Script { skew: 0, ..best.clone() },
        Script { drift: 0, ..best.clone() },
        Script { private: false, ..best.clone() },
        Script { told: false, ..best.clone() },
        Script { controllers: 1, ..best.clone() },
        Script { services: 1, ..best.clone() },
    ] {
        let in_range = simpler.acts.iter().all(|(_, act)| act.fits(simpler.services, simpler.controllers));
        let merged = Script { acts: best.acts.clone(), profile: best.profile.clone(), ..simpler };
        if in_range && fails(&merged) {
            best = merged;
        }
    }
    best
}

//! S11 and S12: the lease and its fence.

use super::{LEASE, Moment};
use crate::profile::SECOND;
use crate::sim::Sim;

/// At each write and call of a leader: its epoch is not behind that of the row, its lease is still good, and it was not
/// told that a later one leads; and the lease itself is renewed and released by its holder, and taken by others when its time is over.
pub fn s11_fence(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Call { controller, operation, changes: true, .. } => {
            let running = sim.audit.running.get(&controller);
            // An answer is on its way for a moment, and so is one that came while the process was frozen.
            let told = running.and_then(|running| Some(running.overtaken_at?.max(running.since)));
            if told.is_some_and(|at| sim.now > at + SECOND) {
                return Some(format!(
                    "{operation} by controller {controller}, which knows of a later leader"
                ));
            }
            let good = sim.audit.leases.get(&controller).is_some_and(|began| sim.now < began + LEASE);
            (!good).then(|| format!("{operation} after the lease of controller {controller} ran out"))
        }
        Moment::Row { fence, row, before, .. } => {
            let held = sim.audit.fences.get(&row.name).copied().unwrap_or(0);
            if fence.is_some_and(|fence| fence < held) {
                return Some(format!("{} is written by leader {fence:?} after leader {held}", row.name));
            }
            // What only a leader decides, written by nobody in particular.
            let acts = before.is_some_and(|before| before.pair != row.pair || before.dns != row.dns);
            (fence.is_none() && acts && !woken_anew(before, row))
                .then(|| format!("{} is planned without a fence", row.name))
        }
        Moment::Lease { before: None, next, .. } => {
            let written = sim.audit.fences.values().copied().max().unwrap_or(0);
            (next.epoch <= written)
                .then(|| format!("epoch {} of the lease follows epoch {written} of a row", next.epoch))
        }
        Moment::Lease { before: Some(before), next, .. } => {
            let holder = &next.holder;
            if next.epoch == before.epoch {
                let own = before.holder == *holder && !before.nonce.is_empty();
                return (!own).then(|| format!("{holder} renews or releases the lease of {}", before.holder));
            }
            (next.epoch < before.epoch)
                .then(|| format!("epoch {} of the lease follows {}", next.epoch, before.epoch))
        }
        _ => None,
    }
}

/// A forced sleep's pair is condemned by the wake that comes next: that is no leader's.
fn woken_anew(before: Option<&dormouse_state::ServiceRecord>, row: &dormouse_state::ServiceRecord) -> bool {
    before.is_some_and(|before| row.epoch > before.epoch)
}

/// When the lease is taken from another: its holder may make no call any more, by its own clock. While two are made to
/// believe that they lead, and until they can know better, that is so from the start, and all else has to hold.
pub fn s12_split_brain(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Lease { controller, before, next, .. } = moment else { return None };
    let is_free = before.is_some_and(|before| before.nonce.is_empty() || before.epoch == next.epoch);
    if next.nonce.is_empty()
        || is_free
        || sim.truth.split.as_ref().is_some_and(|split| sim.now < split.until + LEASE)
    {
        return None;
    }
    let other =
        sim.audit.leases.iter().find(|(other, began)| *other != controller && sim.now < *began + LEASE)?;
    Some(format!("controller {controller} takes the lease that controller {} may still act on", other.0))
}

//! What templates make: how many at a time, until when, and that nobody else's goes with them.

use super::Moment;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;
use crate::truth::sidecar::millis;
use dormouse_state::{MadeFrom, ServiceRecord};

/// At the write that makes a service: there are no more of its template than there may be. Each controller counts what
/// it knows, so each of those that are there beside the first may make one more than that.
pub fn too_many(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Row { before, row, .. } = moment else { return None };
    let from = row.made_from.as_ref().filter(|_| !row.deleting)?;
    if before.is_some_and(|before| before.made_from.is_some() && !before.deleting) {
        return None;
    }
    let max = sim.audit.templates.by_name.get(&from.template)?.manifest.spec.max;
    let is_other = |other: &&ServiceRecord| {
        let is_of = other.made_from.as_ref().is_some_and(|other| other.template == from.template);
        is_of && other.name != row.name && !other.deleting
    };
    let count = 1 + sim.audit.rows.values().filter(is_other).count();
    let most = usize::try_from(max).ok()? + sim.audit.running.len().saturating_sub(1);
    (count > most).then(|| format!("{} is the {count}th of its template, which may make {max}", row.name))
}

/// At the write that begins to delete a service: somebody asked for it, or it expired. That is never earlier than its
/// time after its last sleep, nor while somebody is held for it, and of what was declared it is never.
pub fn deleted(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Row { controller, before: Some(before), row, .. } = moment else { return None };
    if before.deleting || !row.deleting || sim.audit.deleted_by_hand.contains(&row.name) {
        return None;
    }
    let Some(from) = &row.made_from else {
        return Some(format!("{} is deleted, and nobody asked", row.name));
    };
    // It is dated by when it was decided; its write takes up to five seconds.
    let (asleep, slack) = asleep_for(sim, row, Some(*controller)).unwrap_or_default();
    let asleep = asleep + 6 * SECOND;
    if asleep + slack < millis(from.expire_after) {
        return Some(format!("{} expires after {asleep} ms of sleep", row.name));
    }
    let held = sim.truth.requests.values().find(|request| {
        request.service == row.name
            && request.activator == Some(*controller)
            && request.since + SECOND < sim.now
    })?;
    Some(format!("{} expires, and somebody has waited for it since {}", row.name, held.since))
}

/// At the end: none is there whose time was over long ago.
pub fn overdue(sim: &Sim) -> Option<String> {
    sim.audit.rows.values().find_map(|row| {
        let MadeFrom { expire_after, .. } = row.made_from.as_ref()?;
        let (asleep, slack) = asleep_for(sim, row, sim.audit.leader())?;
        (asleep > millis(*expire_after) + 5 * MINUTE + slack)
            .then(|| format!("{} has slept for {} s and is not deleted", row.name, asleep / SECOND))
    })
}

/// How long it has slept, and by how much that may be off by a controller's clock: another may have dated it.
fn asleep_for(sim: &Sim, row: &ServiceRecord, controller: Option<usize>) -> Option<(Ms, Ms)> {
    let (since, by) = *sim.audit.asleep_since.get(&row.name)?;
    let slack = sim.audit.slack_across(since, sim.now, controller != Some(by)).max(sim.slack_across(since));
    Some((sim.now - since, slack))
}

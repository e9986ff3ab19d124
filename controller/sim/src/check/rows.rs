//! At each write of the store: which intents are durable from now on.

use crate::profile::{Ms, SECOND};
use crate::sim::Sim;
use dormouse_peer::wire::Role;
use dormouse_state::{CapacityMemory, ConditionType, Definition, ServiceRecord};

/// A row was written.
pub fn row_written(sim: &mut Sim, row: &ServiceRecord) {
    let now = sim.now;
    let name = &row.name;
    let before = sim.audit.rows.get(name).cloned();
    s16_truth_of_ready(sim, before.as_ref(), row);
    let audit = &mut sim.audit;
    audit.specs.insert(name.clone(), row.spec.clone());
    if before.as_ref().is_none_or(|before| {
        (before.desired, before.epoch, before.deleting, before.generation)
            != (row.desired, row.epoch, row.deleting, row.generation)
    }) {
        audit.desired_since.insert(name.clone(), now);
        sim.trace.note(
            now,
            format_args!("{name}: desired {:?}, epoch {}, deleting {}", row.desired, row.epoch, row.deleting),
        );
    }
    if before.as_ref().is_none_or(|before| before.phase != row.phase) {
        sim.trace.note(now, format_args!("{name}: phase {:?}", row.phase));
    }
    for pair in row.pairs() {
        for role in Role::ALL {
            let intent = pair.task(role);
            if intent.attempted_at.is_some() {
                audit.runs.insert(dormouse_core::lifecycle::identity(name, pair.id, role));
            }
            if let (Some(_), Some(arn)) = (intent.stop_at, &intent.task_arn) {
                audit.stops.insert(arn.clone());
            }
        }
    }
    audit.stops.extend(row.strays.keys().cloned());
    let known = [&row.definitions.proxy, &row.definitions.service];
    audit.hashes.extend(known.into_iter().flatten().map(|Definition { hash, .. }| hash.clone()));
    audit.retired.extend(row.definitions.retired.iter().cloned());
    if let Some(pending) = &row.dns.pending {
        audit.addresses.insert((name.clone(), pending.address.clone()));
    }
    match row.rest.as_ref().and_then(|rest| rest.drain_at) {
        Some(_) => {
            audit.drains.entry(name.clone()).or_insert(now);
        }
        // A condemned pair is on its way out whatever is wished since: its drain counts.
        None if row.retiring.is_empty() => {
            audit.drains.remove(name);
        }
        None => {}
    }
    if sim.trace.is_kept() {
        for event in row
            .events
            .iter()
            .rev()
            .take_while(|event| before.as_ref().is_none_or(|before| !before.events.contains(event)))
        {
            sim.trace.remark(now, format_args!("  {name}: {} {}", event.reason, event.message));
        }
    }
    sim.audit.rows.insert(name.clone(), row.clone());
}

/// A row was removed.
pub fn row_removed(sim: &mut Sim, name: &str) {
    sim.trace.note(sim.now, format_args!("{name}: its row is removed"));
    sim.audit.rows.remove(name);
    sim.audit.desired_since.insert(name.to_owned(), sim.now);
    let left = sim.truth.tasks.values().any(|task| {
        task.service() == Some(name)
            && task.is_there()
            && !task.seen.stopping
            && task.created + 90 * SECOND < sim.now
    });
    if left && sim.calm {
        sim.violate("L9", format!("{name}'s row was removed while a task of it runs"));
    }
}

/// The capacity row was written.
pub fn capacity_written(sim: &mut Sim, memory: &CapacityMemory) {
    sim.trace.remark(sim.now, format_args!("  capacity: {memory:?}"));
    let audit = &mut sim.audit;
    audit.targets = audit.targets.max(memory.target.unwrap_or_default());
    let terminated = memory.removals.iter().filter(|(_, removal)| removal.terminate_at.is_some());
    audit.terminations.extend(terminated.map(|(id, _)| id.clone()));
    audit.capacity = memory.clone();
}

/// S16: a service becomes ready only after a probe through the path that users take succeeded.
fn s16_truth_of_ready(sim: &mut Sim, before: Option<&ServiceRecord>, row: &ServiceRecord) {
    const FRESH: Ms = 10 * SECOND;
    let ready = |row: &ServiceRecord| {
        row.conditions.iter().any(|known| known.kind == ConditionType::Ready && known.status)
    };
    if !ready(row) || before.is_some_and(ready) {
        return;
    }
    let probed = sim.audit.probes.get(&row.name).copied();
    // The write itself takes its time.
    let allowed = FRESH + 20 * SECOND + sim.audit.slack;
    if probed.is_none_or(|at| sim.now - at > allowed) {
        sim.violate("S16", format!("{} is said to be ready, last probed {probed:?}", row.name));
    }
}

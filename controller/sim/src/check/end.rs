//! Once faults have ceased long ago: what must have come true.

use crate::profile::{MINUTE, Ms};
use crate::sim::Sim;
use dormouse_core::naming;
use dormouse_core::observed::TaskStatus;
use dormouse_peer::wire::Role;
use dormouse_state::{ConditionType, Desired, Phase, ServiceRecord};

/// A world without faults comes to rest within this.
pub const SETTLES_IN: Ms = 15 * MINUTE;
/// And stays so for this.
pub const RESTS_FOR: Ms = 30 * MINUTE;

/// Everything that must be true at the end.
pub fn at_end(sim: &mut Sim) {
    l4_no_more_calls(sim);
    let rows: Vec<ServiceRecord> = sim.audit.rows.values().cloned().collect();
    for row in &rows {
        match row.desired {
            Desired::Asleep => l2_sleep(sim, row),
            Desired::Awake => l1_wake(sim, row),
        }
        if row.deleting {
            sim.violate("L4", format!("{} is still being deleted", row.name));
        }
    }
    l9_no_leak(sim, &rows);
    l3_zero(sim, &rows);
    if let Some((id, request)) = sim.truth.requests.iter().next() {
        let what = format!("request {id} for {} was never answered", request.service);
        sim.violate("S17", what);
    }
}

/// Whether nothing was changed and nothing wished for long enough, without faults: nothing more will come.
pub fn is_at_rest(sim: &Sim) -> bool {
    let Some(calm) = sim.audit.calm_since else { return false };
    let desired = sim.audit.desired_since.values().copied().max().unwrap_or(0);
    sim.now > calm.max(desired).max(sim.audit.last_mutation.0) + RESTS_FOR
}

/// L4: nothing is changed any more once all is as desired.
fn l4_no_more_calls(sim: &mut Sim) {
    let desired = sim.audit.desired_since.values().copied().max().unwrap_or(0);
    let calm = sim.audit.calm_since.unwrap_or(0);
    let rest = desired.max(calm) + SETTLES_IN;
    let (at, what) = sim.audit.last_mutation.clone();
    if at > rest {
        sim.violate("L4", format!("{what} long after the last fault and wish"));
    }
}

fn tasks_of<'a>(sim: &'a Sim, row: &ServiceRecord) -> Vec<&'a crate::truth::tasks::SimTask> {
    sim.truth.tasks.values().filter(|task| task.is_there() && task.service() == Some(&row.name)).collect()
}

/// L2: of what sleeps nothing runs, and nothing leads to it.
fn l2_sleep(sim: &mut Sim, row: &ServiceRecord) {
    let tasks = tasks_of(sim, row).len();
    if tasks > 0 {
        sim.violate("L2", format!("{} sleeps and {tasks} tasks of it are there", row.name));
    }
    let key = (naming::record_name(&row.name, &sim.settings.domain), "A".to_owned());
    if sim.truth.zone.ours.contains(&key) {
        sim.violate("L2", format!("{} sleeps and has a record", row.name));
    }
    if row.phase != Phase::Asleep {
        sim.violate("L2", format!("{} is to sleep and said to be {:?}", row.name, row.phase));
    }
}

/// L1: what is awake is ready, or says why not.
fn l1_wake(sim: &mut Sim, row: &ServiceRecord) {
    let holds = |kind| row.conditions.iter().any(|known| known.kind == kind && known.status);
    if !holds(ConditionType::Ready) {
        if !holds(ConditionType::Degraded) && !holds(ConditionType::Conflict) {
            sim.violate("L1", format!("{} is awake, not ready, and does not say why", row.name));
        } else if !holds(ConditionType::Conflict) && !is_large(sim, row) {
            let why = row.conditions.iter().find(|known| known.kind == ConditionType::Degraded);
            let why = why.map(|known| format!("{}: {}", known.reason, known.message)).unwrap_or_default();
            sim.violate("L1", format!("{} is not ready in a world without faults: {why}", row.name));
        }
        return;
    }
    for role in Role::ALL {
        let tasks = tasks_of(sim, row);
        let running: Vec<_> = tasks
            .iter()
            .filter(|task| task.role() == Some(role) && task.seen.status == TaskStatus::Running)
            .collect();
        let public = running.first().and_then(|task| task.public.clone());
        let count = running.len();
        if count != 1 {
            sim.violate("L1", format!("{} is ready with {count} {role} tasks", row.name));
        }
        if role == Role::Proxy && count == 1 {
            let name = naming::record_name(&row.name, &sim.settings.domain);
            let found = crate::truth::zone::lookup(&sim.truth.zone.served, &name, &sim.settings.domain).0;
            if found != public {
                sim.violate(
                    "L1",
                    format!("{} is ready and leads to {found:?} instead of {public:?}", row.name),
                );
            }
        }
    }
}

/// Whether the group has no room for all that is awake.
fn is_large(sim: &Sim, _row: &ServiceRecord) -> bool {
    let awake = sim.audit.rows.values().filter(|row| row.desired == Desired::Awake).count();
    awake > usize::try_from(sim.truth.fleet.max).unwrap_or(usize::MAX) * 3
}

/// L9: no task or record of ours that no row intends.
fn l9_no_leak(sim: &mut Sim, rows: &[ServiceRecord]) {
    let named = |arn: &String| {
        rows.iter()
            .flat_map(|row| row.pairs())
            .any(|pair| Role::ALL.iter().any(|role| pair.task(*role).task_arn.as_ref() == Some(arn)))
    };
    let leaked: Vec<String> = sim
        .truth
        .tasks
        .values()
        .filter(|task| task.is_there() && task.seen.identity.is_some() && !named(&task.seen.arn))
        .map(|task| format!("{} ({})", task.seen.arn, task.service().unwrap_or_default()))
        .collect();
    for task in leaked {
        sim.violate("L9", format!("{task} runs and nobody intends it"));
    }
    let domain = sim.settings.domain.clone();
    let known: Vec<String> = rows.iter().map(|row| naming::owner_name(&row.name, &domain)).collect();
    let wildcard = naming::owner_name(dormouse_core::dns::WILDCARD, &domain);
    let stale: Vec<String> = sim
        .truth
        .zone
        .ours
        .iter()
        .filter(|(name, kind)| kind == "TXT" && *name != wildcard && !known.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    for name in stale {
        sim.violate("L9", format!("{name} is left in the zone"));
    }
}

/// L3: no instance when nothing is awake.
fn l3_zero(sim: &mut Sim, rows: &[ServiceRecord]) {
    let strangers = sim.truth.tasks.values().any(|task| task.is_there() && task.seen.identity.is_none());
    let awake = rows.iter().filter(|row| row.desired == Desired::Awake).count();
    let min = sim.truth.fleet.min;
    let living = sim.truth.fleet.members.values().filter(|member| member.lifecycle != "Terminating").count();
    let living = u32::try_from(living).unwrap_or(u32::MAX);
    if awake == 0 && !strangers && (living > min || sim.truth.fleet.desired > min) {
        let desired = sim.truth.fleet.desired;
        sim.violate("L3", format!("nothing is awake, {living} instances run and {desired} are desired"));
    }
    if !strangers && living > u32::try_from(awake).unwrap_or(u32::MAX).max(min) {
        sim.violate("L3", format!("{awake} services are awake on {living} instances"));
    }
}

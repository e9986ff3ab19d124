//! S7 to S9: instances and their group.

use super::Moment;
use crate::profile::{MINUTE, SECOND};
use crate::script::Aws;
use crate::sim::Sim;
use dormouse_core::definition::service_resources;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Phase, ServiceRecord};

/// At each termination: it has drained for long enough, and nothing is on it. When it is intended: nobody has waited
/// for an instance for so long that this one would have been kept.
pub fn s7_no_busy_kill(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match moment {
        Moment::Terminate(id) => {
            let member =
                sim.truth.fleet.members.get(*id).filter(|member| member.lifecycle != "Terminating")?;
            let drained = member
                .draining_since
                .is_some_and(|since| sim.now + sim.slack_since(since) + 2 * SECOND >= since + 15 * SECOND);
            // Waited for in vain, it may join when it is given up: no reading shows that yet, and there is no call that
            // terminates only what has not joined.
            let lag = if sim.profile.stale > 0 { sim.profile.fleet_lag } else { 0 };
            let shown = member.joined && sim.now >= member.joined_at + lag;
            if shown && !drained {
                return Some(format!("{id} is terminated, draining since {:?}", member.draining_since));
            }
            let busy = sim.truth.tasks.values().find(|task| {
                // What ends is neither listed nor counted by ECS: when its row was lost, which named it, nobody knows.
                let lost = task.service().is_some_and(|name| sim.truth.lost_rows.contains(name));
                let known = !task.seen.stopping || !lost || sim.audit.names(&task.seen.arn);
                known && task.is_there() && task.seen.container_instance.as_ref() == Some(&member.arn)
            })?;
            Some(format!("{id} is terminated with {} on it", busy.seen.arn))
        }
        Moment::Capacity(memory) => {
            let ends =
                |id: &String| memory.removals.get(id).is_some_and(|removal| removal.terminate_at.is_some());
            let known = |id: &String| sim.audit.terminations.contains(id);
            let id = memory.removals.keys().find(|id| ends(id) && !known(id))?;
            let usable =
                sim.truth.fleet.members.get(id).is_some_and(|member| {
                    member.joined && member.connected && member.lifecycle == "InService"
                });
            let waits = sim.audit.rows.values().find(|row| waits_for_long(sim, row)).filter(|_| usable)?;
            Some(format!("{id} is to be terminated, and {} waits for an instance", waits.name))
        }
        _ => None,
    }
}

/// Whether a service has waited for an instance longer than any reading is old, and there is no other for it.
fn waits_for_long(sim: &Sim, row: &ServiceRecord) -> bool {
    let waits = row.pair.as_ref().is_some_and(|pair| {
        // One on Fargate waits for Fargate.
        pair.condemned.is_none()
            && pair.on_fargate.is_none()
            && pair.service.is_open()
            && pair.service.task_arn.is_none()
    });
    let there = sim.truth.tasks.values().any(|task| {
        task.is_there() && task.role() == Some(Role::Service) && task.service() == Some(&row.name)
    });
    let since = sim.audit.woken.get(&row.name).copied().unwrap_or(sim.now);
    let known = sim.audit.desired_since.get(&row.name).copied().unwrap_or(sim.now);
    let tried = sim.audit.tries.get(&row.name).map_or(sim.now, |newest| newest.at);
    let waited_since = since.max(known).max(tried);
    // Whose call was refused waits for its next try; it may have its place elsewhere.
    let refused = row.conditions.iter().any(|known| known.reason == "CallRefused");
    row.desired == Desired::Awake
        && waits
        && !refused
        && !there
        && sim.with_room(service_resources(&row.spec)).is_err()
        && waited_since + 2 * MINUTE + sim.slack_since(waited_since) < sim.now
}

/// At each SetDesiredCapacity that takes effect.
pub fn s8_monotone_capacity(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Desired { desired, overtaken } = moment else { return None };
    let fleet = &sim.truth.fleet;
    // Below the minimum it takes no effect: it is refused. AWS takes no condition with this call: one that was on its way
    // while another leader asked for more lowers that, and nobody can keep it from it. The next plan asks again.
    let lowers = *desired < fleet.desired && *desired >= fleet.min && !overtaken;
    (lowers || *desired > fleet.max)
        .then(|| format!("desired capacity {} → {desired}, maximum {}", fleet.desired, fleet.max))
}

/// As time passes: what is in service has its protection after 30 s; where calls fail and readings are old, a minute and
/// a half later. Nothing but the group and the table need answer for that.
pub fn s9_protection(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let more = if sim.is_faultless() { 0 } else { sim.profile.group_lag + 90 * SECOND };
    // While all sleep the group is looked at every two minutes: nothing of ours is launched then.
    let seldom = sim.audit.rows.values().all(|row| row.phase == Phase::Asleep);
    let allowed = 32 * SECOND + more + if seldom { 2 * MINUTE } else { 0 };
    let quiet = sim.now.saturating_sub(sim.last_outage_of(&[Aws::Scaling, Aws::Table]));
    // With less than a tenth of the calls left, nothing is promised.
    let promised = quiet.min(sim.audit.led_for(sim.now)) > allowed && sim.profile.neighbours <= 900;
    if !matches!(moment, Moment::Tick) || !promised {
        return None;
    }
    let bare = sim.truth.fleet.members.values().find(|member| {
        member.lifecycle == "InService"
            && !member.protected
            && member.in_service_at.is_some_and(|at| at + allowed < sim.now)
            && !sim.audit.capacity.removals.contains_key(&member.id)
    })?;
    Some(format!("{} is not protected", bare.id))
}

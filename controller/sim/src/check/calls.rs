//! S13 and S14: what calls derive from, and how many there are.

use super::Moment;
use super::tasks::task_of;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;
use crate::truth::tasks::SimTask;
use dormouse_core::budget::Kind;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, PairId, ServiceRecord};

/// A call that creates or destroys is made by a process that has read all that it depends on; and what is written to
/// have ended, or never to have been, is truly not there.
pub fn s13_unknown_is_not_absent(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Call { controller, operation, changes: true, .. } => {
            let needs: &[&str] = match operation {
                "ecs:RunTask" | "ecs:StopTask" => &["proxies", "services"],
                "route53:ChangeResourceRecordSets" => &["proxies", "services"],
                "autoscaling:SetDesiredCapacity" | "autoscaling:TerminateInstance" => {
                    &["proxies", "services", "group", "instances"]
                }
                _ => &[],
            };
            unread(sim, controller, needs).map(|part| format!("{operation} before the {part} were read"))
        }
        // That its record is gone, and INSYNC, the row itself remembers: the zone need not be read for that.
        Moment::Removed(Some(controller), name) => unread(sim, controller, &["proxies", "services"])
            .map(|part| format!("{name}'s row is removed before the {part} were read"))
            .or_else(|| lives(sim, name))
            .or_else(|| has_a_record(sim, name)),
        Moment::Row { before: Some(before), row, .. } => taken_for_gone(sim, before, row),
        _ => None,
    }
}

fn unread(sim: &Sim, controller: usize, needs: &[&'static str]) -> Option<&'static str> {
    let read = &sim.audit.running.get(&controller)?.read;
    needs.iter().find(|part| !read.contains(*part)).copied()
}

/// A record of ours in the zone that leads to one of its addresses.
fn has_a_record(sim: &Sim, name: &str) -> Option<String> {
    let record = (dormouse_core::naming::record_name(name, &sim.settings.domain), "A".to_owned());
    sim.truth.zone.ours.contains(&record).then(|| format!("{name}'s row is removed, and {} stands", record.0))
}

/// A task of a service that was there for longer than any reading is old.
fn lives(sim: &Sim, name: &str) -> Option<String> {
    let task = sim.truth.tasks.values().find(|task| {
        task.service() == Some(name)
            && task.is_there()
            && !task.seen.stopping
            && task.created + 90 * SECOND + sim.audit.slack < sim.now
    })?;
    Some(format!("{name}'s row is removed while {} runs", task.seen.arn))
}

fn taken_for_gone(sim: &Sim, before: &ServiceRecord, row: &ServiceRecord) -> Option<String> {
    let pairs = before.pairs().flat_map(|pair| Role::ALL.map(|role| (pair.id, role, pair.task(role))));
    pairs.filter(|(.., intent)| intent.is_open()).find_map(|(id, role, _)| {
        let now = row.pairs().find(|pair| pair.id == id).map(|pair| pair.task(role));
        if now.is_some_and(|intent| intent.is_open()) {
            return None;
        }
        let own = dormouse_core::lifecycle::identity(&row.name, id, role);
        let task = sim.truth.tasks.values().find(|task| {
            task.seen.identity.as_ref() == Some(&own) && task.is_there() && !task.seen.stopping
        })?;
        Some(format!("{own} is taken for gone, and {} runs", task.seen.arn))
    })
}

/// Of each kind at most half of AWS's sustained rate over any minute, for a process; a retry of RunTask or StopTask and a
/// new pair in place of a lost one come later each time; terminations are one in ten a minute, one at least.
pub fn s14_budget(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    match *moment {
        Moment::Call { controller, kind, .. } => {
            let most = match kind {
                Kind::Modify => 40,
                Kind::RunFargate | Kind::Read => 20,
                Kind::Define => 1,
                Kind::Zone | Kind::Logs => 5,
                Kind::Scale | Kind::Network => 10,
            } * 30;
            let calls = sim.audit.running.get(&controller)?.calls.get(&kind)?;
            let made = 1 + calls.len() - calls.partition_point(|at| *at + MINUTE <= sim.now);
            (made > most).then(|| format!("{made} calls of {kind:?} within a minute"))
        }
        Moment::Run(controller, call) => {
            let run = (call.identity.clone(), call.parameters.incarnation.clone());
            let (last, tries) = *sim.audit.running.get(&controller)?.runs.get(&run)?;
            let ago = sim.now - last + sim.audit.slack;
            (ago < spacing(tries))
                .then(|| format!("RunTask {}, try {}, {ago} ms after the last", call.identity, tries + 2))
        }
        Moment::StopCalled(controller, arn) => {
            let stops = sim.audit.running.get(&controller)?.stops.get(arn)?;
            let lately = stops.iter().filter(|at| **at + MINUTE > sim.now).count();
            (lately >= STOPS).then(|| format!("StopTask {arn}, {} times within a minute", lately + 1))
        }
        Moment::Row { row, .. } => comes_too_soon(sim, row).or_else(|| super::made::too_many(sim, moment)),
        Moment::Terminate(id) => {
            let fresh = sim.audit.terminated.iter().all(|(_, known)| known != id);
            let lately =
                sim.audit.terminated.iter().filter(|(at, _)| at + MINUTE > sim.now + sim.audit.slack).count();
            let most = (sim.truth.fleet.members.len() / 10).max(1);
            (fresh && lately >= most)
                .then(|| format!("{id} is the {}th to be terminated within a minute", lately + 1))
        }
        _ => None,
    }
}

/// A new pair in place of a lost one comes later each time.
fn comes_too_soon(sim: &Sim, row: &ServiceRecord) -> Option<String> {
    let pair = row.pair.as_ref()?;
    let (last, generation, at, lost) = sim.audit.tries.get(&row.name)?;
    let again = *last != pair.id && last.epoch == pair.id.epoch && *generation == row.generation;
    let ago = sim.now - at + sim.audit.slack + sim.audit.apart + 6 * SECOND;
    let slept = sim.audit.desired_since.get(&row.name).is_some_and(|since| since > at);
    let elsewhere = sim.audit.elsewhere.contains(&(row.name.clone(), *last)) || makes_way(sim, row, *last);
    (again && !slept && !elsewhere && row.desired == Desired::Awake && ago < spacing(*lost))
        .then(|| format!("pair {} of {} comes {} ms after pair {last}", pair.id, row.name, sim.now - at))
}

/// A StopTask that fails is made again after 1, 2, 4, 8, 15 s, and then every 15 s; and a few times more when another's
/// was accepted meanwhile, or a clock jumped.
const STOPS: usize = 16;

/// Whether a pair makes way for one in another pool, for want of capacity in its own: it has not failed, and its successor
/// is the same try, elsewhere.
pub(super) fn makes_way(sim: &Sim, row: &ServiceRecord, id: PairId) -> bool {
    let waited = |(_, why): &(_, String)| why.starts_with("no instance is to be had");
    let mut retiring = row.retiring.iter().filter(|pair| pair.id == id);
    let taken_back = |proxy: &SimTask| proxy.seen.stop_code.as_deref() == Some("SpotInterruption");
    retiring.any(|pair| pair.condemned.as_ref().is_some_and(waited))
        || task_of(sim, row, id, Role::Proxy).is_some_and(taken_back)
}

/// 5, 10, 20 … 300 s.
fn spacing(tries: u32) -> Ms {
    ((5 * SECOND) << tries.min(10)).min(300 * SECOND)
}

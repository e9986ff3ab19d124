//! S13 and S14: what calls derive from, and how many there are.

use super::Moment;
use super::memory::Try;
use super::tasks::task_of;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;
use crate::truth::tasks::SimTask;
use dormouse_core::budget::Kind;
use dormouse_peer::wire::Role;
use dormouse_state::{Pair, PairId, ServiceRecord};

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

/// A task of a service that was there for longer than any reading is old. One that ends is there until it is over: but
/// no listing shows it, and when its row was lost, and with it its name, whoever made the next one cannot know of it.
fn lives(sim: &Sim, name: &str) -> Option<String> {
    let task = sim.truth.tasks.values().find(|task| {
        task.service() == Some(name)
            && task.is_there()
            && !super::tasks::is_forgotten(sim, task)
            && task.created + 90 * SECOND + sim.slack_since(task.created) < sim.now
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
            task.seen.identity.as_ref() == Some(&own)
                && task.is_there()
                && !super::tasks::is_forgotten(sim, task)
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
            let ago = sim.now - last + sim.slack_since(last);
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
            let lately = |at: Ms| at + MINUTE > sim.now + sim.slack_since(at);
            let lately = sim.audit.terminated.iter().filter(|(at, _)| lately(*at)).count();
            let most = (sim.truth.fleet.members.len() / 10).max(1);
            (fresh && lately >= most)
                .then(|| format!("{id} is the {}th to be terminated within a minute", lately + 1))
        }
        _ => None,
    }
}

/// A new pair in place of a lost one comes later each time. One that waited for an instance and makes way for a pair on
/// Fargate is not lost: the same try goes on there, and never comes back from there.
fn comes_too_soon(sim: &Sim, row: &ServiceRecord) -> Option<String> {
    let (last, pair) = again(sim, row)?;
    // It is dated by when it was decided; its write takes up to five seconds.
    let ago = sim.now - last.at + sim.slack_across(last.at) + 6 * SECOND;
    (ago < spacing(last.lost) && !leaves_the_queue(sim, row, last, pair)).then(|| {
        format!("pair {} of {} comes {} ms after pair {}", pair.id, row.name, sim.now - last.at, last.id)
    })
}

/// The try before and a row's pair, when it is one in place of that: of the same epoch and manifest.
fn again<'a>(sim: &'a Sim, row: &'a ServiceRecord) -> Option<(&'a Try, &'a Pair)> {
    let (last, pair) = (sim.audit.tries.get(&row.name)?, row.pair.as_deref()?);
    let same = last.id.epoch == pair.id.epoch && last.generation == row.generation;
    (last.id != pair.id && same).then_some((last, pair))
}

/// A row's pair, when it is a new one: what is to be remembered of it.
pub(super) fn next_try(sim: &Sim, row: &ServiceRecord) -> Option<Try> {
    let pair = row.pair.as_deref()?;
    if sim.audit.tries.get(&row.name).is_some_and(|last| last.id == pair.id) {
        return None;
    }
    let lost = again(sim, row).map_or(0, |(last, pair)| {
        let failed = !leaves_the_queue(sim, row, last, pair) && !is_taken_back(sim, row, last.id);
        // One that lasted did not fail.
        let lasted = last.ready_at.is_some_and(|at| at + 10 * MINUTE <= sim.now + sim.slack_across(at));
        if lasted { 0 } else { last.lost + u32::from(failed) }
    });
    let comes_back = again(sim, row).is_some_and(|(last, pair)| comes_back(sim, row, last, pair));
    let (generation, on_fargate) = (row.generation, pair.on_fargate.is_some());
    Some(Try { id: pair.id, generation, at: sim.now, ready_at: None, lost, on_fargate, comes_back })
}

/// Whether a pair that never found an instance makes way for one on Fargate; or for one on an instance that has room by
/// the time that its successor may begin, when no task of it was ever made, or for the first time.
fn leaves_the_queue(sim: &Sim, row: &ServiceRecord, last: &Try, pair: &Pair) -> bool {
    let task = |role| task_of(sim, row, last.id, role);
    let died = |proxy: &SimTask| !proxy.is_there() && proxy.stop_asked.is_none();
    let makes_way = pair.on_fargate.is_some() || task(Role::Proxy).is_none();
    !last.on_fargate
        && (makes_way || comes_back(sim, row, last, pair))
        && task(Role::Service).is_none()
        && !task(Role::Proxy).is_some_and(died)
}

/// Whether a pair whose service had no place, and whose proxy we stopped so that it would run on Fargate, makes way for
/// one on an instance: what still ended there has gone while that proxy did. Nothing of it has failed, and what was
/// refused for want of room is spaced by itself; but whoever does so again and again would start proxies for nothing.
fn comes_back(sim: &Sim, row: &ServiceRecord, last: &Try, pair: &Pair) -> bool {
    let proxy = task_of(sim, row, last.id, Role::Proxy);
    !last.on_fargate
        && !last.comes_back
        && pair.on_fargate.is_none()
        && task_of(sim, row, last.id, Role::Service).is_none()
        && proxy.is_some_and(|proxy| proxy.stop_asked.is_some_and(|(_, ours)| ours))
}

/// Whether Spot took its proxy back, or had no place for it: nothing of its own has failed. The next one is spaced all
/// the same.
fn is_taken_back(sim: &Sim, row: &ServiceRecord, id: PairId) -> bool {
    let proxy = task_of(sim, row, id, Role::Proxy);
    let own = dormouse_core::lifecycle::identity(&row.name, id, Role::Proxy);
    proxy.is_some_and(|proxy| proxy.seen.stop_code.as_deref() == Some("SpotInterruption"))
        || sim.truth.unplaced.contains(&own)
}

/// A StopTask that fails is made again after 1, 2, 4, 8, 15 s, and then every 15 s: that is seven in a minute; and a few
/// times more with each of two others that are accepted meanwhile, or a clock that jumped.
const STOPS: usize = 14;

/// 5, 10, 20 … 300 s.
fn spacing(tries: u32) -> Ms {
    ((5 * SECOND) << tries.min(10)).min(300 * SECOND)
}

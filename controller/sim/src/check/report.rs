//! How ports, driver and truth tell of moments.

use super::memory::{Flip, Running};
use super::{Audit, LEASE, Moment, look};
use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::queue::Report;
use crate::script::Aws;
use crate::sim::Sim;
use crate::truth::requests::Request;
use dormouse_aws::ports::RunCall;
use dormouse_core::budget::Kind;
use dormouse_core::dns::Change;
use dormouse_core::observed::RecordSet;
use dormouse_state::{CapacityMemory, Lease, ServiceRecord, Templates};

/// What was decided by one that led is written within this.
const WRITES: Ms = 6 * SECOND;

impl Audit {
    /// The controller that wrote the lease last, and may act on it.
    pub fn leader(&self) -> Option<usize> {
        self.leases.iter().max_by_key(|(_, began)| **began).map(|(controller, _)| *controller)
    }

    /// For how long one and the same controller has led.
    pub fn led_for(&self, now: Ms) -> Ms {
        if self.vacant_since.is_some() { 0 } else { now - self.leads_since }
    }
}

impl Sim {
    /// By how much the span from then until now may be off that a controller's clock measures.
    pub fn slack_since(&self, at: Ms) -> Ms {
        self.audit.slack_since(at, self.now)
    }

    /// The same of a time that is taken over as it is, if another leads than did then, or two do.
    pub fn slack_across(&self, at: Ms) -> Ms {
        let changed = self.audit.leads_since + WRITES > at;
        self.audit.slack_across(at, self.now, changed || super::tasks::leads_beside(self))
    }

    /// For how long there have been no faults, after there were some.
    pub fn calm_for(&self) -> Ms {
        self.audit.calm_since.map_or(0, |since| self.now - since)
    }

    /// Whether no call fails, and no reading is old; and, once there were such, none of a minute ago is still felt.
    pub fn is_faultless(&self) -> bool {
        let felt = self.audit.had_faults && self.calm_for() <= MINUTE;
        let whole = self.read.is_none() && self.truth.parted_until <= self.now;
        let whole = whole && (self.last_outage() == 0 || self.audit.calm_since.is_some());
        // Whoever is asked, all is well.
        Profile {
            misrouted: 0,
            receiver_refuses: 0,
            receiver_unreached: 0,
            receiver_lost: 0,
            receiver_slow: 0,
            ..self.profile.clone()
        } == Profile::CALM
            && whole
            && !felt
    }

    /// When the last outage ends or ended; zero: there was none.
    pub fn last_outage(&self) -> Ms {
        self.last_outage_of(&Aws::ALL)
    }

    /// The same of some of them.
    pub fn last_outage_of(&self, which: &[Aws]) -> Ms {
        which.iter().filter_map(|aws| self.truth.outages.get(aws)).copied().max().unwrap_or(0)
    }

    /// Since when that is so.
    pub fn faultless_since(&self) -> Option<Ms> {
        self.is_faultless().then(|| self.audit.calm_since.filter(|_| self.audit.had_faults).unwrap_or(0))
    }
}

/// A controller makes a call.
pub fn called(sim: &mut Sim, controller: usize, operation: &str, kind: Kind, changes: bool) {
    look(sim, &Moment::Call { controller, operation, kind, changes });
}

/// A controller has read a part of the cloud completely.
pub fn was_read(sim: &mut Sim, controller: usize, part: &'static str) {
    sim.audit.running.entry(controller).or_default().read.insert(part);
}

/// A controller has read a row, or was answered that it wrote it.
pub fn row_read(sim: &mut Sim, controller: usize, row: &ServiceRecord) {
    let epochs = &mut sim.audit.running.entry(controller).or_default().epochs;
    let epoch = epochs.entry(row.name.clone()).or_default();
    *epoch = row.epoch.max(*epoch);
}

/// RunTask is called.
pub fn run_called(sim: &mut Sim, controller: usize, call: &RunCall) {
    look(sim, &Moment::Run(controller, call));
}

/// RegisterTaskDefinition is called.
pub fn register_called(sim: &mut Sim, hash: &str) {
    look(sim, &Moment::Register(hash));
}

/// DeregisterTaskDefinition is called.
pub fn deregister_called(sim: &mut Sim, arn: &str) {
    look(sim, &Moment::Deregister(arn));
}

/// SetDesiredCapacity is called.
pub fn desired_called(sim: &mut Sim, desired: u32) {
    look(sim, &Moment::Desire(desired));
}

/// SetDesiredCapacity is about to take effect. `overtaken`: of a controller that leads no more.
pub fn before_desired(sim: &mut Sim, desired: u32, overtaken: bool) {
    look(sim, &Moment::Desired { desired, overtaken });
}

/// Instances are about to be protected.
pub fn before_protect(sim: &mut Sim, ids: &[String]) {
    look(sim, &Moment::Protect(ids));
}

/// Instances are about to be drained, or set active again.
pub fn before_drain(sim: &mut Sim, arns: &[String]) {
    look(sim, &Moment::Drain(arns));
}

/// TerminateInstance is about to take effect.
pub fn before_terminate(sim: &mut Sim, id: &str) {
    look(sim, &Moment::Terminate(id));
}

/// StopTask is called.
pub fn stop_called(sim: &mut Sim, controller: usize, arn: &str) {
    look(sim, &Moment::StopCalled(controller, arn));
}

/// StopTask is about to take effect.
pub fn before_stop(sim: &mut Sim, arn: &str) {
    look(sim, &Moment::Stop(arn));
}

/// A task has changed.
pub fn after_task(sim: &mut Sim, arn: &str) {
    look(sim, &Moment::Task(arn));
}

/// A batch of ours is about to take effect.
pub fn before_batch(sim: &mut Sim, changes: &[Change]) {
    look(sim, &Moment::Batch(changes));
}

/// The zone has changed; by us, with this batch.
pub fn after_zone(sim: &mut Sim, ours: Option<&[Change]>) {
    look(sim, &Moment::Zone(ours));
}

/// Somebody else takes out a record that was ours.
pub fn removed_by_others(sim: &mut Sim, set: &RecordSet) {
    sim.audit.removed_by_others.insert((set.name.clone(), set.values.clone()));
}

/// A client was led where nobody answers.
pub fn unreachable(sim: &mut Sim, service: &str, address: &str) {
    look(sim, &Moment::Unreachable(service, address));
}

/// A request was cut off.
pub fn cut(sim: &mut Sim, arn: &str, request: &Request) {
    look(sim, &Moment::Cut(arn, request));
}

/// A request lost the task that was to answer it.
pub fn unanswered(sim: &mut Sim, arn: &str, request: &Request) {
    look(sim, &Moment::Unanswered(arn, request));
}

/// A row was written.
pub fn row_written(sim: &mut Sim, controller: usize, fence: Option<u64>, row: &ServiceRecord) {
    let before = sim.audit.rows.get(&row.name).cloned();
    look(sim, &Moment::Row { controller, fence, before: before.as_ref(), row });
}

/// A row was removed, by a controller or by hand.
pub fn row_removed(sim: &mut Sim, controller: Option<usize>, name: &str) {
    let now = sim.now;
    sim.trace.note(now, format_args!("{name}: its row is removed"));
    look(sim, &Moment::Removed(controller, name));
}

/// The templates were written.
pub fn templates_written(sim: &mut Sim, templates: &Templates) {
    sim.audit.templates.clone_from(templates);
}

/// An operator asks for a service to be deleted.
pub fn delete_asked(sim: &mut Sim, name: &str) {
    sim.audit.deleted_by_hand.insert(name.to_owned());
}

/// The capacity row was written.
pub fn capacity_written(sim: &mut Sim, memory: &CapacityMemory) {
    let now = sim.now;
    sim.trace.remark(now, format_args!("  capacity: {memory:?}"));
    look(sim, &Moment::Capacity(memory));
}

/// A controller's write was refused, since a later leader wrote the row.
pub fn overtaken(sim: &mut Sim, controller: usize) {
    let now = sim.now;
    sim.audit.running.entry(controller).or_default().overtaken_at.get_or_insert(now);
}

/// The webhook's receiver is told something.
pub fn told(sim: &mut Sim, id: &str) {
    let now = sim.now;
    sim.trace.remark(now, format_args!("  the webhook is told {id}"));
    look(sim, &Moment::Told(id));
}

/// The lease was written.
pub fn lease_written(sim: &mut Sim, controller: usize, began: Ms, before: Option<&Lease>, next: &Lease) {
    look(sim, &Moment::Lease { controller, began, before, next });
}

/// Time has passed.
pub fn audit(sim: &mut Sim) {
    super::liveness::keep_time(sim);
    look(sim, &Moment::Tick);
}

/// The run is over.
pub fn at_end(sim: &mut Sim) {
    look(sim, &Moment::End);
}

/// A controller's process starts, or goes on after it was frozen.
pub fn up(sim: &mut Sim, controller: usize, anew: bool) {
    let running = sim.audit.running.entry(controller).or_default();
    if anew {
        *running = Running { born: sim.now, ..Running::default() };
    }
    running.since = sim.now;
    sim.audit.down.remove(&controller);
    let lease = sim.audit.leases.get(&controller);
    if sim.audit.leader() == Some(controller) && lease.is_some_and(|began| sim.now < began + LEASE) && !anew {
        sim.audit.vacant_since = None;
    }
    disturbed(sim);
}

/// A controller's process is gone, or frozen for a while.
pub fn down(sim: &mut Sim, controller: usize) {
    sim.audit.down.insert(controller);
    disturbed(sim);
    // One whose lease ran out before has lost it already.
    let led = sim.audit.leader() == Some(controller) && sim.audit.vacant_since.is_none();
    if led {
        sim.audit.vacant_since = Some(sim.now);
    }
}

/// From here on there are no faults.
pub fn calm(sim: &mut Sim) {
    sim.audit.had_faults = !sim.is_faultless();
    sim.audit.calm_since = Some(sim.now);
}

/// Something went wrong, or somebody did something.
pub fn disturbed(sim: &mut Sim) {
    sim.audit.disturbed_at = sim.now;
}

/// A proxy's report was heard by a controller that leads.
pub fn heard(sim: &mut Sim, report: &Report) {
    let Some(activity) = report.beat.activity else { return };
    let now = sim.now;
    if activity.in_flight == 0 {
        // One that was never used has been idle for as long as it runs.
        let idle_for = if activity.requests == 0 { Ms::MAX } else { activity.idle_for_ms };
        let idle = &mut sim.audit.heard.entry(report.arn.clone()).or_default().idle;
        idle.push((now, idle_for));
        // Some come late, and after newer ones.
        let older = idle.len().saturating_sub(8);
        idle.drain(..older);
    }
    let flips = sim.audit.flips.values_mut().filter(|flip| flip.proxy == report.arn);
    flips.filter(|flip| activity.requests > flip.requests).for_each(|flip| {
        flip.told_at.get_or_insert(now);
    });
}

/// A proxy took a request. One that comes together with a flip may count as one from before it.
pub fn taken(sim: &mut Sim, proxy: &str, requests: u64) {
    let now = sim.now;
    let together = |flip: &Flip| 2 * SECOND + sim.audit.slack_since(flip.at, now);
    let flips = sim.audit.flips.iter().filter(|(_, flip)| flip.proxy == proxy);
    let names: Vec<String> =
        flips.filter(|(_, flip)| now <= flip.at + together(flip)).map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(flip) = sim.audit.flips.get_mut(&name) {
            flip.requests = requests;
        }
    }
}

/// A proxy of a service was given an address: it may be found there again.
pub fn address_given(sim: &mut Sim, service: &str, address: &str) {
    sim.trace.note(sim.now, format_args!("a proxy of {service} gets {address}"));
    sim.audit.planned_ends.remove(&(service.to_owned(), address.to_owned()));
}

/// A probe of an address, through the path that users take, found the service's proxy.
pub fn probed(sim: &mut Sim, service: &str, address: &str) {
    sim.audit.probes.insert((service.to_owned(), address.to_owned()), sim.now);
}

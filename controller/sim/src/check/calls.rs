//! At the moment a controller makes a call.

use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;
use crate::truth::tasks::SimTask;
use dormouse_aws::ports::RunCall;
use dormouse_core::budget::Kind;
use dormouse_core::dns::Change;
use dormouse_core::naming;
use dormouse_peer::wire::Role;

/// The lease that controllers have.
pub const LEASE: Ms = 15 * SECOND;

/// A controller took or renewed the lease with a write that it began then.
pub fn lease_held(sim: &mut Sim, controller: usize, began: Ms) {
    sim.audit.leases.insert(controller, began);
}

/// Every call: S14, and for those that change something S11.
pub fn called(sim: &mut Sim, controller: usize, what: &str, kind: Kind, changes: bool) {
    s14_budget(sim, kind);
    if changes {
        sim.audit.mutations += 1;
        sim.audit.last_mutation = (sim.now, what.to_owned());
        s11_lease(sim, controller, what);
    }
}

/// S14: at most half of AWS's sustained rate over any minute.
fn s14_budget(sim: &mut Sim, kind: Kind) {
    let rate = match kind {
        Kind::Modify => 40,
        Kind::RunFargate | Kind::Read => 20,
        Kind::Define => 1,
        Kind::Zone => 5,
        Kind::Scale | Kind::Network => 10,
    };
    let now = sim.now;
    let calls = sim.audit.calls.entry(kind).or_default();
    while calls.front().is_some_and(|at| at + MINUTE < now) {
        calls.pop_front();
    }
    calls.push_back(now);
    let made = calls.len();
    // Each controller process has a budget of its own, and a new one begins with a full one.
    let most = rate * 30 * 3;
    if made > most {
        sim.violate("S14", format!("{made} calls of {kind:?} within a minute"));
    }
}

/// S11: nothing is changed after the lease's own renew deadline.
fn s11_lease(sim: &mut Sim, controller: usize, what: &str) {
    let began = sim.audit.leases.get(&controller).copied();
    if began.is_none_or(|began| sim.now >= began + LEASE) {
        sim.violate("S11", format!("{what} after the lease of controller {controller} ran out"));
    }
}

/// S15: RunTask is called only for a durable intent.
pub fn run_called(sim: &mut Sim, call: &RunCall) {
    if !sim.audit.runs.contains(&call.identity) {
        sim.violate("S15", format!("RunTask {} without an intent", call.identity));
    }
}

/// S15, for registrations.
pub fn register_called(sim: &mut Sim, hash: &str) {
    if !sim.audit.hashes.contains(hash) {
        sim.violate("S15", format!("a definition {hash} is registered without an intent"));
    }
}

/// S6 and S15, for deregistrations.
pub fn deregister_called(sim: &mut Sim, arn: &str) {
    if !sim.audit.retired.contains(arn) {
        sim.violate("S15", format!("{arn} is deregistered without an intent"));
    }
    if sim.truth.definitions.get(arn).is_some_and(|known| known.install != sim.settings.install) {
        sim.violate("S6", format!("{arn} is not ours"));
    }
    let used = sim.audit.rows.values().flat_map(|row| row.pairs().cloned().collect::<Vec<_>>()).any(|pair| {
        Role::ALL.iter().any(|role| {
            let intent = pair.task(*role);
            intent.is_open()
                && intent.task_arn.is_none()
                && intent.parameters.task_definition == arn
                && pair.condemned.is_none()
        })
    });
    if used {
        sim.violate("S15", format!("{arn} is deregistered while a task is to be run with it"));
    }
}

/// S15: SetDesiredCapacity only to what was written down. S8 is checked when it applies.
pub fn desired_called(sim: &mut Sim, desired: u32) {
    if desired > sim.audit.targets {
        sim.violate("S15", format!("desired capacity {desired} without an intent"));
    }
}

/// S8: the desired capacity is never lowered that way, nor raised above the maximum.
pub fn s8_monotone_capacity(sim: &mut Sim, desired: u32) {
    let fleet = &sim.truth.fleet;
    if desired < fleet.desired || desired > fleet.max {
        let what = format!("desired capacity {} → {desired}, maximum {}", fleet.desired, fleet.max);
        sim.violate("S8", what);
    }
}

/// S7 and S15, at TerminateInstance: drained for long enough, nothing on it, and intended.
pub fn before_terminate(sim: &mut Sim, id: &str) {
    if !sim.audit.terminations.contains(id) {
        sim.violate("S15", format!("{id} is terminated without an intent"));
    }
    let Some(member) = sim.truth.fleet.members.get(id).filter(|member| member.lifecycle != "Terminating")
    else {
        return;
    };
    let wait = 15 * SECOND;
    let drained =
        member.draining_since.is_some_and(|since| sim.now + sim.audit.slack + 2 * SECOND >= since + wait);
    if member.joined && !drained {
        let since = member.draining_since;
        sim.violate("S7", format!("{id} is terminated, draining since {since:?}"));
    }
    let arn = sim.truth.fleet.members.get(id).map(|member| member.arn.clone());
    let busy = sim.truth.tasks.values().find(|task| task.is_there() && task.seen.container_instance == arn);
    if let Some(busy) = busy.map(|task| task.seen.arn.clone()) {
        sim.violate("S7", format!("{id} is terminated with {busy} on it"));
    }
}

/// S5, S6, S10, S15, at StopTask as it applies.
pub fn before_stop(sim: &mut Sim, arn: &str) {
    let Some(task) = sim.truth.tasks.get(arn) else { return };
    if !task.is_there() || task.seen.stopping {
        return;
    }
    let Some(identity) = task.seen.identity.clone() else {
        return sim.violate("S6", format!("{arn} is stopped and not ours"));
    };
    if !sim.audit.stops.contains(arn) {
        sim.violate("S15", format!("{arn} ({identity}) is stopped without an intent"));
    }
    let serves =
        sim.audit.rows.get(&identity.service).and_then(|row| row.pair.as_ref()).is_some_and(|pair| {
            pair.condemned.is_none() && pair.task(identity.role).task_arn.as_deref() == Some(arn)
        });
    if serves {
        sim.violate("S10", format!("{arn} ({identity}) is stopped and its pair is to serve"));
    }
    let other = |role: Role| {
        sim.truth.tasks.values().find(|other| {
            other.seen.identity.as_ref().is_some_and(|own| {
                own.service == identity.service
                    && own.role == role
                    && own.epoch == identity.epoch
                    && own.attempt == identity.attempt
            })
        })
    };
    match identity.role {
        Role::Proxy => {
            // Without its service it serves nobody: that end was not planned.
            let alone = other(Role::Service).is_none_or(|other| !other.runs() || other.seen.stopping);
            if !alone {
                s5_no_cut(sim, arn, &identity.service);
            }
        }
        Role::Service => {
            if other(Role::Proxy).is_some_and(|proxy| {
                proxy.seen.status == dormouse_core::observed::TaskStatus::Running && !proxy.seen.stopping
            }) {
                sim.violate("S5", format!("{arn} ({identity}) is stopped before its proxy"));
            }
        }
    }
}

/// S5: a proxy is stopped only once nobody can find it any more and nothing is in flight, or the drain's time is
/// over.
fn s5_no_cut(sim: &mut Sim, arn: &str, service: &str) {
    // Whoever deletes a row takes along what was known of the records and requests of its tasks.
    if sim.truth.lost_rows.contains(service) {
        return;
    }
    let Some(task) = sim.truth.tasks.get(arn).filter(|task: &&SimTask| task.runs()) else { return };
    let (in_flight, public) = (task.sidecar.in_flight, task.public.clone());
    let slack = sim.audit.slack + SECOND;
    let ttl: Ms = sim.settings.dns_ttl.as_millis().try_into().unwrap_or(Ms::MAX);
    let name = naming::record_name(service, &sim.settings.domain);
    if let Some(address) = public {
        match sim.withdrawn_since(&name, &address) {
            None => sim.violate("S5", format!("{arn} of {service} is stopped and still found at {address}")),
            Some(since) if since > 0 && sim.now + slack < since + ttl => {
                let ago = sim.now - since;
                sim.violate("S5", format!("{arn} of {service} is stopped {ago} ms after its record went"));
            }
            Some(_) => {
                sim.audit.planned_ends.insert((service.to_owned(), address), sim.now);
            }
        }
    }
    let drain = sim.audit.spec(service).map_or(0, |spec| crate::truth::sidecar::millis(spec.drain));
    let over = sim.audit.drains.get(service).is_some_and(|began| sim.now + slack >= began + drain);
    if in_flight > 0 && !over {
        let began = sim.audit.drains.get(service).copied();
        sim.violate(
            "S5",
            format!("{arn} of {service} is stopped with {in_flight} in flight, drains since {began:?}"),
        );
    }
}

/// S1, S3 and S15, at each change of a batch as it applies.
pub fn before_record(sim: &mut Sim, change: &Change) {
    let set = change.set();
    let key = (set.name.clone(), set.kind.clone());
    if matches!(change, Change::Delete(_)) && !sim.truth.zone.ours.contains(&key) {
        sim.violate("S1", format!("{} {} is deleted and not ours", set.kind, set.name));
    }
    let suffix = format!(".{}", sim.settings.domain);
    let Some(service) =
        set.name.strip_suffix(&suffix).filter(|name| set.kind == "A" && *name != "*").map(str::to_owned)
    else {
        return;
    };
    if let Change::Create(set) = change {
        let address = set.values.first().cloned();
        if !sim.audit.addresses.contains(&(service.clone(), address.clone())) {
            sim.violate("S15", format!("{} is created without an intent", set.name));
        }
        let owner = sim
            .truth
            .tasks
            .values()
            .filter(|task| task.public == address && task.service() == Some(&service))
            .max_by_key(|task| task.created);
        let long_gone = owner.is_none_or(|task| task.stopped_at.is_some_and(|at| at + 3 * MINUTE < sim.now));
        if long_gone {
            sim.violate("S3", format!("{} is given {address:?}, which no task of it has", set.name));
        }
    }
}

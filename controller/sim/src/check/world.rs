//! After an effect, and as time passes.

use crate::profile::{MINUTE, SECOND};
use crate::sim::Sim;
use crate::truth::requests::Request;
use crate::truth::zone::lookup;
use dormouse_core::naming;
use dormouse_core::observed::TaskStatus;
use dormouse_peer::wire::Role;
use std::collections::BTreeMap;

/// S4: at most two tasks of a service and role, and those of different pairs.
pub fn after_task(sim: &mut Sim, arn: &str) {
    let Some(identity) = sim.truth.tasks.get(arn).and_then(|task| task.seen.identity.clone()) else { return };
    let there = sim.truth.tasks.values().filter(|task| task.is_there());
    let same: Vec<_> = there
        .filter_map(|task| task.seen.identity.as_ref())
        .filter(|other| other.service == identity.service && other.role == identity.role)
        .collect();
    let twice = same.iter().filter(|other| ***other == identity).count() > 1;
    let many = same.len();
    if twice {
        sim.violate("S4", format!("{identity} runs twice"));
    }
    if many > 3 {
        sim.violate("S4", format!("{many} {} tasks of {}", identity.role, identity.service));
    }
}

/// S2: once the wildcard is published, every declared name resolves.
pub fn after_zone(sim: &mut Sim) {
    let domain = sim.settings.domain.clone();
    let wildcard = (format!("*.{domain}"), "A".to_owned());
    if !sim.audit.wildcard_served {
        sim.audit.wildcard_served = sim.truth.zone.served.contains_key(&wildcard);
        return;
    }
    let lost: Vec<String> = sim
        .audit
        .rows
        .keys()
        .filter(|name| lookup(&sim.truth.zone.sets, &naming::record_name(name, &domain), &domain).0.is_none())
        .cloned()
        .collect();
    for name in lost {
        sim.violate("S2", format!("{name} does not resolve any more"));
    }
}

/// S3, S17: nobody is sent to a proxy that was stopped as planned.
pub fn unreachable(sim: &mut Sim, service: &str, address: &str) {
    sim.audit.answers.unreachable += 1;
    let planned = sim.audit.planned_ends.get(&(service.to_owned(), address.to_owned()));
    // Record sets of operators have longer lives in caches than ours.
    if planned.is_some_and(|at| sim.now < at + 5 * MINUTE) {
        sim.violate("S3", format!("a request for {service} was led to {address}, whose proxy was stopped"));
    }
}

/// S17: a request is not cut off by the planned end of what carries it before the drain's time is over.
pub fn cut(sim: &mut Sim, arn: &str, request: &Request) {
    let Some(task) = sim.truth.tasks.get(arn) else { return };
    let Some((asked, true)) = task.stop_asked else { return };
    let drain = sim.audit.spec(&request.service).map_or(0, |spec| crate::truth::sidecar::millis(spec.drain));
    let stopped =
        request.answers.as_ref().and_then(|arn| sim.truth.tasks.get(arn)).is_none_or(|task| !task.runs());
    if !stopped && sim.now + SECOND < asked + drain {
        sim.violate("S17", format!("a request of {} was cut off at {arn}", request.service));
    }
}

/// S17: what the activator forwards is not cut off by the planned end of its service.
pub fn unanswered(sim: &mut Sim, arn: &str, request: &Request) {
    let Some(task) = sim.truth.tasks.get(arn) else { return };
    let Some((asked, true)) = task.stop_asked else { return };
    let drain = sim.audit.spec(&request.service).map_or(0, |spec| crate::truth::sidecar::millis(spec.drain));
    let late = request.since + drain < asked + SECOND + sim.audit.slack;
    let leads = sim.audit.leases.iter().max_by_key(|(_, began)| **began).map(|(controller, _)| *controller);
    let own = request.activator.is_some() && request.activator == leads;
    // Without its proxy a service is of no use to others: that end was not planned.
    let alone = sim.truth.tasks.values().any(|proxy| {
        proxy.role() == Some(Role::Proxy)
            && task.seen.identity.as_ref().zip(proxy.seen.identity.as_ref()).is_some_and(|(own, other)| {
                own.service == other.service && own.epoch == other.epoch && own.attempt == other.attempt
            })
            && !proxy.stop_asked.is_some_and(|(_, ours)| ours)
            && proxy.seen.stopping
    });
    let own = own && !alone;
    if own && !late {
        sim.violate(
            "S17",
            format!("a request of {} at the activator was cut off by the stop of {arn}", request.service),
        );
    }
}

/// What time alone can break, while no fault disturbs.
pub fn audit(sim: &mut Sim) {
    let Some(calm_since) = sim.audit.calm_since else { return };
    let calm_for = sim.now - calm_since;
    if calm_for > 3 * MINUTE {
        s9_protection(sim);
    }
    if calm_for > 5 * MINUTE {
        s3_no_stale_record(sim);
    }
    if calm_for > 10 * MINUTE {
        s4_no_long_overlap(sim);
    }
}

/// S9: what is in service and not chosen for removal is protected.
fn s9_protection(sim: &mut Sim) {
    let bare = sim.truth.fleet.members.values().find(|member| {
        member.lifecycle == "InService"
            && !member.protected
            && member.in_service_at.is_some_and(|at| at + 2 * MINUTE < sim.now)
            && !sim.audit.capacity.removals.contains_key(&member.id)
    });
    if let Some(id) = bare.map(|member| member.id.clone()) {
        sim.violate("S9", format!("{id} is not protected"));
    }
}

/// S3: no record of ours leads to what is over.
fn s3_no_stale_record(sim: &mut Sim) {
    let stale = sim.truth.zone.sets.values().find(|set| {
        if set.kind != "A"
            || set.name.starts_with('*')
            || !sim.truth.zone.ours.contains(&(set.name.clone(), set.kind.clone()))
        {
            return false;
        }
        !sim.truth.tasks.values().any(|task| {
            let leads_here = task.public.as_ref().is_some_and(|address| set.values.contains(address));
            let ended = task.seen.status != TaskStatus::Running || task.seen.stopping;
            let since = task.stopped_at.or(task.stop_asked.map(|(at, _)| at)).unwrap_or(sim.now);
            leads_here && (!ended || since + 2 * MINUTE > sim.now)
        })
    });
    if let Some(name) = stale.map(|set| set.name.clone()) {
        sim.violate("S3", format!("{name} leads to a task that is over"));
    }
}

/// S4: two tasks of a service and role side by side for at most ten minutes.
fn s4_no_long_overlap(sim: &mut Sim) {
    let mut count: BTreeMap<_, u32> = BTreeMap::new();
    for task in
        sim.truth.tasks.values().filter(|task| {
            task.is_there() && task.stop_asked.is_none() && task.created + 10 * MINUTE < sim.now
        })
    {
        if let Some(identity) = &task.seen.identity {
            *count.entry((identity.service.clone(), identity.role)).or_default() += 1;
        }
    }
    if let Some((service, role)) = count.into_iter().find(|(_, count)| *count > 1).map(|(key, _)| key) {
        sim.violate("S4", format!("two {role} tasks of {service} for more than ten minutes"));
    }
}

/// A proxy of a service was given an address: it may be found there again.
pub fn address_given(sim: &mut Sim, service: &str, address: &str) {
    sim.trace.note(sim.now, format_args!("a proxy of {service} gets {address}"));
    sim.audit.planned_ends.remove(&(service.to_owned(), address.to_owned()));
}

/// A probe through the path that users take succeeded.
pub fn probed(sim: &mut Sim, service: &str) {
    sim.audit.probes.insert(service.to_owned(), sim.now);
}

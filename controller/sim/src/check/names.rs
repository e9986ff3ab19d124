//! S1 to S3: the zone.

use super::Moment;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::script::Aws;
use crate::sim::Sim;
use crate::truth::tasks::SimTask;
use crate::truth::zone::lookup;
use dormouse_core::dns::Change;
use dormouse_core::naming;
use dormouse_core::observed::{RecordSet, TaskStatus};

/// At each change of a batch of ours: what is deleted is what we made, byte by byte. (What is created is absent, or
/// Route 53 refuses; there is no upsert to make.)
pub fn s1_own_dns(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Batch(changes) = moment else { return None };
    let foreign = changes.iter().find(|change| {
        let set = change.set();
        matches!(change, Change::Delete(_))
            && !sim.truth.zone.ours.contains(&(set.name.clone(), set.kind.clone()))
    })?;
    Some(format!("{} {} is deleted and not ours", foreign.set().kind, foreign.set().name))
}

/// After each change of the zone: every declared name resolves, by what the API holds and by what name servers have.
/// After each of ours: the ownership TXT says what the records are.
pub fn s2_no_gap(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let Moment::Zone(ours) = *moment else { return None };
    let zone = &sim.truth.zone;
    let domain = &sim.settings.domain;
    if let Some(set) =
        ours.into_iter().flatten().map(Change::set).find(|set| set.kind == "A" && !is_owned(sim, set))
    {
        return Some(format!("{} and its ownership TXT tell different things", set.name));
    }
    if !sim.audit.wildcard_served {
        return None;
    }
    let resolves = |name: &str| {
        let name = naming::record_name(name, domain);
        [&zone.sets, &zone.served].into_iter().all(|sets| lookup(sets, &name, domain).0.is_some())
    };
    let lost = sim.audit.rows.keys().find(|name| !resolves(name))?;
    Some(format!("{lost} does not resolve any more"))
}

/// Whether an A record is there exactly if its owner's TXT says so.
fn is_owned(sim: &Sim, set: &RecordSet) -> bool {
    let zone = &sim.truth.zone;
    let Some(name) = set.name.strip_suffix(&format!(".{}", sim.settings.domain)) else { return false };
    let owner = if name == "*" { dormouse_core::dns::WILDCARD } else { name };
    let txt = zone.sets.get(&(naming::owner_name(owner, &sim.settings.domain), "TXT".to_owned()));
    let says = |address: &str| {
        let word = format!("\"a={}:{address}\"", set.name);
        txt.is_some_and(|txt| txt.values.contains(&word))
    };
    match zone.sets.get(&(set.name.clone(), "A".to_owned())) {
        Some(now) => says(&now.values.join("+")),
        None => !says(&set.values.join("+")),
    }
}

/// A record is made for a task that runs (readings may be a minute old), and none stays 30 s past its end. Nobody is
/// led to a proxy that was stopped as planned.
pub fn s3_no_stale_dns(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    // Whoever makes a record needs ECS to know, and to take one out the zone and the table beside: while they do not
    // answer, nobody can.
    let needed: &[Aws] = match moment {
        Moment::Batch(_) => &[Aws::Ecs],
        Moment::Tick => &[Aws::Ecs, Aws::Zone, Aws::Table],
        _ => &[],
    };
    if !needed.is_empty() && sim.last_outage_of(needed) + 2 * MINUTE > sim.now {
        return None;
    }
    match moment {
        Moment::Batch(changes) => changes.iter().find_map(|change| match change {
            Change::Create(set) if is_of_a_service(sim, set) => {
                let age = ended_for(sim, set);
                let allowed = if sim.is_faultless() { 30 * SECOND } else { MINUTE + oldest_reading(sim) };
                (age > allowed)
                    .then(|| format!("{} is given {:?}, which no task of it has", set.name, set.values))
            }
            _ => None,
        }),
        Moment::Tick => {
            // While calls fail and are throttled it takes a leader some tries; and readings are old.
            let allowed = if sim.is_faultless() { 30 * SECOND } else { 2 * MINUTE + oldest_reading(sim) };
            if sim.audit.led_for(sim.now) < allowed + 10 * SECOND {
                return None;
            }
            let ours = |set: &&RecordSet| sim.truth.zone.ours.contains(&(set.name.clone(), set.kind.clone()));
            let sets = sim.truth.zone.sets.values().filter(|set| is_of_a_service(sim, set)).filter(ours);
            // A leader that never saw a task tells what ECS has forgotten from what it does not show yet by five minutes.
            let told = sim.audit.led_for(sim.now).min(sim.now - sim.last_outage_of(needed).min(sim.now))
                > 6 * MINUTE;
            let stale = sets.into_iter().find(|set| {
                let ended = ended_for(sim, set);
                ended > allowed && (told || ended < Ms::MAX)
            })?;
            Some(format!("{} leads to a task that is over", stale.name))
        }
        Moment::Unreachable(service, address) => {
            let planned = sim.audit.planned_ends.get(&((*service).to_owned(), (*address).to_owned()))?;
            // Record sets of operators have longer lives in caches than ours.
            (sim.now < planned + 5 * MINUTE)
                .then(|| format!("a request for {service} was led to {address}, whose proxy was stopped"))
        }
        _ => None,
    }
}

/// By how much what is read of tasks and of the zone may be old.
fn oldest_reading(sim: &Sim) -> Ms {
    sim.profile.task_lag.max(sim.profile.zone_lag)
}

fn is_of_a_service(sim: &Sim, set: &RecordSet) -> bool {
    set.kind == "A" && !set.name.starts_with('*') && set.name.ends_with(&sim.settings.domain)
}

/// For how long the proxy that a record leads to has been over; for ever when there is none.
fn ended_for(sim: &Sim, set: &RecordSet) -> Ms {
    let leads_here = |task: &&SimTask| {
        task.public.as_ref().is_some_and(|address| set.values.contains(address))
            && task.service().is_some_and(|name| naming::record_name(name, &sim.settings.domain) == set.name)
    };
    let newest = sim.truth.tasks.values().filter(leads_here).max_by_key(|task| task.created);
    newest.map_or(Ms::MAX, |task| {
        let ended = task.seen.status > TaskStatus::Running || task.seen.stopping;
        if ended { sim.now - task.ended_at.unwrap_or(sim.now) } else { 0 }
    })
}

//! S15: what is done was written down before.

use super::Moment;
use crate::profile::SECOND;
use crate::sim::Sim;
use dormouse_core::dns::{Change, WILDCARD};
use dormouse_peer::wire::Role;

/// At each call that creates or destroys.
pub fn s15_intent_first(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let audit = &sim.audit;
    match *moment {
        Moment::Run(_, call) => match audit.runs.get(&call.identity) {
            None => Some(format!("RunTask {} without an intent", call.identity)),
            Some(intended) => (*intended != call.parameters)
                .then(|| format!("RunTask {} with other parameters than intended", call.identity)),
        },
        Moment::Stop(arn) => {
            let there = sim.truth.tasks.get(arn).is_some_and(|task| task.is_there() && !task.seen.stopping);
            (there && !audit.stops.contains(arn)).then(|| format!("{arn} is stopped without an intent"))
        }
        Moment::Register(hash) => (!audit.hashes.contains_key(hash))
            .then(|| format!("a definition {hash} is registered without an intent")),
        Moment::Deregister(arn) if !audit.retired.contains(arn) => {
            Some(format!("{arn} is deregistered without an intent"))
        }
        Moment::Deregister(arn) => {
            let used = audit.rows.values().flat_map(|row| row.pairs()).any(|pair| {
                Role::ALL.iter().any(|role| {
                    let intent = pair.task(*role);
                    let waits = intent.is_open() && intent.task_arn.is_none() && pair.condemned.is_none();
                    waits && intent.parameters.task_definition == arn
                })
            });
            used.then(|| format!("{arn} is deregistered while a task is to be run with it"))
        }
        Moment::Desire(desired) => {
            let intended = audit.targets.get(&desired).is_some_and(|until| *until >= sim.now);
            (!intended).then(|| format!("desired capacity {desired} without an intent"))
        }
        Moment::Terminate(id) => {
            (!audit.terminations.contains(id)).then(|| format!("{id} is terminated without an intent"))
        }
        Moment::Batch(changes) => changes.iter().find_map(|change| unintended(sim, change)),
        _ => None,
    }
}

/// A change of a service's record that its row never named. What belongs to nobody is taken out without one.
fn unintended(sim: &Sim, change: &Change) -> Option<String> {
    let set = change.set();
    let service = set.name.strip_suffix(&format!(".{}", sim.settings.domain)).filter(|_| set.kind == "A")?;
    if service == "*" || service == WILDCARD || !sim.audit.rows.contains_key(service) {
        return None;
    }
    let address = match change {
        Change::Create(set) => set.values.first().cloned(),
        // It makes room for another, or for none. It belonged to nobody when the call was begun, if the row is new.
        Change::Delete(_) if sim.audit.made.get(service).is_some_and(|at| sim.now < at + 40 * SECOND) => {
            return None;
        }
        Change::Delete(_) => {
            let known = sim.audit.addresses.keys().filter(|(name, _)| name == service);
            let intended = known
                .into_iter()
                .any(|(_, address)| !address.as_ref().is_some_and(|a| set.values.contains(a)));
            return (!intended).then(|| format!("{} is deleted without an intent", set.name));
        }
    };
    let intended = sim.audit.addresses.contains_key(&(service.to_owned(), address));
    (!intended).then(|| format!("{} is created without an intent", set.name))
}

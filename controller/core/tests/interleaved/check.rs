//! What must hold after each move.

use crate::controller::Effect;
use crate::search::Wrong;
use crate::world::{NAME, World};
use dormouse_core::dns::Change;
use dormouse_core::intent::{later, since};
use dormouse_core::lifecycle;
use dormouse_core::naming;
use dormouse_core::observed::TaskStatus;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Pair, PairId};
use std::collections::BTreeSet;
use std::time::Duration;

/// A proxy that died for want of its other half is kept for so long at most, for its record to go first.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happened: the world before, what was done to it, the world after.
pub struct Moment<'a> {
    pub before: &'a World,
    pub effect: Option<&'a Effect>,
    pub after: &'a World,
}

type Check = fn(&Moment<'_>) -> Option<String>;

/// Every check by the invariant's number; each answers what is wrong.
const CHECKS: &[(&str, Check)] = &[
    ("S1", own_dns),
    ("S2", no_gap),
    ("S3", no_stale_dns),
    ("S4", one_pair),
    ("S5", no_cut),
    ("S6", only_ours),
    ("S10", wake_beats_sleep),
    ("S11", fence),
    ("S13", unknown_is_not_absent),
    ("S15", intent_first),
];

/// What a move violates.
pub fn violated(moment: &Moment<'_>) -> Option<Wrong> {
    CHECKS.iter().find_map(|(id, check)| Some((*id, check(moment)?)))
}

fn changes<'a>(moment: &Moment<'a>) -> &'a [Change] {
    match moment.effect {
        Some(Effect::Changed(changes)) => changes,
        _ => &[],
    }
}

/// The task that is stopped.
fn stopped<'a>(moment: &Moment<'a>) -> Option<(&'a str, &'a Identity)> {
    let Some(Effect::Stop(arn)) = moment.effect else { return None };
    Some((arn, moment.before.cloud.lives.get(arn)?.task.identity.as_ref()?))
}

/// The pair that an identity names, as it is remembered.
fn pair_of<'a>(world: &'a World, own: &Identity) -> Option<&'a Pair> {
    let id = PairId { epoch: own.epoch, attempt: own.attempt };
    world.row.record.pairs().find(|pair| pair.id == id)
}

/// What is deleted was made by us; what others made stays.
fn own_dns(moment: &Moment<'_>) -> Option<String> {
    let foreign = changes(moment)
        .iter()
        .find(|change| matches!(change, Change::Delete(set) if !moment.before.cloud.ours.contains(set)));
    foreign.map(|change| format!("{:?} is not ours", change.set()))
}

/// The wildcard stands; a record changes together with the text that says whose it is.
fn no_gap(moment: &Moment<'_>) -> Option<String> {
    let domain = &moment.after.settings.domain;
    let zone = &moment.after.cloud.zone;
    if zone.get(&naming::record_name("*", domain), "A").is_empty() {
        return Some("the wildcard is gone".into());
    }
    let record = !zone.get(&naming::record_name(NAME, domain), "A").is_empty();
    let text = !zone.get(&naming::owner_name(NAME, domain), "TXT").is_empty();
    (record != text).then(|| format!("record: {record}, its ownership: {text}"))
}

/// A proxy that is stopped as planned has no record.
fn no_stale_dns(moment: &Moment<'_>) -> Option<String> {
    let (arn, own) = stopped(moment).filter(|(_, own)| own.role == Role::Proxy)?;
    let world = moment.before;
    let pair = pair_of(world, own)?;
    let patient = pair.condemned.as_ref().is_some_and(|(at, _)| since(world.now, *at) >= PATIENCE);
    let address = world.cloud.lives.get(arn)?.task.public_address.as_ref();
    (!patient && world.cloud.record(world.settings) == address)
        .then(|| format!("{arn} is stopped and its record stands"))
}

/// One task of a role, or two of different pairs.
fn one_pair(moment: &Moment<'_>) -> Option<String> {
    let cloud = &moment.after.cloud;
    let ours =
        cloud.lives.values().filter(|life| life.lives()).filter_map(|life| life.task.identity.as_ref());
    Role::ALL.into_iter().find_map(|role| {
        let there: Vec<&Identity> =
            ours.clone().filter(|own| own.service == NAME && own.role == role).collect();
        let different: BTreeSet<&Identity> = there.iter().copied().collect();
        (there.len() > 2 || different.len() < there.len())
            .then(|| format!("{} {role} tasks: {there:?}", there.len()))
    })
}

/// A sleeping service's proxy ends when nobody is led to it and nothing is in flight, or its drain's time is up; the
/// service ends after its proxy.
fn no_cut(moment: &Moment<'_>) -> Option<String> {
    let (arn, own) = stopped(moment)?;
    let world = moment.before;
    let pair = pair_of(world, own)?;
    if own.role == Role::Service {
        let proxy = world.cloud.of(&Identity { role: Role::Proxy, ..own.clone() })?;
        return (proxy.runs() && !proxy.task.stopping).then(|| format!("{arn} is stopped before its proxy"));
    }
    let (_, why) = pair.condemned.as_ref()?;
    let life = world.cloud.lives.get(arn).filter(|life| life.runs() && why.starts_with("it sleeps"))?;
    if world.cloud.leads_to(world.settings, life.task.public_address.as_ref()?, world.now) {
        return Some(format!("{arn} is stopped and somebody may be led to it"));
    }
    let began = world.ledger.drains.get(&pair.id);
    let late = began.is_some_and(|began| world.now >= later(*began, world.row.record.spec.drain));
    (life.open > 0 && !late).then(|| format!("{arn} is stopped and a request is cut off"))
}

/// Only tasks of this service are stopped.
fn only_ours(moment: &Moment<'_>) -> Option<String> {
    let Some(Effect::Stop(arn)) = moment.effect else { return None };
    let ours = stopped(moment).is_some_and(|(_, own)| own.service == NAME);
    (!ours).then(|| format!("{arn} is stopped"))
}

/// What is to serve is not stopped, what was to end stays so, and no wake is forgotten.
fn wake_beats_sleep(moment: &Moment<'_>) -> Option<String> {
    if let Some((arn, own)) = stopped(moment)
        && let Some(pair) = pair_of(moment.before, own)
        && pair.condemned.is_none()
    {
        return Some(format!("{arn} is stopped and its pair is to serve"));
    }
    if !matches!(moment.effect, Some(Effect::Wrote(_))) {
        return None;
    }
    let (before, after) = (&moment.before.row.record, &moment.after.row.record);
    if after.epoch < before.epoch {
        return Some(format!("the wake of epoch {} is lost", before.epoch));
    }
    if (before.desired, after.desired) == (Desired::Asleep, Desired::Awake) && after.epoch == before.epoch {
        return Some("it wakes without a new epoch".into());
    }
    let condemned = &moment.before.ledger.condemned;
    let revived = after.pairs().find(|pair| condemned.contains(&pair.id) && pair.condemned.is_none());
    if let Some(pair) = revived {
        return Some(format!("pair {} was to end, and is to serve again", pair.id));
    }
    let sleeps = |pair: &&Pair| pair.condemned.as_ref().is_some_and(|(_, why)| why.starts_with("it sleeps"));
    let newly = after.pairs().filter(sleeps).find(|pair| !condemned.contains(&pair.id));
    newly
        .filter(|_| before.desired == Desired::Awake)
        .map(|pair| format!("pair {} sleeps, and it is to be awake", pair.id))
}

/// A leader's write finds no later leader's.
fn fence(moment: &Moment<'_>) -> Option<String> {
    let Some(Effect::Wrote(Some(by))) = moment.effect else { return None };
    let held = moment.before.ledger.led;
    (*by < held).then(|| format!("leader {by} writes after leader {held}"))
}

/// Who has not seen all tasks makes and ends none; and what is written to be over is.
fn unknown_is_not_absent(moment: &Moment<'_>) -> Option<String> {
    let world = moment.after;
    if matches!(moment.effect, Some(Effect::Wrote(_))) {
        let lives =
            |own: &Identity| world.cloud.of(own).is_some_and(|life| life.lives() && !life.task.stopping);
        let over = world.row.record.pairs().flat_map(|pair| {
            let over = Role::ALL.into_iter().filter(|role| !pair.task(*role).is_open());
            over.map(|role| lifecycle::identity(NAME, pair.id, role))
        });
        if let Some(own) = over.into_iter().find(lives) {
            return Some(format!("{own} is taken for gone, and lives"));
        }
    }
    let blind =
        moment.after.controllers.iter().find(|own| own.tasks.listed_at.is_none() && !own.steps.is_empty());
    blind.map(|own| format!("{} steps without a listing", own.steps.len()))
}

/// What is done was written down before.
fn intent_first(moment: &Moment<'_>) -> Option<String> {
    let ledger = &moment.before.ledger;
    match moment.effect? {
        Effect::Run(identity, parameters) => (ledger.runs.get(identity) != Some(parameters))
            .then(|| format!("RunTask {identity} without its intent")),
        Effect::Stop(arn) => {
            let ends = moment.before.cloud.lives.get(arn)?.task.status > TaskStatus::Running;
            (!ends && !ledger.stops.contains(arn)).then(|| format!("{arn} is stopped without an intent"))
        }
        Effect::Changed(changes) => {
            let domain = &moment.before.settings.domain;
            let of_name = |change: &&Change| change.set().name == naming::record_name(NAME, domain);
            changes.iter().filter(of_name).find_map(|change| match change {
                Change::Create(set) if !ledger.addresses.contains(&set.values.first().cloned()) => {
                    Some(format!("{:?} is made without an intent", set.values))
                }
                Change::Delete(set)
                    if ledger.addresses.iter().all(|it| it.as_ref() == set.values.first()) =>
                {
                    Some(format!("{:?} is taken out without an intent", set.values))
                }
                _ => None,
            })
        }
        Effect::Wrote(_) => None,
    }
}

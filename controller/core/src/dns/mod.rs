//! Wanted records against a zone: compare and swap, never upsert, and nothing that is not ours.
//!
//! # Layout
//!
//! - [`zone`]: a zone's record sets by name and type, and the changes of a batch
//! - [`owner`]: the TXT that says whose a record is and what it was given
//! - [`compare`]: one owner's wanted records against the zone
//! - [`wanted`]: which records a service is to have
//! - [`withdrawal`]: an address that is taken out of the wildcard
//! - [`batch`]: changes of many owners in as few calls as Route 53 allows

pub mod batch;
pub mod compare;
pub mod owner;
#[cfg(test)]
mod tests;
pub mod wanted;
pub mod withdrawal;
pub mod zone;

pub use compare::{Standing, compare};
pub use wanted::Wanted;
pub use zone::{Change, Zone};

use crate::intent::{later, since};
use crate::settings::Settings;
use dormouse_state::{DnsChange, DnsMemory, PairId, ServiceRecord, planted};
use jiff::Timestamp;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Owner of the wildcard record; no service can have this name.
pub const WILDCARD: &str = "_wildcard";
/// Route 53 propagates within 60 seconds as a rule; when a change's id was lost this long is waited instead.
///
/// Source: Amazon Route 53 Developer Guide, "Checking the status of your changes".
pub const PROPAGATES_IN: Duration = Duration::from_secs(60);

/// What was made so long ago is shown by every reading, and a call of then is made or never will be.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// A change that is tried again and again is dated anew this often: each date is a write.
const DATED_EVERY: Duration = Duration::from_secs(5);

/// What somebody takes out is put back, and no more often than this: two that are at odds do not fight.
const REPAIR_EVERY: Duration = Duration::from_secs(300);

/// The changes of one owner: they stand or fall together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Service name or [`WILDCARD`].
    pub owner: String,
    /// Applied whole or not at all.
    pub changes: Vec<Change>,
}

/// What to remember, then what to change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Services whose DNS memory changes.
    pub memories: BTreeMap<String, DnsMemory>,
    /// Changes to make, once the memories are written.
    pub groups: Vec<Group>,
    /// Changes to ask Route 53 about: id → services.
    pub polls: BTreeMap<String, Vec<String>>,
    /// Service → what of its name is not ours.
    pub conflicts: BTreeMap<String, String>,
    /// Plan again at the latest after this time.
    pub requeue: Option<Duration>,
}

/// Plans the public zone. Services that are settled without a record may be missing from `records`, unless the zone
/// claims one for them ([`owner::claimed`]).
pub fn plan<R: Borrow<ServiceRecord>>(
    settings: &Settings,
    records: &BTreeMap<String, R>,
    wanted: &BTreeMap<String, Wanted>,
    zone: &Zone,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let claimed: BTreeSet<&str> = owner::claimed(&settings.domain, zone).collect();
    for (name, record) in records {
        let (record, want) = (record.borrow(), wanted.get(name));
        // Most sleep, and have nothing in the zone.
        if want.is_some() || !is_settled_without(&record.dns) || claimed.contains(name.as_str()) {
            service(settings, record, want, zone, now, &mut plan);
        }
    }
    let wildcard = settings.wildcard.as_ref().map(|addresses| Wanted::wildcard(settings, addresses));
    others(
        settings,
        &settings.domain,
        &records.keys().cloned().collect(),
        wildcard.as_ref(),
        zone,
        &mut plan,
    );
    plan
}

/// Plans the private zone, which has no clients that wait for it: nothing of it is remembered, the records of
/// the public one are intents enough.
pub fn plan_private(
    settings: &Settings,
    domain: &str,
    wanted: &BTreeMap<String, Wanted>,
    zone: &Zone,
) -> Plan {
    let mut plan = Plan::default();
    for (name, want) in wanted {
        match compare(settings, domain, zone, name, Some(want)) {
            Standing::Differs(changes) => plan.groups.push(Group { owner: name.clone(), changes }),
            Standing::Foreign(why) => {
                plan.conflicts.insert(name.clone(), why);
                // Its other record must not go on leading to a pair that may be gone.
                if let Standing::Differs(changes) = compare(settings, domain, zone, name, None) {
                    plan.groups.push(Group { owner: name.clone(), changes });
                }
            }
            Standing::AsWanted => {}
        }
    }
    others(settings, domain, &wanted.keys().cloned().collect(), None, zone, &mut plan);
    plan
}

fn service(
    settings: &Settings,
    record: &ServiceRecord,
    want: Option<&Wanted>,
    zone: &Zone,
    now: Timestamp,
    plan: &mut Plan,
) {
    let name = &record.name;
    let mut memory = record.dns.clone();
    let (want, changes) = match compare(settings, &settings.domain, zone, name, want) {
        // A name that is somebody else's has no record of ours in it any more; name servers may have one still.
        Standing::Foreign(why) => {
            plan.conflicts.insert(name.clone(), why);
            (None, None)
        }
        Standing::AsWanted => (want, None),
        Standing::Differs(changes) => (want, Some(changes)),
    };
    let address = want.map(|want| want.address.clone());
    let pair = want.map(|want| want.pair).or(record.last_pair).unwrap_or_default();
    let intended = |memory: &mut DnsMemory| {
        memory.pending = Some(DnsChange {
            address: address.clone(),
            pair,
            intended_at: now,
            change_id: None,
            seen: false,
        });
        memory.withdrawn_at = (address.is_none() && planted!(BelievesWithdrawal)).then_some(now);
    };
    // An address is given again: what is remembered for another pair says nothing of this one's record.
    let is_own = |known: PairId| address.is_none() || known == pair;
    let pending = memory.pending.clone().filter(|pending| pending.address == address && is_own(pending.pair));
    let stands = memory.published == address && memory.published_pair.is_none_or(is_own);
    match (pending, changes) {
        // Accepted, on its way to the name servers.
        (Some(DnsChange { change_id: Some(id), .. }), None) => {
            if is_repair(&memory) {
                see(&mut memory, now);
            }
            plan.polls.entry(id).or_default().push(name.clone());
        }
        // Made, but the answer was lost: no id to ask with.
        (Some(pending), None) => {
            // Its call may have been under way for long: name servers can have had it since now.
            see(&mut memory, now);
            let waited = if pending.seen { since(now, pending.intended_at) } else { Duration::ZERO };
            if waited >= PROPAGATES_IN {
                settled(&mut memory, now);
            } else {
                sooner(&mut plan.requeue, PROPAGATES_IN.saturating_sub(waited));
            }
        }
        (None, None) => match &address {
            // It was asked for before, and that was replaced by a change that was not made: whether name servers have it yet
            // nobody can be asked any more.
            Some(_) if memory.published != address => {
                intended(&mut memory);
                memory.pending.iter_mut().for_each(|pending| pending.seen = true);
                sooner(&mut plan.requeue, PROPAGATES_IN);
            }
            // The change before was replaced by one that asks for what already stands there.
            Some(_) if !stands || memory.pending.is_some() => {
                memory = DnsMemory {
                    published: address.clone(),
                    published_pair: Some(pair),
                    published_at: Some(now),
                    ..anew(&memory)
                };
            }
            // Somebody took it out, or its withdrawal was forgotten: when is not known. One that was intended may have stood
            // as well, or come yet: perhaps its call was made and not answered.
            None if memory.withdrawn_at.is_none()
                && (memory.published.is_some() || memory.pending.is_some()) =>
            {
                intended(&mut memory);
                memory.pending.iter_mut().for_each(|pending| pending.seen = true);
                sooner(&mut plan.requeue, PROPAGATES_IN);
            }
            None if memory.withdrawn_at.is_none() => {
                memory = DnsMemory { withdrawn_at: Some(now), ..anew(&memory) };
            }
            _ => {}
        },
        // What is not seen may be over, and its address somebody else's.
        (_, Some(_)) if want.is_some_and(|want| !want.seen) => {}
        // The record that the TXT claims may be made yet, or stand and not be seen: without it, it would be nobody's.
        (_, Some(changes))
            if address.is_none() && takes_the_claim_alone(&changes) && may_stand(&memory, now) =>
        {
            sooner(&mut plan.requeue, SHOWN_WITHIN);
        }
        (pending, Some(changes)) => {
            let undone = match &pending {
                None => stands,
                Some(pending) => pending.change_id.is_some() || pending.seen,
            };
            // What says whose it is stands as it was: its record was taken out, whoever's stood there meanwhile.
            let undone = undone || leaves_the_claim(&changes);
            if undone && address.is_some() {
                if let Some(again) = not_before(&memory, now) {
                    let why = format!(
                        "somebody takes its record out again and again; it is put back at {again:.0}"
                    );
                    plan.conflicts.insert(name.clone(), why);
                    return sooner(&mut plan.requeue, since(again, now));
                }
                memory.repaired_at = Some(now);
            }
            if pending.is_none() {
                intended(&mut memory);
            } else if let Some(pending) = memory.pending.as_mut() {
                // Somebody undid it, or it never happened: the id says nothing any more.
                pending.change_id = None;
                pending.seen = false;
                // It is made once more: without an answer, its time counts from here.
                if since(now, pending.intended_at) >= DATED_EVERY {
                    date(&mut memory, now);
                }
            }
            plan.groups.push(Group { owner: name.clone(), changes });
        }
    }
    if memory != record.dns {
        plan.memories.insert(name.clone(), memory);
    }
}

/// Whether the claim is after these changes what it was before them.
fn leaves_the_claim(changes: &[Change]) -> bool {
    changes.iter().filter(|change| change.set().kind == "TXT").all(|change| {
        let set = change.set().clone();
        changes.contains(&Change::Delete(set.clone())) && changes.contains(&Change::Create(set))
    })
}

fn takes_the_claim_alone(changes: &[Change]) -> bool {
    changes.iter().all(|change| change.set().kind == "TXT")
}

/// Whether a record that a reading does not show may stand, or come: it was to be made lately.
fn may_stand(memory: &DnsMemory, now: Timestamp) -> bool {
    let lately = |at: Timestamp| since(now, at) < SHOWN_WITHIN;
    let made = |pending: &DnsChange| pending.address.is_some() && lately(pending.intended_at);
    memory.pending.as_ref().is_some_and(made) || memory.published_at.is_some_and(lately)
}

fn sooner(requeue: &mut Option<Duration>, rest: Duration) {
    *requeue = Some(requeue.map_or(rest, |other| other.min(rest)));
}

/// Whether nothing is to be done for a name that is to have no record, if the zone has none.
pub(crate) fn is_settled_without(memory: &DnsMemory) -> bool {
    memory.withdrawn_at.is_some() && memory.pending.is_none()
}

/// What outlives every change of a record.
fn anew(memory: &DnsMemory) -> DnsMemory {
    DnsMemory { repaired_at: memory.repaired_at, ..DnsMemory::default() }
}

/// The pending change counts from now; and so does what it puts back, if it does.
fn date(memory: &mut DnsMemory, now: Timestamp) {
    if is_repair(memory) {
        memory.repaired_at = Some(now);
    }
    memory.pending.iter_mut().for_each(|pending| pending.intended_at = now);
}

/// It is seen in the zone; the first time it counts from then.
fn see(memory: &mut DnsMemory, now: Timestamp) {
    if memory.pending.as_ref().is_some_and(|pending| !pending.seen) {
        date(memory, now);
    }
    memory.pending.iter_mut().for_each(|pending| pending.seen = true);
}

/// Whether the pending change puts back what somebody took out.
fn is_repair(memory: &DnsMemory) -> bool {
    memory.pending.as_ref().is_some_and(|pending| memory.repaired_at >= Some(pending.intended_at))
}

/// The change that was planned then was certainly not made: if it was to put a record back, that is still to be done.
pub fn not_made(memory: &mut DnsMemory, planned_at: Timestamp) {
    memory.repaired_at = memory.repaired_at.filter(|at| *at != planned_at);
}

/// When a record may be put back that was put back before; `None`: now.
fn not_before(memory: &DnsMemory, now: Timestamp) -> Option<Timestamp> {
    let again = later(memory.repaired_at?, REPAIR_EVERY);
    (now < again && !planted!(FightsOutsiders)).then_some(again)
}

/// The wildcard, and what is ours in the zone and belongs to nobody any more.
fn others(
    settings: &Settings,
    domain: &str,
    known: &BTreeSet<String>,
    wildcard: Option<&Wanted>,
    zone: &Zone,
    plan: &mut Plan,
) {
    let mut owners: BTreeSet<String> = owner::owners(settings, domain, zone).collect();
    owners.extend(wildcard.map(|_| WILDCARD.to_owned()));
    for name in owners.difference(known) {
        if planted!(LeavesZone) && name != WILDCARD {
            continue;
        }
        let want = wildcard.filter(|_| name == WILDCARD);
        match compare(settings, domain, zone, name, want) {
            Standing::Differs(changes) => plan.groups.push(Group { owner: name.clone(), changes }),
            Standing::Foreign(why) => {
                plan.conflicts.insert(name.clone(), why);
            }
            Standing::AsWanted => {}
        }
    }
}

/// The pending change has reached every name server.
pub fn settled(memory: &mut DnsMemory, now: Timestamp) {
    let Some(done) = memory.pending.take() else { return };
    memory.withdrawn_at = done.address.is_none().then_some(now);
    memory.published_at = done.address.is_some().then_some(now);
    memory.published_pair = done.address.is_some().then_some(done.pair);
    memory.published = done.address;
}

/// Route 53 accepted the pending change under `id`.
pub fn accepted(memory: &mut DnsMemory, id: &str) {
    if let Some(pending) = &mut memory.pending {
        pending.change_id = Some(id.to_owned());
    }
}

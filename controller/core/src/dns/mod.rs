//! Wanted records against a zone: compare and swap, never upsert, and nothing that is not ours.
//!
//! # Layout
//!
//! - [`zone`]: a zone's record sets by name and type, and the changes of a batch
//! - [`owner`]: the TXT that says whose a record is and what it was given
//! - [`compare`]: one owner's wanted records against the zone
//! - [`wanted`]: which records a service is to have
//! - `record`: one service's record, from what is wanted to what every name server answers
//! - [`memory`]: what is remembered of it: what was asked for, what stands, since when
//! - [`restored`]: what is put back where no row remembers it
//! - [`withdrawal`]: an address that is taken out of the wildcard
//! - [`batch`]: changes of many owners in as few calls as Route 53 allows

pub mod batch;
pub mod compare;
pub mod memory;
pub mod owner;
mod record;
pub mod restored;
#[cfg(test)]
mod tests;
pub mod wanted;
pub mod withdrawal;
pub mod zone;

pub use compare::{Standing, compare};
pub(crate) use memory::is_settled_without;
pub use memory::{accepted, not_made, settled};
pub use wanted::Wanted;
pub use zone::{Change, Zone};

use crate::settings::Settings;
use dormouse_state::{DnsMemory, ServiceRecord, planted};
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

impl Plan {
    fn sooner(&mut self, rest: Duration) {
        self.requeue = Some(self.requeue.map_or(rest, |other| other.min(rest)));
    }
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
            record::plan(settings, record, want, zone, now, &mut plan);
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

//! The hosted zone with strict atomic batches, its name servers that follow later, and resolvers with caches.

use super::history::History;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::queue::Event;
use crate::sim::Sim;
use dormouse_aws::ports::ChangeAnswer;
use dormouse_core::dns::Change;
use dormouse_core::observed::RecordSet;
use std::collections::{BTreeMap, BTreeSet};

/// Name and type of a record set.
pub type SetKey = (String, String);
type Sets = BTreeMap<SetKey, RecordSet>;

/// A change on its way to the name servers.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its id.
    pub id: String,
    made_at: Ms,
    changes: Vec<Change>,
}

/// Which zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of the domain, which users ask.
    Public,
    /// The one inside the VPC.
    Private,
}

/// A zone.
#[derive(Debug, Default)]
pub struct SimZone {
    /// What the API holds.
    pub sets: Sets,
    /// What every name server has.
    pub served: Sets,
    /// Changes on their way, oldest first.
    pub pending: Vec<Pending>,
    /// Changes that have arrived.
    pub arrived: BTreeSet<String>,
    /// Sets that a controller of ours made and nobody changed since.
    pub ours: BTreeSet<SetKey>,
    /// When a name was last answered with an address by some name server: (name, address) → then.
    pub last_served: BTreeMap<(String, String), Ms>,
    /// The last change that took an address out of a name and has arrived: (name, address) → when it was made, its id.
    taken_out: BTreeMap<(String, String), (Ms, String)>,
    busy_until: Ms,
    /// Changes that were asked about, and until when the slow ones of them take.
    pub asked: BTreeMap<String, Ms>,
    caches: BTreeMap<(u64, String), (Option<String>, Ms)>,
    history: History<Vec<RecordSet>>,
}

fn key(set: &RecordSet) -> SetKey {
    (set.name.clone(), set.kind.clone())
}

/// What Route 53 takes in one batch.
///
/// Source: Amazon Route 53 Developer Guide, "Quotas".
fn is_too_large(changes: &[Change]) -> Option<String> {
    let values = changes.iter().flat_map(|change| &change.set().values);
    let (count, size) = values.fold((0, 0), |(count, size), value| (count + 1, size + value.len()));
    (count > 1_000 || size > 32_000).then(|| format!("a batch of {count} elements and {size} characters"))
}

fn apply(sets: &mut Sets, changes: &[Change]) -> Result<(), String> {
    for change in changes {
        match change {
            Change::Create(set) => {
                if sets.contains_key(&key(set)) {
                    return Err(format!("{} {} exists", set.kind, set.name));
                }
                sets.insert(key(set), set.clone());
            }
            Change::Delete(set) => {
                if sets.get(&key(set)) != Some(set) {
                    return Err(format!("{} {} is not that", set.kind, set.name));
                }
                sets.remove(&key(set));
            }
        }
    }
    Ok(())
}

impl Sim {
    /// The zone of an id.
    pub fn which(&self, id: &str) -> Which {
        let private = self.settings.private_zone.as_ref().is_some_and(|zone| zone.id == id);
        if private { Which::Private } else { Which::Public }
    }

    fn zone(&mut self, which: Which) -> &mut SimZone {
        match which {
            Which::Public => &mut self.truth.zone,
            Which::Private => &mut self.truth.private_zone,
        }
    }

    /// ChangeResourceRecordSets: all of it or nothing.
    pub fn change_zone(&mut self, which: Which, changes: &[Change], ours: bool) -> ChangeAnswer {
        let now = self.now;
        if ours && now < self.zone(which).busy_until {
            self.trace.note(self.now, format_args!("the zone is busy"));
            return ChangeAnswer::Busy;
        }
        let mut next = self.zone(which).sets.clone();
        // AWS applies a batch's deletions before its creations.
        let mut ordered: Vec<Change> = changes.to_vec();
        ordered.sort_by_key(|change| matches!(change, Change::Create(_)));
        let refused = |change: &&Change| {
            let label = change.set().name.split('.').next();
            label.is_some_and(|label| self.truth.poisoned.contains(label))
        };
        if let Some(poisoned) = ordered.iter().find(refused).filter(|_| ours) {
            return ChangeAnswer::Refused(vec![format!("{} is poisoned", poisoned.set().name)]);
        }
        if let Some(why) = is_too_large(changes).filter(|_| ours) {
            self.violate("S14", why.clone());
            return ChangeAnswer::Refused(vec![why]);
        }
        if let Err(why) = apply(&mut next, &ordered) {
            self.trace.note(self.now, format_args!("batch refused: {why}"));
            return ChangeAnswer::Refused(vec![why]);
        }
        if ours && which == Which::Public {
            crate::check::before_batch(self, &ordered);
        }
        for change in &ordered {
            let (set, verb) = match change {
                Change::Create(set) => (set, "create"),
                Change::Delete(set) => (set, "delete"),
            };
            let who = if ours { "we" } else { "others" };
            self.trace.note(
                self.now,
                format_args!("{who} {verb} {} {} {}", set.kind, set.name, set.values.join(" ")),
            );
            if which == Which::Private && ours {
                self.before_private_record(change);
            }
            if which == Which::Public
                && !ours
                && matches!(change, Change::Delete(_))
                && self.truth.zone.ours.contains(&key(set))
            {
                crate::check::removed_by_others(self, set);
            }
            match (change, ours) {
                (Change::Create(set), true) => self.zone(which).ours.insert(key(set)),
                (Change::Create(set) | Change::Delete(set), _) => self.zone(which).ours.remove(&key(set)),
            };
        }
        let id = format!("change-{}", self.truth.number());
        let zone = self.zone(which);
        zone.sets = next;
        zone.pending.push(Pending { id: id.clone(), made_at: now, changes: ordered.clone() });
        zone.history.push(now, zone.sets.values().cloned().collect());
        let after = self.span(self.profile.insync);
        self.plan(after, Event::Insync(id.clone()));
        if self.rng.chance(self.profile.busy) {
            let until = now + self.rng.between(SECOND, 10 * SECOND);
            self.zone(which).busy_until = until;
        }
        if which == Which::Public {
            crate::check::after_zone(self, ours.then_some(&ordered));
        }
        ChangeAnswer::Accepted { change_id: id }
    }

    /// S1 in the private zone: what is not ours is left.
    fn before_private_record(&mut self, change: &Change) {
        let set = change.set();
        if matches!(change, Change::Delete(_)) && !self.truth.private_zone.ours.contains(&key(set)) {
            self.violate("S1", format!("{} {} is deleted and not ours", set.kind, set.name));
        }
    }

    /// Whether a change is on every name server; `None`: there is no such change.
    pub fn is_insync(&mut self, id: &str) -> Option<bool> {
        let zones = [&self.truth.zone, &self.truth.private_zone];
        let known =
            |zone: &SimZone| zone.arrived.contains(id) || zone.pending.iter().any(|pending| pending.id == id);
        let is_known = zones.into_iter().any(known);
        is_known.then(|| self.is_everywhere(id))
    }

    fn is_everywhere(&mut self, id: &str) -> bool {
        if self.truth.zone.arrived.contains(id) || self.truth.private_zone.arrived.contains(id) {
            return true;
        }
        if !self.truth.zone.asked.contains_key(id) {
            let slow = self.profile.insync_slow;
            let until =
                if self.rng.chance(slow) { self.now + self.rng.between(MINUTE, 5 * MINUTE) } else { 0 };
            self.truth.zone.asked.insert(id.to_owned(), until);
        }
        false
    }

    /// Changes that took minutes more do so no longer.
    pub fn hasten_changes(&mut self) {
        let slow = self.truth.zone.asked.iter_mut().filter(|(_, until)| **until > self.now);
        let slow: Vec<String> = slow.map(|(id, until)| (id.clone(), std::mem::take(until)).0).collect();
        slow.into_iter().for_each(|id| self.plan(30 * SECOND, Event::Insync(id)));
    }

    /// A change, and every one before it, is on all name servers now.
    pub fn insync(&mut self, id: &str) {
        let of = |zone: &SimZone| zone.pending.iter().position(|pending| pending.id == id);
        let asked = if self.calm { BTreeMap::new() } else { self.truth.zone.asked.clone() };
        let (zone, position) = match (of(&self.truth.zone), of(&self.truth.private_zone)) {
            (Some(position), _) => (&mut self.truth.zone, position),
            (None, Some(position)) => (&mut self.truth.private_zone, position),
            (None, None) => return,
        };
        // They arrive in order. One that nobody asks about takes no longer than AWS says, and what is before it neither.
        let begun = zone.pending.iter().take(position + 1);
        let slow = begun.filter_map(|pending| asked.get(&pending.id)).copied().max().unwrap_or(0);
        let slow = if asked.contains_key(id) { slow } else { 0 };
        if slow > self.now {
            return self.plan(slow - self.now, Event::Insync(id.to_owned()));
        }
        for pending in zone.pending.drain(..=position) {
            for change in &pending.changes {
                if let (Change::Delete(set), "A") = (change, change.set().kind.as_str()) {
                    for address in &set.values {
                        let record = (set.name.clone(), address.clone());
                        zone.taken_out.insert(record.clone(), (pending.made_at, pending.id.clone()));
                        zone.last_served.insert(record, self.now);
                    }
                }
                // What was accepted once is applied as it is.
                let _ = apply(&mut zone.served, std::slice::from_ref(change));
            }
            zone.arrived.insert(pending.id);
        }
        self.trace.note(self.now, format_args!("{id} is INSYNC"));
        crate::check::after_zone(self, None);
    }

    /// ListResourceRecordSets, as of a while ago.
    pub fn list_zone(&mut self, which: Which) -> Vec<RecordSet> {
        let at = self.now - self.lag(self.profile.zone_lag).min(self.now);
        let (now, zone) = (self.now, self.zone(which));
        if at == now {
            return zone.sets.values().cloned().collect();
        }
        zone.history.at(at).cloned().unwrap_or_default()
    }

    /// Asks a resolver for a name's address, cached or from a name server that may or may not have the newest.
    pub fn resolve(&mut self, resolver: u64, name: &str) -> Option<String> {
        let cached = (resolver, name.to_owned());
        let known = self.truth.zone.caches.get(&cached);
        if let Some((address, _)) = known.filter(|(_, until)| self.now < *until) {
            return address.clone();
        }
        let newest = self.rng.chance(500);
        let zone = &self.truth.zone;
        let (address, ttl) =
            lookup(if newest { &zone.sets } else { &zone.served }, name, &self.settings.domain);
        self.truth.zone.caches.insert(cached, (address.clone(), self.now + ttl));
        address
    }

    /// Whether a name server may still answer a name with an address, and if not, since when.
    pub fn withdrawn_since(&self, name: &str, address: &str) -> Option<Ms> {
        let zone = &self.truth.zone;
        let has = |sets: &Sets| {
            sets.get(&(name.to_owned(), "A".to_owned()))
                .is_some_and(|set| set.values.iter().any(|value| value == address))
        };
        if has(&zone.sets) || has(&zone.served) {
            return None;
        }
        // A change between the two may have it too.
        let on_its_way = zone.pending.iter().flat_map(|pending| &pending.changes);
        if on_its_way
            .filter(|change| change.set().name == name)
            .any(|change| change.set().values.iter().any(|value| value == address))
        {
            return None;
        }
        Some(zone.last_served.get(&(name.to_owned(), address.to_owned())).copied().unwrap_or(0))
    }

    /// When a record was taken out last, and by which change; `None`: it never was, or it stands.
    pub fn taken_out_at(&self, name: &str, address: &str) -> Option<(Ms, String)> {
        let zone = &self.truth.zone;
        let is_it = |set: &RecordSet| set.name == name && set.values.iter().any(|value| value == address);
        if zone.sets.get(&(name.to_owned(), "A".to_owned())).is_some_and(is_it) {
            return None;
        }
        let deletes = |change: &Change| matches!(change, Change::Delete(set) if is_it(set));
        let last = zone.pending.iter().rev().find(|pending| pending.changes.iter().any(deletes));
        let on_its_way = last.map(|pending| (pending.made_at, pending.id.clone()));
        on_its_way.or_else(|| zone.taken_out.get(&(name.to_owned(), address.to_owned())).cloned())
    }

    /// An operator's change of a name: puts a record of theirs there, or takes it away.
    pub fn operator_record(&mut self, which: Which, name: &str, address: Option<&str>) {
        let at = (name.to_owned(), "A".to_owned());
        if self.truth.strangers.sets(which).contains_key(&at) {
            // An operator knows that it is somebody's.
            return;
        }
        let mut changes: Vec<Change> =
            self.zone(which).sets.get(&at).cloned().map(Change::Delete).into_iter().collect();
        if let Some(address) = address {
            changes.push(Change::Create(RecordSet {
                name: name.to_owned(),
                kind: "A".to_owned(),
                ttl: Some(60),
                values: vec![address.to_owned()],
                special: false,
            }));
        }
        if !changes.is_empty() {
            self.change_zone(which, &changes, false);
        }
    }
}

/// The address that a zone answers a name with, and for how long that may be kept.
pub fn lookup(sets: &Sets, name: &str, domain: &str) -> (Option<String>, Ms) {
    let exact = |name: &str| sets.get(&(name.to_owned(), "A".to_owned()));
    // The empty type stands before every other.
    let exists = || {
        let first = sets.range((name.to_owned(), String::new())..).next();
        first.is_some_and(|((known, _), _)| known == name)
    };
    let found = exact(name).or_else(|| if exists() { None } else { exact(&format!("*.{domain}")) });
    match found {
        Some(set) => (set.values.first().cloned(), set.ttl.unwrap_or(60) * SECOND),
        None => (None, 10 * SECOND),
    }
}

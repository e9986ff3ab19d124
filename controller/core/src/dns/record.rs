//! One service's record, from what is wanted to what every name server answers.

use super::memory::{self, DATED_EVERY, SHOWN_WITHIN, is_repair, may_stand, see};
use super::{Change, Group, PROPAGATES_IN, Plan, Standing, Wanted, Zone, compare};
use crate::intent::since;
use crate::settings::Settings;
use dormouse_state::{DnsChange, DnsMemory, PairId, ServiceRecord, planted};
use jiff::Timestamp;
use std::time::Duration;

pub(super) fn plan(
    settings: &Settings,
    record: &ServiceRecord,
    want: Option<&Wanted>,
    zone: &Zone,
    now: Timestamp,
    plan: &mut Plan,
) {
    let name = &record.name;
    let (want, changes) = match compare(settings, &settings.domain, zone, name, want) {
        // A name that is somebody else's has no record of ours in it any more; name servers may have one still.
        Standing::Foreign(why) => {
            plan.conflicts.insert(name.clone(), why);
            (None, None)
        }
        Standing::AsWanted => (want, None),
        Standing::Differs(changes) => (want, Some(changes)),
    };
    let mut own = Own {
        name,
        address: want.map(|want| want.address.clone()),
        pair: want.map(|want| want.pair).or(record.last_pair).unwrap_or_default(),
        now,
        memory: record.dns.clone(),
    };
    match changes {
        None => own.follow(plan),
        // What is not seen may be over, and its address somebody else's.
        Some(_) if want.is_some_and(|want| !want.seen) => {}
        Some(changes) => own.change(changes, plan),
    }
    if own.memory != record.dns {
        plan.memories.insert(name.clone(), own.memory);
    }
}

/// A service's record as it is wanted, and what is remembered of it.
struct Own<'a> {
    name: &'a str,
    /// What it is to lead to; `None`: there is to be none.
    address: Option<String>,
    /// For whom.
    pair: PairId,
    now: Timestamp,
    memory: DnsMemory,
}

impl Own<'_> {
    /// An address is given again: what is remembered for another pair says nothing of this one's record.
    fn is_own(&self, known: PairId) -> bool {
        self.address.is_none() || known == self.pair
    }

    /// The change that is under way, if it is the one that is wanted.
    fn pending(&self) -> Option<DnsChange> {
        let wanted = |pending: &DnsChange| pending.address == self.address && self.is_own(pending.pair);
        self.memory.pending.clone().filter(wanted)
    }

    /// Whether name servers are known to answer as is wanted.
    fn stands(&self) -> bool {
        self.memory.published == self.address
            && self.memory.published_pair.is_none_or(|pair| self.is_own(pair))
    }

    fn intend(&mut self, seen: bool) {
        self.memory.pending = Some(DnsChange {
            address: self.address.clone(),
            pair: self.pair,
            intended_at: self.now,
            change_id: None,
            seen,
        });
        let believed = self.address.is_none() && planted!(BelievesWithdrawal);
        self.memory.withdrawn_at = believed.then_some(self.now);
    }

    /// The zone is as is wanted: since when name servers are.
    fn follow(&mut self, plan: &mut Plan) {
        match self.pending() {
            // Accepted, on its way to the name servers.
            Some(DnsChange { change_id: Some(id), .. }) => {
                if is_repair(&self.memory) {
                    see(&mut self.memory, self.now);
                }
                plan.polls.entry(id).or_default().push(self.name.to_owned());
            }
            // Made, but the answer was lost: no id to ask with.
            Some(pending) => {
                // Its call may have been under way for long: name servers can have had it since now.
                see(&mut self.memory, self.now);
                let waited = if pending.seen { since(self.now, pending.intended_at) } else { Duration::ZERO };
                if waited >= PROPAGATES_IN {
                    memory::settled(&mut self.memory, self.now);
                } else {
                    plan.sooner(PROPAGATES_IN.saturating_sub(waited));
                }
            }
            None => self.find_out(plan),
        }
    }

    /// The same, where no change that is remembered has made it so.
    fn find_out(&mut self, plan: &mut Plan) {
        let changed = self.memory.published.is_some() || self.memory.pending.is_some();
        match &self.address {
            // It was asked for before, and that was replaced by a change that was not made: whether name servers have it
            // yet nobody can be asked any more.
            Some(_) if self.memory.published != self.address => {
                self.intend(true);
                plan.sooner(PROPAGATES_IN);
            }
            // The change before was replaced by one that asks for what already stands there.
            Some(address) if !self.stands() || self.memory.pending.is_some() => {
                self.memory = DnsMemory {
                    published: Some(address.clone()),
                    published_pair: Some(self.pair),
                    published_at: Some(self.now),
                    ..memory::anew(&self.memory)
                };
            }
            // Somebody took it out, or its withdrawal was forgotten: when is not known. One that was intended may have
            // stood as well, or come yet: perhaps its call was made and not answered.
            None if self.memory.withdrawn_at.is_none() && changed => {
                self.intend(true);
                plan.sooner(PROPAGATES_IN);
            }
            None if self.memory.withdrawn_at.is_none() => {
                self.memory = DnsMemory { withdrawn_at: Some(self.now), ..memory::anew(&self.memory) };
            }
            _ => {}
        }
    }

    /// The zone is to be changed: that is intended first, and what somebody undid is not put back too often.
    fn change(&mut self, changes: Vec<Change>, plan: &mut Plan) {
        // The record that the TXT claims may be made yet, or stand and not be seen: without it, it would be nobody's.
        if self.address.is_none() && takes_the_claim_alone(&changes) && may_stand(&self.memory, self.now) {
            return plan.sooner(SHOWN_WITHIN);
        }
        let pending = self.pending();
        let undone = match &pending {
            None => self.stands(),
            Some(pending) => pending.change_id.is_some() || pending.seen,
        };
        // What says whose it is stands as it was: its record was taken out, whoever's stood there meanwhile.
        let undone = undone || leaves_the_claim(&changes);
        if undone && self.address.is_some() {
            if let Some(again) = memory::not_before(&self.memory, self.now) {
                let why =
                    format!("somebody takes its record out again and again; it is put back at {again:.0}");
                plan.conflicts.insert(self.name.to_owned(), why);
                return plan.sooner(since(again, self.now));
            }
            self.memory.repaired_at = Some(self.now);
        }
        if pending.is_none() {
            self.intend(false);
        } else if let Some(pending) = self.memory.pending.as_mut() {
            // Somebody undid it, or it never happened: the id says nothing any more.
            pending.change_id = None;
            pending.seen = false;
            // It is made once more: without an answer, its time counts from here.
            if since(self.now, pending.intended_at) >= DATED_EVERY {
                memory::date(&mut self.memory, self.now);
            }
        }
        plan.groups.push(Group { owner: self.name.to_owned(), changes });
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

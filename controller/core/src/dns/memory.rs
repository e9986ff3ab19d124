//! What is remembered of a service's record: which change is under way, what stands, and since when name servers know.

use crate::intent::{later, since};
use dormouse_state::{DnsChange, DnsMemory, planted};
use jiff::Timestamp;
use std::time::Duration;

/// What was made so long ago is shown by every reading, and a call of then is made or never will be.
pub(super) const SHOWN_WITHIN: Duration = Duration::from_secs(60);

/// A change that is tried again and again is dated anew this often: each date is a write.
pub(super) const DATED_EVERY: Duration = Duration::from_secs(5);

/// What somebody takes out is put back, and no more often than this: two that are at odds do not fight.
pub(super) const REPAIR_EVERY: Duration = Duration::from_secs(300);

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

/// The pending change counts from now; and so does what it puts back, if it does.
pub(super) fn date(memory: &mut DnsMemory, now: Timestamp) {
    if is_repair(memory) {
        memory.repaired_at = Some(now);
    }
    memory.pending.iter_mut().for_each(|pending| pending.intended_at = now);
}

/// It is seen in the zone; the first time it counts from then.
pub(super) fn see(memory: &mut DnsMemory, now: Timestamp) {
    if memory.pending.as_ref().is_some_and(|pending| !pending.seen) {
        date(memory, now);
    }
    memory.pending.iter_mut().for_each(|pending| pending.seen = true);
}

/// Whether the pending change puts back what somebody took out.
pub(super) fn is_repair(memory: &DnsMemory) -> bool {
    memory.pending.as_ref().is_some_and(|pending| memory.repaired_at >= Some(pending.intended_at))
}

/// The change that was planned then was certainly not made: if it was to put a record back, that is still to be done.
pub fn not_made(memory: &mut DnsMemory, planned_at: Timestamp) {
    memory.repaired_at = memory.repaired_at.filter(|at| *at != planned_at);
}

/// When a record may be put back that was put back before; `None`: now.
pub(super) fn not_before(memory: &DnsMemory, now: Timestamp) -> Option<Timestamp> {
    let again = later(memory.repaired_at?, REPAIR_EVERY);
    (now < again && !planted!(FightsOutsiders)).then_some(again)
}

/// Whether nothing is to be done for a name that is to have no record, if the zone has none.
pub(crate) fn is_settled_without(memory: &DnsMemory) -> bool {
    memory.withdrawn_at.is_some() && memory.pending.is_none()
}

/// What outlives every change of a record.
pub(super) fn anew(memory: &DnsMemory) -> DnsMemory {
    DnsMemory { repaired_at: memory.repaired_at, ..DnsMemory::default() }
}

/// Whether a record that a reading does not show may stand, or come: it was to be made lately.
pub(super) fn may_stand(memory: &DnsMemory, now: Timestamp) -> bool {
    let lately = |at: Timestamp| since(now, at) < SHOWN_WITHIN;
    let made = |pending: &DnsChange| pending.address.is_some() && lately(pending.intended_at);
    memory.pending.as_ref().is_some_and(made) || memory.published_at.is_some_and(lately)
}

//! What is remembered of a step once it was taken. Each function is applied to the newest record, which may
//! have moved on since the plan.

use super::definitions::of_mut;
use super::pools::NO_CAPACITY;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{PairId, ServiceRecord, TaskEnd, TaskIntent};
use jiff::Timestamp;

/// A task definition was registered.
pub fn registered(record: &mut ServiceRecord, role: Role, hash: &str, arn: &str) {
    // A registration that is answered with a revision from before makes it wanted again.
    record.definitions.retired.retain(|retired| retired != arn);
    match of_mut(&mut record.definitions, role) {
        Some(known) if known.hash == hash => known.arn = Some(arn.to_owned()),
        // The manifest changed meanwhile.
        _ => record.definitions.retired.push(arn.to_owned()),
    }
}

/// A revision was deregistered.
pub fn deregistered(record: &mut ServiceRecord, arn: &str) {
    record.definitions.retired.retain(|known| known != arn);
}

/// RunTask with a revision was refused. Perhaps that one is not ACTIVE any more: it is asked for again, and a pair that
/// was to have it is made anew with what comes of that.
pub fn doubted(record: &mut ServiceRecord, role: Role, arn: &str) {
    let known = of_mut(&mut record.definitions, role).as_mut();
    let doubted = known.filter(|known| known.arn.as_deref() == Some(arn)).and_then(|known| known.arn.take());
    record.definitions.retired.extend(doubted);
}

/// RunTask answered with a task.
pub fn started(record: &mut ServiceRecord, identity: &Identity, arn: &str, now: Timestamp) {
    if let Some(intent) = intent_of(record, identity) {
        intent.task_arn = Some(arn.to_owned());
        intent.started_at.get_or_insert(now);
    }
}

/// The client token cannot be used any more: the intent ends without a task.
pub fn burnt(record: &mut ServiceRecord, identity: &Identity, why: &str, now: Timestamp) {
    if let Some(intent) = intent_of(record, identity) {
        intent.end.get_or_insert(TaskEnd {
            at: now,
            code: "TokenConflict".into(),
            reason: why.to_owned(),
            clean: false,
        });
    }
}

/// RunTask found no capacity in the pool that was intended: the intent ends without a task, and the next one may be for
/// another pool.
pub fn unplaced(record: &mut ServiceRecord, identity: &Identity, why: &str, now: Timestamp) {
    if let Some(intent) = intent_of(record, identity) {
        let end = TaskEnd { at: now, code: NO_CAPACITY.into(), reason: why.to_owned(), clean: false };
        intent.end.get_or_insert(end);
    }
}

fn intent_of<'a>(record: &'a mut ServiceRecord, identity: &Identity) -> Option<&'a mut TaskIntent> {
    let id = PairId { epoch: identity.epoch, attempt: identity.attempt };
    record.pairs_mut().find(|pair| pair.id == id).map(|pair| pair.task_mut(identity.role))
}

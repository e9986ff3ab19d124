//! Changes of many owners in as few calls as Route 53 allows.
//!
//! Source: Amazon Route 53 Developer Guide, "Quotas": 1,000 elements and 32,000 characters a request.

use super::Group;
use crate::intent::{later, since};
use crate::lifecycle::{Refusal, backoff};
use jiff::Timestamp;
use std::time::Duration;

const MAX_ELEMENTS: usize = 1000;
const MAX_CHARACTERS: usize = 32_000;

/// Splits groups into batches, never a group in two.
pub fn batches(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut batches: Vec<Vec<Group>> = Vec::new();
    let (mut elements, mut characters) = (0, 0);
    for group in groups {
        let values = group.changes.iter().flat_map(|change| &change.set().values);
        let (count, size) = values.fold((0, 0), |(count, size), value| (count + 1, size + value.len()));
        let full = elements + count > MAX_ELEMENTS || characters + size > MAX_CHARACTERS;
        match batches.last_mut() {
            Some(batch) if !full => {
                batch.push(group);
                elements += count;
                characters += size;
            }
            _ => {
                batches.push(vec![group]);
                (elements, characters) = (count, size);
            }
        }
    }
    batches
}

/// The halves of a refused batch: the poisoned group is found in as many steps as its size has bits.
pub fn halves(mut batch: Vec<Group>) -> Option<(Vec<Group>, Vec<Group>)> {
    if batch.len() < 2 {
        return None;
    }
    let second = batch.split_off(batch.len() / 2);
    Some((batch, second))
}

/// Sets apart the groups of owners that were refused when they were last asked for: each is asked for on its own, after
/// the others, and ever less often. A batch with one of them costs calls that others wait for. Answers what is left,
/// what is to be tried alone, and when the next is due.
pub fn set_apart<'a>(
    groups: Vec<Group>,
    refusal: impl Fn(&str) -> Option<&'a Refusal>,
    now: Timestamp,
) -> (Vec<Group>, Vec<Group>, Option<Duration>) {
    let (refused, others): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|group| refusal(&group.owner).is_some());
    let due_at = |group: &Group| refusal(&group.owner).map_or(now, try_at);
    let (due, waiting): (Vec<Group>, Vec<Group>) =
        refused.into_iter().partition(|group| due_at(group) <= now);
    let next = waiting.iter().map(due_at).min().map(|at| since(at, now));
    (others, due, next)
}

/// After the first refusal the zone was read anew, and tells more: at once. Then after 5 s, 10 s … 300 s.
fn try_at(refusal: &Refusal) -> Timestamp {
    match refusal.tries {
        ..=1 => refusal.at,
        tries => later(refusal.at, backoff(tries - 2)),
    }
}

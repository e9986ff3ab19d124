//! Changes of many owners in as few calls as Route 53 allows.
//!
//! Source: Amazon Route 53 Developer Guide, "Quotas": 1,000 elements and 32,000 characters a request.

use super::Group;

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

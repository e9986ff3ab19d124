//! Many owners' changes in few calls.

use super::*;
use crate::dns::batch::{batches, halves, set_apart};
use crate::intent::later;
use crate::lifecycle::Refusal;
use std::time::Duration;

fn group(n: usize, values: usize, size: usize) -> Group {
    let set = RecordSet {
        name: format!("s{n}"),
        kind: "A".into(),
        ttl: Some(10),
        values: vec!["x".repeat(size); values],
        special: false,
    };
    Group { owner: format!("s{n}"), changes: vec![Change::Create(set)] }
}

#[test]
fn nothing_is_no_batch() {
    assert_eq!(batches(vec![]), Vec::<Vec<Group>>::new());
}

#[test]
fn elements_and_characters_are_limited_and_no_group_is_split() {
    for (values, size, most) in [(3, 10, 333), (1, 100, 320), (1000, 1, 1), (1, 32_000, 1)] {
        let groups: Vec<Group> = (0..700).map(|n| group(n, values, size)).collect();
        let batches = batches(groups.clone());
        assert_eq!(batches[0].len(), most);
        for batch in &batches {
            let all = batch.iter().flat_map(|group| &group.changes).flat_map(|change| &change.set().values);
            let (elements, characters) = all.fold((0, 0), |(n, size), value| (n + 1, size + value.len()));
            assert!(elements <= 1000 && characters <= 32_000);
        }
        assert_eq!(batches.concat(), groups);
    }
}

#[test]
fn a_poisoned_group_is_found_in_as_many_steps_as_its_batch_has_bits() {
    let groups: Vec<Group> = (0..300).map(|n| group(n, 1, 1)).collect();
    for poisoned in [0, 137, 299] {
        let (mut open, mut calls, mut accepted) = (vec![groups.clone()], 0, 0);
        while let Some(batch) = open.pop() {
            calls += 1;
            if batch.iter().all(|group| group.owner != format!("s{poisoned}")) {
                accepted += batch.len();
            } else if let Some((first, second)) = halves(batch) {
                open.extend([first, second]);
            }
        }
        assert_eq!(accepted, 299);
        assert!(calls <= 2 * 9 + 1, "{calls}");
    }
    assert_eq!(halves(vec![group(0, 1, 1)]), None);
}

#[test]
fn who_was_refused_is_asked_for_alone_and_ever_less_often() {
    let at = Scene::asleep().now;
    let groups: Vec<Group> = (0..3).map(|n| group(n, 1, 1)).collect();
    // After so many refusals it waits for so many seconds.
    for (tries, waits) in [(1, 0), (2, 5), (3, 10), (4, 20), (9, 300)] {
        let refusal = Refusal { at, tries, why: "it stands".into() };
        let known = |owner: &str| (owner == "s1").then_some(&refusal);
        let waits = Duration::from_secs(waits);
        if let Some(early) = waits.checked_sub(Duration::from_secs(1)) {
            let (others, alone, next) = set_apart(groups.clone(), known, later(at, early));
            assert_eq!((others.len(), alone.len()), (2, 0));
            assert_eq!(next, Some(Duration::from_secs(1)));
        }
        let (others, alone, next) = set_apart(groups.clone(), known, later(at, waits));
        assert_eq!(others, [groups[0].clone(), groups[2].clone()]);
        assert_eq!((alone, next), (vec![groups[1].clone()], None));
    }
}

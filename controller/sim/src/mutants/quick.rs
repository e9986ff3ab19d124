//! Each fault with what showed it in the last whole run, as the table says: one run for each, seconds in all.
//!
//! What is changed in the product changes runs, so that another seed may be the one that shows a fault now: it is looked
//! for, but not with crashes, which take long. Faults that tests are to find are left to the whole run.

use super::{Fault, Way, beyond, by_tests, shown_by, side_by_side};
use std::sync::Mutex;
use std::sync::PoisonError;

/// Looks for each fault where the table says; answers whether each was found, there or elsewhere.
pub fn main(table: &str, jobs: usize) -> bool {
    let faults: Vec<Fault> = Fault::ALL.iter().filter(|fault| by_tests(fault).is_none()).copied().collect();
    let (moved, missed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let note =
        |list: &Mutex<Vec<String>>, line| list.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    side_by_side(jobs, &faults, |fault| {
        let known = known(table, *fault);
        if known.as_ref().is_some_and(|way| !shown_by(*fault, way).is_empty()) {
            return;
        }
        let seeds = 0..super::SEEDS;
        let found =
            seeds.clone().map(Way::Seed).chain(beyond(&seeds)).find(|way| !shown_by(*fault, way).is_empty());
        match found {
            Some(way) => note(&moved, format!("{fault:?}: by {way} now")),
            None => note(&missed, format!("{fault:?}: {}", fault.what())),
        }
    });
    let [moved, missed] =
        [moved, missed].map(|list| list.into_inner().unwrap_or_else(PoisonError::into_inner));
    let left = Fault::ALL.len() - faults.len();
    println!(
        "{} of {} planted faults found, {} of them not where `make mutants` last found them; {left} are left to tests",
        faults.len() - missed.len(),
        faults.len(),
        moved.len()
    );
    moved.iter().for_each(|line| println!("  {line}"));
    missed.iter().for_each(|line| println!("not found: {line}"));
    missed.is_empty()
}

/// What showed a fault first, as the table has it.
fn known(table: &str, fault: Fault) -> Option<Way> {
    let begin = format!("| `{fault:?}` |");
    let row = table.lines().find(|line| line.starts_with(&begin))?;
    let first = row.trim_end_matches('|').rsplit('|').next()?.trim();
    let name = |kind: &str| Some(first.strip_prefix(kind)?.trim_matches([' ', '`']).to_owned());
    if let Some(seed) = name("seed") {
        return seed.parse().ok().map(Way::Seed);
    }
    name("scenario").map(Way::Scenario).or_else(|| name("crashes in").map(Way::Crashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_as_they_are_written() {
        for way in [Way::Seed(17), Way::Scenario("row-lost".into()), Way::Crashes("row-lost".into())] {
            let table = format!("| fault | … |\n| `NoDrain` | What | S5 | 2 | {way} |\n");
            assert_eq!(known(&table, Fault::NoDrain), Some(way));
            assert_eq!(known(&table, Fault::NoDraining), None);
        }
        assert_eq!(known("| `NoDrain` | What |  | – | **nothing** |", Fault::NoDrain), None);
    }
}

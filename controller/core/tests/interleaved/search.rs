//! Breadth first, each world once: the first violation that is found is one of the shortest.

use crate::check::{CHECKS, Moment};
use crate::moves::Move;
use crate::part::print;
use crate::world::World;
use std::collections::HashSet;
use std::fmt;

/// What a search found.
#[derive(Debug)]
pub struct Report {
    /// Different worlds.
    pub worlds: usize,
    /// Moves that were tried.
    pub moves: usize,
    /// Worlds that are so many moves away.
    pub levels: Vec<usize>,
    pub violation: Option<Violation>,
}

/// The shortest way to what must not be.
#[derive(Debug)]
pub struct Violation {
    pub id: &'static str,
    pub what: String,
    pub way: Vec<Move>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.id, self.what)?;
        for (number, one) in self.way.iter().enumerate() {
            writeln!(f, "{:>4}. {one}", number + 1)?;
        }
        Ok(())
    }
}

/// What a move violates.
pub fn violated(moment: &Moment<'_>) -> Option<(&'static str, String)> {
    CHECKS.iter().find_map(|(id, check)| Some((*id, check(moment)?)))
}

/// Every order of moves from a world, up to a depth.
pub fn search(start: World, depth: usize) -> Report {
    let mut seen: HashSet<u64> = [print(&start)].into();
    // Each world by how it was first reached: from which other, by which move.
    let mut trail: Vec<(usize, Option<Move>)> = vec![(0, None)];
    let mut frontier = vec![(0, start)];
    let mut report = Report { worlds: 1, moves: 0, levels: vec![1], violation: None };
    for _ in 0..depth {
        let mut next = Vec::new();
        for (index, world) in &frontier {
            for one in world.moves() {
                let (after, effect) = world.after(&one);
                report.moves += 1;
                let moment = Moment { before: world, effect: effect.as_ref(), after: &after };
                if let Some((id, what)) = violated(&moment) {
                    let mut way = back(&trail, *index);
                    way.push(one);
                    report.violation = Some(Violation { id, what, way });
                    return report;
                }
                if seen.insert(print(&after)) {
                    trail.push((*index, Some(one)));
                    next.push((trail.len() - 1, after));
                }
            }
        }
        report.levels.push(next.len());
        report.worlds += next.len();
        frontier = next;
    }
    report
}

fn back(trail: &[(usize, Option<Move>)], mut index: usize) -> Vec<Move> {
    let mut way = Vec::new();
    while let Some((from, Some(one))) = trail.get(index) {
        way.push(one.clone());
        index = *from;
    }
    way.reverse();
    way
}

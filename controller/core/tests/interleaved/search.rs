//! Breadth first, each world once: the first violation that is found is one of the shortest.

use crate::part::{Print, print};
use std::collections::HashSet;
use std::fmt;

/// What must not be: the invariant's number, and what was seen.
pub type Wrong = (&'static str, String);

/// What can be searched.
pub trait Space: Print + Sized {
    /// Something that happens.
    type Move: Clone + fmt::Debug + fmt::Display;

    /// Everything that may happen now.
    fn moves(&self) -> Vec<Self::Move>;

    /// The world after it, and what is wrong then.
    fn tried(&self, one: &Self::Move) -> (Self, Option<Wrong>);
}

/// What a search found.
#[derive(Debug)]
pub struct Report<M> {
    /// Different worlds.
    pub worlds: usize,
    /// Moves that were tried.
    pub moves: usize,
    /// Worlds that are so many moves away.
    pub levels: Vec<usize>,
    pub violation: Option<Violation<M>>,
}

/// The shortest way to what must not be.
#[derive(Debug)]
pub struct Violation<M> {
    pub id: &'static str,
    pub what: String,
    pub way: Vec<M>,
}

impl<M: fmt::Display> fmt::Display for Violation<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.id, self.what)?;
        for (number, one) in self.way.iter().enumerate() {
            writeln!(f, "{:>4}. {one}", number + 1)?;
        }
        Ok(())
    }
}

/// Every order of moves from a world, up to a depth.
pub fn search<S: Space>(start: S, depth: usize) -> Report<S::Move> {
    let mut seen: HashSet<u64> = [print(&start)].into();
    // Each world by how it was first reached: from which other, by which move.
    let mut trail: Vec<(usize, Option<S::Move>)> = vec![(0, None)];
    let mut frontier = vec![(0, start)];
    let mut report = Report { worlds: 1, moves: 0, levels: vec![1], violation: None };
    for _ in 0..depth {
        let mut next = Vec::new();
        for (index, world) in &frontier {
            for one in world.moves() {
                let (after, wrong) = world.tried(&one);
                report.moves += 1;
                if let Some((id, what)) = wrong {
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

fn back<M: Clone>(trail: &[(usize, Option<M>)], mut index: usize) -> Vec<M> {
    let mut way = Vec::new();
    while let Some((from, Some(one))) = trail.get(index) {
        way.push(one.clone());
        index = *from;
    }
    way.reverse();
    way
}

//! Tasks on instances that are all alike and empty: as few as can be found.
//!
//! By size, the largest first, each where it fits first: that is never far off, and mostly the least there can be.
//! Where it may be one too many, a bounded search looks for fewer.

use crate::observed::Resources;

/// Steps of the search: so many that a dozen tasks are settled, and a thousand cost milliseconds.
const STEPS: u32 = 20_000;

/// Which instance each task goes on, by number from 0. One that is larger than `size` has one to itself: nobody knows
/// yet how large the next instance is. `limit`: tasks on one, at least 1.
pub(super) fn pack(tasks: &[Resources], size: Resources, limit: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|task| std::cmp::Reverse(tasks.get(*task).map(|task| share(*task, size))));
    let sorted: Vec<Resources> = order.iter().filter_map(|task| tasks.get(*task)).copied().collect();
    let first = first_fit(&sorted, size, limit);
    let mut best = first.clone();
    let mut search = Search { tasks: &sorted, size, limit, steps: STEPS };
    while used(&best) > least(&sorted, size, limit) {
        let Some(fewer) = search.within(used(&best) - 1) else { break };
        best = fewer;
    }
    let mut on = vec![0; tasks.len()];
    for (task, instance) in order.iter().zip(best) {
        if let Some(slot) = on.get_mut(*task) {
            *slot = instance;
        }
    }
    on
}

/// The larger share of an instance that a task takes, in millionths.
fn share(task: Resources, size: Resources) -> u64 {
    let of = |part: u32, all: u32| u64::from(part) * 1_000_000 / u64::from(all.max(1));
    of(task.cpu, size.cpu).max(of(task.memory, size.memory))
}

fn used(on: &[usize]) -> usize {
    on.iter().max().map_or(0, |last| last + 1)
}

/// No packing takes fewer.
fn least(tasks: &[Resources], size: Resources, limit: u32) -> usize {
    let (large, small): (Vec<&Resources>, Vec<&Resources>) =
        tasks.iter().partition(|task| !size.fits(**task));
    let sum = |part: fn(&Resources) -> u32, all: u32| {
        let sum: u64 = small.iter().map(|task| u64::from(part(task))).sum();
        usize::try_from(sum.div_ceil(u64::from(all.max(1)))).unwrap_or(usize::MAX)
    };
    let by_count = small.len().div_ceil(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
    large.len() + by_count.max(sum(|task| task.cpu, size.cpu)).max(sum(|task| task.memory, size.memory))
}

/// What is left of an instance that is being filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    resources: Resources,
    tasks: u32,
}

impl Free {
    fn fits(self, task: Resources) -> bool {
        self.tasks > 0 && self.resources.fits(task)
    }

    fn with(self, task: Resources) -> Free {
        Free { resources: self.resources.minus(task), tasks: self.tasks - 1 }
    }
}

fn first_fit(tasks: &[Resources], size: Resources, limit: u32) -> Vec<usize> {
    let empty = Free { resources: size, tasks: limit.max(1) };
    let mut open: Vec<Free> = Vec::new();
    let place = |task: &Resources| match open.iter().position(|free| free.fits(*task)) {
        Some(at) => {
            if let Some(free) = open.get_mut(at) {
                *free = free.with(*task);
            }
            at
        }
        None => {
            // Nothing fits beside one that is too large.
            let rest = if size.fits(*task) { empty.with(*task) } else { Free { tasks: 0, ..empty } };
            open.push(rest);
            open.len() - 1
        }
    };
    tasks.iter().map(place).collect()
}

struct Search<'a> {
    tasks: &'a [Resources],
    size: Resources,
    limit: u32,
    steps: u32,
}

impl Search<'_> {
    /// A packing on so many instances at most, if one is found in time.
    fn within(&mut self, instances: usize) -> Option<Vec<usize>> {
        let mut on = Vec::with_capacity(self.tasks.len());
        self.place(instances, &mut Vec::new(), &mut on).then_some(on)
    }

    fn place(&mut self, instances: usize, open: &mut Vec<Free>, on: &mut Vec<usize>) -> bool {
        let Some(task) = self.tasks.get(on.len()).copied() else { return true };
        self.steps = self.steps.saturating_sub(1);
        let mut tried: Vec<Free> = Vec::new();
        for at in 0..=open.len() {
            if self.steps == 0 {
                return false;
            }
            let free = match open.get(at).copied() {
                // What did not work on one does not on another that is as full.
                Some(free) if !free.fits(task) || tried.contains(&free) => continue,
                Some(free) => free,
                None if open.len() >= instances => continue,
                None => Free { resources: self.size, tasks: self.limit.max(1) },
            };
            tried.push(free);
            let rest = if self.size.fits(task) { free.with(task) } else { Free { tasks: 0, ..free } };
            let is_new = at == open.len();
            if is_new {
                open.push(rest);
            } else if let Some(slot) = open.get_mut(at) {
                *slot = rest;
            }
            on.push(at);
            if self.place(instances, open, on) {
                return true;
            }
            on.pop();
            if is_new {
                open.pop();
            } else if let Some(slot) = open.get_mut(at) {
                *slot = free;
            }
        }
        false
    }
}

//! As few new instances as there can be, held against an exact optimum.

use super::*;
use crate::capacity::pack::pack;
use crate::testing::fleet::{SIZE, group};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::cell::Cell;

/// Instances that a brute-force search takes: the least number of sets of tasks, each of which fits one instance.
fn optimum(tasks: &[Resources], size: Resources, limit: u32) -> usize {
    let all = 1usize << tasks.len();
    let fits = |set: usize| {
        let chosen = || tasks.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0).map(|(_, task)| task);
        let (cpu, memory): (u32, u32) = (chosen().map(|t| t.cpu).sum(), chosen().map(|t| t.memory).sum());
        chosen().count() <= limit as usize && cpu <= size.cpu && memory <= size.memory
    };
    let mut least = vec![usize::MAX; all];
    least[0] = 0;
    for set in 1..all {
        let mut part = set;
        while part > 0 {
            if fits(part) && least[set ^ part] != usize::MAX {
                least[set] = least[set].min(least[set ^ part] + 1);
            }
            part = (part - 1) & set;
        }
    }
    least[all - 1]
}

fn sizes(most: usize) -> impl Strategy<Value = Vec<Resources>> {
    let real = prop::sample::select(vec![128u32, 256, 288, 512, 1024, 1056, 2048, 3000, 4096]);
    let task = (real, 64..SIZE.memory).prop_map(|(cpu, memory)| Resources { cpu, memory });
    prop::collection::vec(task, 0..=most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_instance_holds_more_than_it_can(tasks in sizes(40), limit in 1..6u32) {
        let on = pack(&tasks, SIZE, limit);
        for instance in 0..on.iter().max().map_or(0, |last| last + 1) {
            let here: Vec<&Resources> = tasks.iter().zip(&on).filter(|(_, at)| **at == instance).map(|(t, _)| t).collect();
            prop_assert!(!here.is_empty() && here.len() <= limit as usize);
            prop_assert!(here.iter().map(|task| task.cpu).sum::<u32>() <= SIZE.cpu);
            prop_assert!(here.iter().map(|task| task.memory).sum::<u32>() <= SIZE.memory);
        }
    }

    #[test]
    fn few_tasks_take_the_optimum(tasks in sizes(8), limit in 1..6u32) {
        let on = pack(&tasks, SIZE, limit);
        prop_assert_eq!(on.iter().max().map_or(0, |last| last + 1), optimum(&tasks, SIZE, limit));
    }
}

/// Instances that already run are filled by who waits longest, whatever comes after: that may cost one at times.
#[test]
fn beside_running_instances_it_is_within_a_tenth_of_the_optimum() {
    let (ours, best) = (Cell::new(0), Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = (sizes(7), prop::collection::vec(0..4u32, 1..3));
    for _ in 0..400 {
        let (tasks, busy) = cases.new_tree(&mut runner).unwrap().current();
        let mut fleet = group(20);
        for (n, tasks) in busy.iter().enumerate() {
            fleet = fleet.having(&format!("i-{n}"), *tasks);
        }
        let waiting = tasks.iter().enumerate().map(|(n, task)| want(&format!("s{n}"), task.cpu, task.memory));
        let demand = Demand { waiting: waiting.collect(), ..Demand::default() };
        let fixed: Vec<Resources> =
            busy.iter().map(|tasks| Resources { cpu: 512 * tasks, memory: 1000 * tasks }).collect();
        ours.set(ours.get() + placed(&demand, &fleet).grow as usize);
        best.set(best.get() + beside(&tasks, &fixed, &busy));
    }
    let (ours, best) = (ours.get(), best.get());
    assert!(best > 300, "there is something to compare: {best}");
    assert!(ours >= best, "{ours} of {best}: an optimum is an optimum");
    assert!(ours * 10 <= best * 11, "{ours} new instances, where {best} would do");
}

/// The least number of new instances, over every choice of who goes on those that run.
fn beside(tasks: &[Resources], taken: &[Resources], busy: &[u32]) -> usize {
    let limit = Settings::example().max_tasks_per_instance;
    let mut least = usize::MAX;
    // Every assignment of tasks to a running instance, or to none.
    let ways = (taken.len() + 1).pow(tasks.len() as u32);
    for way in 0..ways {
        let (mut code, mut on, mut homeless) = (way, taken.to_vec(), Vec::new());
        let mut counts = busy.to_vec();
        for task in tasks {
            let at = code % (taken.len() + 1);
            code /= taken.len() + 1;
            match on.get_mut(at) {
                Some(used) => {
                    *used = Resources { cpu: used.cpu + task.cpu, memory: used.memory + task.memory };
                    counts[at] += 1;
                }
                None => homeless.push(*task),
            }
        }
        let fits = on.iter().zip(&counts).all(|(used, count)| SIZE.fits(*used) && *count <= limit);
        if fits {
            least = least.min(optimum(&homeless, SIZE, limit));
        }
    }
    least
}

#[test]
fn the_largest_first_is_not_always_the_fewest() {
    // By size 4+4, 3+3+3 and 3; but twice 4+3+3 is two.
    let parts = |parts: u32| Resources { cpu: parts * 400, memory: 1 };
    let on = pack(&[4, 4, 3, 3, 3, 3].map(parts), Resources { cpu: 4000, memory: 100 }, 10);
    assert_eq!(on.iter().max(), Some(&1));
}

#[test]
fn what_is_larger_than_was_ever_seen_has_an_instance_to_itself() {
    let huge = Resources { cpu: 8192, memory: 100 };
    let small = Resources { cpu: 100, memory: 100 };
    let on = pack(&[small, huge, small], SIZE, 3);
    assert_eq!((on[0] == on[2], on[0] == on[1]), (true, false));
    assert_eq!(pack(&[], SIZE, 3), [0; 0]);
    // Nothing was ever seen: only their number counts.
    let unknown = Resources { cpu: u32::MAX, memory: u32::MAX };
    assert_eq!(pack(&[huge; 4], unknown, 3), [0, 0, 0, 1]);
}

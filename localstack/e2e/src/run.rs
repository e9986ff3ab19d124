//! One test, from its world's start to the checks at its end.

use crate::eventually::eventually;
use crate::invariants;
use crate::localstack;
use crate::options::Options;
use crate::tasks;
use crate::world::{World, list, read};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Lines of a log that a failure shows.
const SHOWN: usize = 100;
/// Characters of a line.
const LENGTH: usize = 500;

/// Runs a test in a world of its own.
///
/// # Panics
/// When the test does, or when at its end something is not as it must always be.
#[track_caller]
pub fn run(options: Options, test: impl FnOnce(&World)) {
    if localstack::variables().is_some() {
        eprintln!("skipped: it needs the control endpoint of the local AWS, which LocalStack does not have");
        return;
    }
    let mut world = World::start(options);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        test(&world);
        let broken = invariants::broken(&world);
        assert!(broken.is_empty(), "broken at the end:\n{}", broken.join("\n"));
    }));
    if let Err(failure) = outcome {
        // Whatever failed may have taken the local AWS with it.
        let _ = catch_unwind(AssertUnwindSafe(|| show(&world)));
        resume_unwind(failure);
    }
    let directory = world.directory().to_owned();
    world.end();
    eventually("no process is left after the world's end", Duration::from_secs(10), || {
        let left = invariants::left_behind(&directory);
        if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
    });
}

/// What a person needs to see why a test failed.
fn show(world: &World) {
    println!("\n==== tasks{}", list(&tasks::all(&world.control)));
    println!("==== records");
    for record in world.records() {
        println!("  {} {} {} {}", record.name, record.kind, record.ttl, record.values.join(" "));
    }
    println!("==== instances\n  {}", world.control.get("instances"));
    println!("==== calls\n  {}", world.control.get("stats"));
    for file in fs::read_dir(world.directory()).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".log") {
            let text = read(&file.path());
            println!("==== the end of {name}");
            let lines: Vec<&str> = text.lines().filter(|line| !line.contains("TRACE")).collect();
            for line in &lines[lines.len().saturating_sub(SHOWN)..] {
                println!("{}", line.chars().take(LENGTH).collect::<String>());
            }
        }
    }
}

//! What must be true at the end of every test, whatever it did.

use crate::dns::Record;
use crate::tasks::{self, Task};
use crate::world::{World, list, read};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Everything that is not as it must be.
pub fn broken(world: &World) -> Vec<String> {
    let mut broken = Vec::new();
    foreign(world, &mut broken);
    pairs(&tasks::all(&world.control), &mut broken);
    capacity(world, &mut broken);
    permissions(world, &mut broken);
    logs(world, &mut broken);
    broken
}

/// Somebody else's records and tasks are as they were.
fn foreign(world: &World, broken: &mut Vec<String>) {
    let records = world.records();
    for record in &world.foreign.records {
        // Each change of a zone gives its SOA a new serial.
        if record.kind != "SOA" && !records.contains(record) {
            broken.push(format!("a foreign record was changed: {record:?}"));
        }
    }
    let ours = |record: &&Record| !world.foreign.records.contains(record) && record.kind != "SOA";
    let leftover = records.iter().filter(ours).filter(|record| !matches!(record.kind.as_str(), "A" | "TXT"));
    broken.extend(leftover.map(|record| format!("a record of a kind that nobody asked for: {record:?}")));
    let now = world.again(&world.foreign.task);
    if now.truth() != world.foreign.task.truth() {
        broken.push(format!(
            "the foreign task was changed: {} -> {}",
            world.foreign.task.truth(),
            now.truth()
        ));
    }
}

/// At most one task for each identity ever, and at most one that is to run for each service and role.
fn pairs(tasks: &[Task], broken: &mut Vec<String>) {
    let mut by_identity: BTreeMap<String, Vec<&Task>> = BTreeMap::new();
    let mut running: BTreeMap<(String, tasks::Role), Vec<&Task>> = BTreeMap::new();
    for task in tasks {
        let (Some(identity), Some(role)) = (task.identity(), task.role()) else { continue };
        by_identity.entry(identity).or_default().push(task);
        if task.is_live() && task.truth()["desiredStatus"] == "RUNNING" {
            running.entry(role).or_default().push(task);
        }
    }
    let words = |tasks: &[&Task]| list(&tasks.iter().map(|task| (*task).clone()).collect::<Vec<_>>());
    for (identity, tasks) in by_identity.iter().filter(|(_, tasks)| tasks.len() > 1) {
        broken.push(format!("one intent, several tasks: {identity}{}", words(tasks)));
    }
    for (role, tasks) in running.iter().filter(|(_, tasks)| tasks.len() > 1) {
        broken.push(format!("several live tasks of {role:?}:{}", words(tasks)));
    }
}

/// No instance ended while busy, and no desired capacity was lowered.
fn capacity(world: &World, broken: &mut Vec<String>) {
    let stats = world.control.get("stats");
    for one in array(&stats["busyTerminations"]) {
        if !(world.options.instances_fail && one["cause"] == "failure") {
            broken.push(format!("an instance was terminated while busy: {one}"));
        }
    }
    for one in array(&stats["setDesiredCapacity"]) {
        if one["to"].as_i64() < one["from"].as_i64() {
            broken.push(format!("a desired capacity was lowered: {one}"));
        }
    }
}

/// Nothing was refused by the policies.
fn permissions(world: &World, broken: &mut Vec<String>) {
    let stats = world.control.get("stats");
    for (error, count) in stats["errors"].as_object().into_iter().flatten() {
        let refused = error.contains("AccessDenied") || error.contains("UnauthorizedOperation");
        if refused && !world.options.expected_errors.iter().any(|part| error.contains(part.as_str())) {
            broken.push(format!("the policy does not allow what was called {count} times: {error}"));
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// No errors in controllers' logs, no panic in any.
fn logs(world: &World, broken: &mut Vec<String>) {
    let expected = |line: &str| world.options.expected_errors.iter().any(|part| line.contains(part.as_str()));
    for file in fs::read_dir(world.directory()).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if !name.starts_with("controller-") {
            continue;
        }
        for line in read(&file.path()).lines() {
            let bad = line.contains("\"level\":\"ERROR\"")
                || line.contains("ERROR\u{1b}")
                || line.contains("panicked at");
            if bad && !expected(line) {
                broken.push(format!("{name}: {line}"));
            }
        }
    }
    let local = read(&world.directory().join("local.log"));
    if local.contains("Traceback") {
        broken.push(format!("the local AWS failed: {local}"));
    }
    panics(&world.directory().join("data/logs"), broken);
}

fn panics(folder: &Path, broken: &mut Vec<String>) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = file.path();
        if path.is_dir() {
            panics(&path, broken);
        } else if let Some(line) = read(&path).lines().find(|line| line.contains("panicked at")) {
            broken.push(format!("{}: {line}", path.display()));
        }
    }
}

/// Processes that are still in a world's directory after its end.
pub fn left_behind(directory: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(place) = fs::read_link(process.path().join("cwd")) else { continue };
        if place.starts_with(directory) {
            left.push(read(&process.path().join("cmdline")).replace('\0', " "));
        }
    }
    left
}

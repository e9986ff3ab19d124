//! What 100, 1,000 and 10,000 services cost a controller. `make bench-scale` runs it.

use dormouse_sim::scale::{Costs, measure};

use std::process::Command;
use std::{env, io};

fn main() -> io::Result<()> {
    let given: Vec<usize> = env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    if let [declared, awake] = given[..] {
        row(&measure(declared, awake));
        return Ok(());
    }
    println!(
        "{:>8} {:>6} {:>12} {:>12} {:>10} {:>10} {:>9} {:>9} {:>8} {:>8}",
        "declared",
        "awake",
        "reconcile",
        "heartbeats",
        "of 1/4",
        "one plan",
        "calls",
        "scans",
        "bytes",
        "watched"
    );
    println!(
        "{:>8} {:>6} {:>12} {:>12} {:>10} {:>10} {:>9} {:>9} {:>8} {:>8}",
        "", "", "ms/min", "ms/min", "vCPU, %", "of all, ms", "/min", "/min", "each", "+ each"
    );
    for declared in [100, 1_000, 10_000] {
        for awake in [0, declared / 10] {
            // A process of its own, so that its memory is, too.
            let row =
                Command::new(env::current_exe()?).args([declared, awake].map(|n| n.to_string())).status()?;
            if !row.success() {
                return Err(io::Error::other(format!("{awake} of {declared} could not be measured")));
            }
        }
    }
    Ok(())
}

fn row(costs: &Costs) {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let share = (costs.reconciling + costs.heartbeats).as_secs_f64() / 60.0 / 0.25 * 100.0;
    let calls: f64 = costs.calls.values().sum();
    println!(
        "{:>8} {:>6} {:>12.1} {:>12.1} {:>10.2} {:>10.2} {:>9.1} {:>9.1} {:>8} {:>8}",
        costs.declared,
        costs.awake,
        milliseconds(costs.reconciling),
        milliseconds(costs.heartbeats),
        share,
        milliseconds(costs.plan),
        calls,
        costs.table.get("read-all").copied().unwrap_or_default(),
        costs.bytes,
        costs.watched
    );
    let listed = |of: &std::collections::BTreeMap<&str, f64>| {
        let some = of.iter().filter(|(_, count)| **count > 0.0);
        some.map(|(word, count)| format!("{word} {count:.1}")).collect::<Vec<_>>().join(", ")
    };
    println!("{:>16} calls/min: {}", "", listed(&costs.calls));
    println!("{:>16} table/min: {}", "", listed(&costs.table));
}

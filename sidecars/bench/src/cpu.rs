//! What the kernel says of processes and cores.

use std::fs;
use std::time::Duration;

/// A process and all its descendants, as they were when asked.
#[derive(Debug)]
pub struct Tree {
    pids: Vec<u32>,
}

/// CPU time, told in two ways.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// To the nanosecond, of the threads that still run.
    pub precise: Duration,
    /// In clock ticks, of all threads.
    pub ticks: Duration,
}

/// Resident memory of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Each process by itself: what two share counts twice. KiB.
    pub rss: u64,
    /// What processes share is split between them. KiB.
    pub pss: u64,
}

impl Tree {
    /// With everything that `root` has started.
    pub fn of(root: u32) -> Tree {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid: u32| Some((pid, stat(pid)?.get(1)?.parse().ok()?)))
            .collect();
        let mut pids = vec![root];
        let mut at = 0;
        while at < pids.len() {
            let of = pids[at];
            pids.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
            at += 1;
        }
        Tree { pids }
    }

    /// How many processes it has.
    pub fn processes(&self) -> usize {
        self.pids.len()
    }

    /// CPU time up to now.
    pub fn used(&self) -> Used {
        let mut used = Used::default();
        let tick = Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap();
        for pid in &self.pids {
            // utime and stime, the 14th and 15th of the line.
            let stat = stat(*pid).unwrap_or_else(|| panic!("process {pid} is gone"));
            let ticks: u32 = stat[11..13].iter().map(|n| n.parse::<u32>().unwrap()).sum();
            used.ticks += tick * ticks;
            for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let ran = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let ran = ran.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                used.precise += Duration::from_nanos(ran);
            }
        }
        used
    }

    /// Memory now.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory { rss: 0, pss: 0 };
        for pid in &self.pids {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("smaps_rollup");
            let of = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok()).expect("a size")
            };
            memory.rss += of("Rss:");
            memory.pss += of("Pss:");
        }
        memory
    }
}

impl Used {
    /// What was used since an earlier look. The precise one, unless the kernel has none or a thread that ended
    /// took its share with it.
    pub fn since(self, earlier: Used) -> Duration {
        let precise = self.precise.saturating_sub(earlier.precise);
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        // The ticks are right to two of them.
        if precise + Duration::from_millis(40) < ticks { ticks } else { precise }
    }
}

/// The fields after the command's name, which may itself have blanks and brackets.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// How long a core was at work since it started, for whomever, and how long the machine's host took it away.
pub fn busy(core: usize) -> Duration {
    let text = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let name = format!("cpu{core} ");
    let line = text.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("no core {core}"));
    let fields: Vec<u32> = line.split_whitespace().skip(1).map(|n| n.parse().unwrap_or(0)).collect();
    // user, nice, system, irq, softirq, steal; not idle and iowait.
    let ticks: u32 = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum();
    Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap() * ticks
}

/// From now on this thread, and what it starts, runs on this core only.
pub fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set)
        .unwrap_or_else(|error| panic!("cannot run on core {core} (two are needed): {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    #[test]
    fn a_tree_has_the_children_and_counts_their_work() {
        // The shell stays, since it has more to do after the loop.
        let mut shell = Command::new("sh")
            .args(["-c", "(i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); done); true"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        let tree = loop {
            let tree = Tree::of(shell.id());
            if tree.processes() == 2 {
                break tree;
            }
            assert!(Instant::now() < end, "no child was seen");
        };
        let before = tree.used();
        while tree.used().since(before) < Duration::from_millis(30) {
            assert!(Instant::now() < end, "no work was seen");
        }
        let memory = tree.memory();
        assert!(memory.rss >= memory.pss && memory.pss > 0, "{memory:?}");
        for pid in tree.pids.iter().rev() {
            let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        shell.wait().unwrap();
    }

    #[test]
    fn a_thread_that_ended_is_not_forgotten() {
        let ms = Duration::from_millis;
        let at = |precise, ticks| Used { precise: ms(precise), ticks: ms(ticks) };
        assert_eq!(at(115, 110).since(at(0, 0)), ms(115));
        assert_eq!(at(115, 130).since(at(0, 0)), ms(115));
        assert_eq!(at(15, 130).since(at(0, 0)), ms(130));
    }
}

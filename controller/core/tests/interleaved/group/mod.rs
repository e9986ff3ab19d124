//! The group of instances, planned by two controllers that both believe that they lead: the real planner of capacity, from
//! readings that are as old as they happen to be.
//!
//! # Layout
//!
//! - this file: the world: what is true, what is remembered, what each controller has read
//! - `truth`: instances, and what runs on them
//! - `moves`: what may happen next
//! - `happens`: what comes of it
//! - `check`: S7 to S9
//! - `start`: where searches begin

mod check;
mod happens;
mod moves;
mod start;
mod truth;

use self::truth::Truth;
use crate::part::{Part, Print, Printer};
use dormouse_core::capacity::{Demand, Step};
use dormouse_core::observed::{Fleet, Resources};
use dormouse_core::settings::Settings;
use dormouse_state::{CapacityMemory, Version};
use jiff::Timestamp;
use std::sync::LazyLock;
use std::time::Duration;

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings {
    max_tasks_per_instance: 1,
    scale_in_delay: Duration::from_secs(30),
    ..Settings::example()
});

/// What an instance has in all, and what a task takes.
const SIZE: Resources = Resources { cpu: 2048, memory: 4000 };
const TASK: Resources = Resources { cpu: 512, memory: 1000 };
/// Time passes in steps of this: longer than any call is under way, and than what an instance drains for.
const STEP: Duration = Duration::from_secs(30);
/// The row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    memory: CapacityMemory,
    version: Version,
    fence: u64,
}

/// A controller: what it has read, and the steps that it has yet to take.
#[derive(Debug, Clone, Default)]
pub struct Planner {
    epoch: Option<u64>,
    fleet: Option<Fleet>,
    demand: Demand,
    row: Option<(CapacityMemory, Version)>,
    steps: Vec<Step>,
}

/// How often what is rare may still happen.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Left {
    pub wants: u8,
    pub ends: u8,
    pub leads: u8,
    pub losses: u8,
    pub passes: u8,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Group {
    now: Timestamp,
    lease: u64,
    truth: Part<Truth>,
    row: Part<Row>,
    planners: [Part<Planner>; 2],
    pub left: Left,
}

impl Print for Row {
    fn print(&self, to: &mut Printer) {
        to.add(&self.memory);
        to.hash((self.version, self.fence));
    }
}

impl Print for Planner {
    fn print(&self, to: &mut Printer) {
        to.add(&(&self.fleet, &self.demand, &self.row, &self.steps));
        to.hash(self.epoch);
    }
}

impl Print for Group {
    fn print(&self, to: &mut Printer) {
        to.part(&self.truth);
        to.part(&self.row);
        self.planners.iter().for_each(|planner| to.part(planner));
        to.hash((self.now, self.lease, self.left));
    }
}

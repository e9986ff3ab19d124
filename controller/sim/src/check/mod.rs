//! What must always be true, and what must come true: small named checks over the truth.
//!
//! # Layout
//!
//! - [`audit`](Audit): what the checks remember; violations
//! - `calls`: at the moment a controller makes a call
//! - `world`: after an effect, and as time passes
//! - `rows`: at each write of the store
//! - `end`: once faults have ceased long ago

mod calls;
mod end;
mod rows;
mod world;

pub use calls::*;
pub use end::*;
pub use rows::*;
pub use world::*;

use crate::profile::Ms;
use crate::truth::requests::Answers;
use dormouse_core::budget::Kind;
use dormouse_manifests::ServiceSpec;
use dormouse_peer::token::Identity;
use dormouse_state::{CapacityMemory, ServiceRecord};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Ms,
    /// Which property: `S5`, `L1` …
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

/// What the checks remember of a run.
#[derive(Debug, Default)]
pub struct Audit {
    /// What became of requests.
    pub answers: Answers,
    /// What was found.
    pub violations: Vec<Violation>,
    /// Mutating calls by when they were made, newest last.
    pub mutations: u64,
    /// When the last mutating call was made, and which.
    pub last_mutation: (Ms, String),
    /// By how much controllers' wall clocks are wrong, together.
    pub slack: Ms,
    /// Rows as they were last written.
    pub rows: BTreeMap<String, ServiceRecord>,
    /// The capacity row as it was last written.
    pub capacity: CapacityMemory,
    /// Service → when what is desired of it last changed.
    pub desired_since: BTreeMap<String, Ms>,
    /// Since when no controller was to be heard; `None` while one leads.
    pub calm_since: Option<Ms>,
    specs: BTreeMap<String, ServiceSpec>,
    runs: BTreeSet<Identity>,
    stops: BTreeSet<String>,
    terminations: BTreeSet<String>,
    hashes: BTreeSet<String>,
    retired: BTreeSet<String>,
    addresses: BTreeSet<(String, Option<String>)>,
    targets: u32,
    drains: BTreeMap<String, Ms>,
    probes: BTreeMap<String, Ms>,
    planned_ends: BTreeMap<(String, String), Ms>,
    leases: BTreeMap<usize, Ms>,
    calls: BTreeMap<Kind, VecDeque<Ms>>,
    wildcard_served: bool,
    once: BTreeSet<(&'static str, String)>,
}

impl Audit {
    /// An audit of controllers whose clocks are wrong by so much.
    pub fn new(slack: Ms) -> Audit {
        Audit { slack, ..Audit::default() }
    }

    /// A declared service's spec, as it was declared last.
    pub fn spec(&self, service: &str) -> Option<&ServiceSpec> {
        self.specs.get(service)
    }

    /// Writes a violation down; the same words once.
    pub fn violate(&mut self, at: Ms, id: &'static str, what: String) {
        if self.once.insert((id, what.clone())) {
            self.violations.push(Violation { at, id, what });
        }
    }
}

impl crate::sim::Sim {
    /// Writes a violation down.
    pub fn violate(&mut self, id: &'static str, what: String) {
        self.trace.note(self.now, format_args!("VIOLATION {id}: {what}"));
        self.audit.violate(self.now, id, what);
    }
}

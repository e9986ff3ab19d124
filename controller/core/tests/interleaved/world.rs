//! What is true, what is remembered, and what each of the two controllers knows.

use crate::cloud::Cloud;
use crate::controller::Broken;
use crate::part::{Part, Print, Printer};
use dormouse_core::dns::{Group, Zone};
use dormouse_core::lifecycle::{Refusal, Step};
use dormouse_core::observed::{Beats, Tasks};
use dormouse_core::settings::Settings;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{PairId, RunParameters, ServiceRecord, Version};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The one service.
pub const NAME: &str = "hello";

/// The service's row.
#[derive(Debug, Clone)]
pub struct Row {
    pub record: ServiceRecord,
    pub version: Version,
    /// The latest leader that wrote it.
    pub fence: u64,
}

impl Print for Row {
    fn print(&self, to: &mut Printer) {
        // Every field: one that is added is either told from another here, or left out for a reason.
        let ServiceRecord {
            name: _,
            labels: _,
            spec: _,
            made_from: _,
            generation,
            observed_generation,
            created_at: _,
            deleting,
            desired,
            epoch,
            last_wake,
            last_sleep,
            wakes: _,
            awake_until,
            wakes_today: _,
            rest,
            last_activity,
            definitions: _,
            pair,
            successor,
            retiring,
            strays,
            last_pair,
            proven,
            rollout,
            // Bookkeeping of what was awake for how long.
            awake: _,
            awake_on_fargate: _,
            metered_since: _,
            dns,
            failures,
            retry_at,
            phase,
            conditions,
            // Words are for people.
            events: _,
            noted: _,
            told: _,
        } = &self.record;
        to.hash((self.version, self.fence, generation, observed_generation, deleting, desired, epoch));
        to.hash((awake_until, last_activity, strays, last_pair, proven, failures, retry_at, phase));
        to.add(&(last_wake, last_sleep, rest, pair, successor, retiring, rollout, dns));
        for condition in conditions {
            to.hash((condition.kind, condition.status, condition.last_transition_time));
        }
    }
}

/// What was ever written down, by whomever.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// RunTask may have been called for these.
    pub runs: BTreeMap<Identity, RunParameters>,
    /// StopTask may have been called for these.
    pub stops: BTreeSet<String>,
    /// Addresses that the record was to have; `None`: no record.
    pub addresses: BTreeSet<Option<String>>,
    /// The latest leader that wrote.
    pub led: u64,
    /// Pairs that are to end.
    pub condemned: BTreeSet<PairId>,
    /// When the drain of a pair that goes to sleep began.
    pub drains: BTreeMap<PairId, Timestamp>,
}

impl Ledger {
    pub fn write(&mut self, record: &ServiceRecord, fence: Option<u64>) {
        self.led = self.led.max(fence.unwrap_or(0));
        for pair in record.pairs() {
            for role in Role::ALL {
                let intent = pair.task(role);
                if intent.attempted_at.is_some() {
                    let identity = dormouse_core::lifecycle::identity(NAME, pair.id, role);
                    self.runs.insert(identity, (*intent.parameters).clone());
                }
                self.stops.extend(intent.stop_at.and(intent.task_arn.clone()));
            }
            if let Some(began) = record.rest.as_ref().and_then(|rest| rest.drain_at)
                && !self.condemned.contains(&pair.id)
            {
                self.drains.insert(pair.id, began);
            }
            if pair.condemned.is_some() {
                self.condemned.insert(pair.id);
            }
        }
        self.stops.extend(record.strays.keys().cloned());
        self.addresses.extend(record.dns.pending.as_ref().map(|pending| pending.address.clone()));
    }
}

impl Print for Ledger {
    fn print(&self, to: &mut Printer) {
        self.runs.keys().for_each(|identity| to.hash(identity));
        to.hash((&self.stops, &self.addresses, &self.condemned, &self.drains, self.led));
    }
}

impl Print for Tasks {
    fn print(&self, to: &mut Printer) {
        // Whatever else is known of a task never changes.
        for (arn, task) in self.by_arn.iter() {
            to.hash((arn, task.status, task.stopping));
        }
        to.hash((&self.missing, self.listed_at));
    }
}

impl Print for Zone {
    fn print(&self, to: &mut Printer) {
        self.iter().for_each(|set| to.hash(set));
    }
}

impl Print for Beats {
    fn print(&self, to: &mut Printer) {
        for (identity, beat) in self.of(NAME) {
            to.hash((identity, beat.at));
            to.add(&(beat.state, beat.activity));
        }
    }
}

/// A controller: what it knows, and what it has begun.
#[derive(Debug, Clone)]
pub struct Controller {
    /// The epoch of its lease, while it believes that it leads.
    pub epoch: Option<u64>,
    /// The row as it knows it.
    pub row: Option<Part<Row>>,
    pub tasks: Part<Tasks>,
    pub zone: Option<Part<Zone>>,
    pub beats: Part<Beats>,
    pub probed: Option<(Timestamp, String)>,
    pub refusal: Option<Refusal>,
    /// Steps that it planned and has yet to take.
    pub steps: Vec<Step>,
    /// Tasks that RunTask answered with, to be remembered once all steps are taken.
    pub started: Vec<(Identity, String)>,
    /// Changes of the zone that it planned and has yet to make.
    pub batches: Vec<Vec<Group>>,
    /// Changes that were accepted, to be remembered: the change's id, and whose.
    pub accepted: Vec<(String, Vec<String>)>,
    /// Changes to ask about.
    pub polls: BTreeSet<String>,
}

impl Controller {
    /// It has just started and knows nothing.
    pub fn started() -> Controller {
        Controller {
            epoch: None,
            row: None,
            tasks: Part::new(Tasks::default()),
            zone: None,
            beats: Part::new(Beats::default()),
            probed: None,
            refusal: None,
            steps: Vec::new(),
            started: Vec::new(),
            batches: Vec::new(),
            accepted: Vec::new(),
            polls: BTreeSet::new(),
        }
    }
}

impl Print for Controller {
    fn print(&self, to: &mut Printer) {
        if let Some(row) = &self.row {
            to.part(row);
        }
        to.part(&self.tasks);
        if let Some(zone) = &self.zone {
            to.part(zone);
        }
        to.part(&self.beats);
        to.hash((self.epoch, self.row.is_some(), self.zone.is_some(), &self.probed, &self.started));
        to.hash((&self.accepted, &self.polls));
        to.hash(self.refusal.as_ref().map(|refusal| (refusal.at, refusal.tries)));
        if !self.steps.is_empty() {
            to.add(&self.steps);
        }
        self.batches.iter().flatten().for_each(|group| to.hash(&group.changes));
    }
}

/// How often what is rare may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    pub crashes: u8,
    pub losses: u8,
    pub deaths: u8,
    pub wakes: u8,
    pub sleeps: u8,
    pub requests: u8,
    pub leads: u8,
    /// How often time may pass in one go, and how many seconds then.
    pub passes: u8,
    pub seconds: i64,
}

impl Left {
    pub const NOTHING: Left = Left {
        crashes: 0,
        losses: 0,
        deaths: 0,
        wakes: 0,
        sleeps: 0,
        requests: 0,
        leads: 0,
        passes: 0,
        seconds: 10,
    };
}

/// Everything.
#[derive(Debug, Clone)]
pub struct World {
    pub settings: &'static Settings,
    pub now: Timestamp,
    /// The epoch of the last lease.
    pub lease: u64,
    pub row: Part<Row>,
    pub ledger: Part<Ledger>,
    pub cloud: Part<Cloud>,
    pub controllers: [Part<Controller>; 2],
    pub left: Left,
    /// What is wrong with the controllers' shell.
    pub broken: Broken,
}

impl Print for World {
    fn print(&self, to: &mut Printer) {
        to.part(&self.row);
        to.part(&self.ledger);
        to.part(&self.cloud);
        self.controllers.iter().for_each(|controller| to.part(controller));
        to.hash((self.now, self.lease, self.left));
    }
}

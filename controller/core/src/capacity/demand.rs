//! The service tasks that wait for an instance.

use crate::definition::service_resources;
use crate::lifecycle::identity;
use crate::observed::{Fleet, Instance, Resources, Task, TaskStatus, Tasks};
use dormouse_manifests::Architecture;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Launch, ServiceRecord};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A service task that is intended and has no instance yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Service name.
    pub service: String,
    /// What it takes.
    pub resources: Resources,
    /// Processor that its manifest names; `None`: the installation's, if that names one.
    pub architecture: Option<Architecture>,
    /// Since when it waits.
    pub since: Timestamp,
    /// RunTask is being called for it right now: an instance may hold it already. No instance is started for it.
    pub in_flight: bool,
}

/// Everything that instances are wanted for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Waiting, longest first; behind them those whose next try is still to come.
    pub waiting: Vec<Want>,
    /// Container instance ARN and resources of tasks that were placed after the fleet was read, so that their
    /// share is not yet missing from it.
    pub placed_since: Vec<(String, Resources)>,
    /// Container instance ARN → tasks of ours on it that are not over. ECS counts only those that are PENDING or
    /// RUNNING; one that waits for its interface, or that is being stopped, keeps an instance all the same.
    pub occupied: BTreeMap<String, u32>,
    /// What a free slot must hold, while anything is to be awake: the largest task of all declared services, since
    /// nobody knows which of them comes next.
    pub slot: Option<Resources>,
}

impl Demand {
    /// Those whose next try is still to come do not stand in front of others that can use an instance now.
    pub fn put_behind(&mut self, waits: impl Fn(&str) -> bool) {
        self.waiting.sort_by_key(|want| waits(&want.service));
    }
}

/// Instances, by ARN, on which ECS counts fewer tasks than are known to be there: one of them has ended, and somebody may
/// wait for its place.
pub fn short_of(fleet: &Fleet, tasks: &Tasks) -> BTreeSet<String> {
    let mut known: BTreeMap<&String, usize> = BTreeMap::new();
    // These are the ones that ECS counts.
    let counted = |task: &&Task| matches!(task.status, TaskStatus::Pending | TaskStatus::Running);
    for on in tasks.by_arn.values().filter(counted).filter_map(|task| task.container_instance.as_ref()) {
        *known.entry(on).or_default() += 1;
    }
    let told = |instance: &Instance| usize::try_from(instance.tasks).unwrap_or(usize::MAX);
    let is_short =
        |instance: &&Instance| known.get(&instance.arn).is_some_and(|count| told(instance) < *count);
    fleet.instances.iter().filter(is_short).map(|instance| instance.arn.clone()).collect()
}

/// What the records want of a fleet that was read at `fleet_at`.
pub fn demand<'a>(
    records: impl Iterator<Item = &'a ServiceRecord>,
    tasks: &Tasks,
    fleet_at: Option<Timestamp>,
) -> Demand {
    let mut demand = Demand::default();
    let mut between = Vec::new();
    for task in tasks.by_arn.values().filter(|task| task.status != TaskStatus::Stopped) {
        if let Some(on) = &task.container_instance {
            *demand.occupied.entry(on.clone()).or_default() += 1;
        }
    }
    // Started, and only its record does not say so yet.
    let started: BTreeSet<&Identity> = tasks
        .by_arn
        .values()
        .filter(|task| task.status != TaskStatus::Stopped)
        .filter_map(|task| task.identity.as_ref())
        .collect();
    let (mut awake, mut largest) = (false, Resources::default());
    for record in records {
        let (resources, architecture) = (service_resources(&record.spec), record.spec.architecture);
        awake |= record.desired == Desired::Awake;
        largest = largest.max(resources);
        // Between two pairs it still wants its instance, but none that another can use right now.
        if record.pair.is_none() && record.desired == Desired::Awake {
            let since = record.last_wake.as_ref().map_or(record.created_at, |wake| wake.at);
            between.push(Want {
                service: record.name.clone(),
                resources,
                architecture,
                since,
                in_flight: false,
            });
        }
        for pair in record.pairs() {
            let intent = &pair.service;
            if !intent.is_open() || intent.parameters.launch != Launch::Ec2 {
                continue;
            }
            match &intent.task_arn {
                None if started.contains(&identity(&record.name, pair.id, Role::Service)) => {}
                None if pair.condemned.is_none() && record.desired == Desired::Awake => {
                    demand.waiting.push(Want {
                        service: record.name.clone(),
                        resources,
                        architecture,
                        since: pair.intended_at,
                        in_flight: false,
                    });
                }
                None => {}
                Some(arn) => {
                    let on = tasks.by_arn.get(arn).and_then(|task| task.container_instance.clone());
                    if let Some(on) = on
                        && intent.started_at >= fleet_at
                    {
                        demand.placed_since.push((on, resources));
                    }
                }
            }
        }
    }
    demand.slot = awake.then_some(largest);
    for wants in [&mut demand.waiting, &mut between] {
        wants.sort_by(|a, b| (a.since, &a.service).cmp(&(b.since, &b.service)));
    }
    demand.waiting.append(&mut between);
    demand
}

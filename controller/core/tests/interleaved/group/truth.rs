//! What is true of instances, and of what runs on them.

use super::{SIZE, TASK};
use crate::part::{Print, Printer};
use dormouse_core::capacity::{Demand, Want};
use dormouse_core::observed::{Fleet, Instance, Member};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is true.
#[derive(Debug, Clone)]
pub struct Truth {
    pub(super) fleet: Fleet,
    /// Services that wait for an instance.
    pub(super) waiting: BTreeSet<u8>,
    /// Service → the instance that its task runs on.
    pub(super) on: BTreeMap<u8, String>,
    /// Instance → since when it drains.
    pub(super) draining: BTreeMap<String, Timestamp>,
    /// Instances that there ever were.
    pub(super) launched: u8,
    /// The group protects what it launches, as that of the guide does.
    pub(super) protects: bool,
}

impl Print for Truth {
    fn print(&self, to: &mut Printer) {
        to.add(&self.fleet);
        to.hash((&self.waiting, &self.on, &self.draining, self.launched));
    }
}

impl Truth {
    pub(super) fn is_part(&self, id: &str) -> bool {
        self.fleet.group.members.iter().any(|member| member.ec2_id == id && member.is_part())
    }

    pub(super) fn there(&self) -> u32 {
        u32::try_from(self.fleet.group.members.len()).unwrap()
    }

    pub(super) fn launch(&mut self) {
        self.launched += 1;
        let (id, arn) = (format!("i-{}", self.launched), format!("instance/{}", self.launched));
        self.fleet.group.members.push(Member {
            ec2_id: id.clone(),
            lifecycle: "InService".into(),
            protected: self.protects,
        });
        self.fleet.instances.push(Instance {
            arn,
            ec2_id: id,
            active: true,
            status: "ACTIVE".into(),
            connected: true,
            registered: SIZE,
            remaining: SIZE,
            architecture: None,
            tasks: 0,
        });
    }

    pub(super) fn gone(&mut self, id: &str) {
        self.fleet.instances.retain(|instance| instance.ec2_id != id);
        self.fleet.group.members.retain(|member| member.ec2_id != id);
        self.draining.remove(id);
    }

    /// A task comes to an instance, or leaves it.
    pub(super) fn load(&mut self, arn: &str, comes: bool) {
        for instance in self.fleet.instances.iter_mut().filter(|instance| instance.arn == arn) {
            instance.tasks = u32::from(comes);
            instance.remaining = if comes { SIZE.minus(TASK) } else { SIZE };
        }
    }

    /// An instance to which ECS would take one more task.
    pub(super) fn free(&self) -> Option<&Instance> {
        self.fleet.instances.iter().find(|instance| instance.active && instance.tasks == 0)
    }

    pub(super) fn busy(&self, id: &str) -> Option<u8> {
        let arn = &self.fleet.instances.iter().find(|instance| instance.ec2_id == id)?.arn;
        self.on.iter().find(|(_, on)| *on == arn).map(|(service, _)| *service)
    }

    pub(super) fn demand(&self, now: Timestamp) -> Demand {
        let want = |service: &u8| Want {
            service: service.to_string(),
            resources: TASK,
            architecture: None,
            since: now,
            in_flight: false,
        };
        let mut occupied = BTreeMap::new();
        self.on.values().for_each(|on| *occupied.entry(on.clone()).or_default() += 1);
        Demand { waiting: self.waiting.iter().map(want).collect(), occupied, ..Demand::default() }
    }
}

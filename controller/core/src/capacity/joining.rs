//! Instances that boot and are about to join their cluster.

use super::Demand;
use crate::intent::since;
use crate::observed::Fleet;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// A wake that has waited for longer than this is not held up by how often one looks.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whether somebody waits for an instance that the group has and the cluster does not have yet.
pub fn is_awaited(fleet: &Fleet, demand: &Demand, now: Timestamp) -> bool {
    let joined = |ec2_id: &str| fleet.instances.iter().any(|instance| instance.ec2_id == ec2_id);
    demand.waiting.iter().any(|want| since(now, want.since) < PATIENCE)
        && fleet.group.members.iter().any(|member| member.is_part() && !joined(&member.ec2_id))
}

/// Whether the group is to have more instances than have joined, and speak with ECS.
pub fn is_joining(fleet: &Fleet) -> bool {
    let there = fleet.own().filter(|instance| instance.connected).count();
    usize::try_from(fleet.group.desired).unwrap_or(usize::MAX) > there
}

/// Whether one of the container instances `listed` (ARNs) has joined since the fleet was read.
pub fn has_joined(fleet: &Fleet, listed: &[String]) -> bool {
    let known: BTreeSet<&str> = fleet.instances.iter().map(|instance| instance.arn.as_str()).collect();
    listed.iter().any(|arn| !known.contains(arn.as_str()))
}

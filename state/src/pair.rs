//! The intents of a proxy task and a service task that live and die together.
//!
//! An intent holds every parameter of its RunTask call, so that a retry, a restarted controller or a second
//! one makes the very same call under the same client token and gets the same task back.

use crate::shared::Shared;
use dormouse_manifests::Protocol;
use dormouse_peer::wire::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a pair for ever: no two pairs of a service share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairId {
    /// The wake epoch that the pair was made for.
    pub epoch: u64,
    /// Which try within the epoch, from a number of the row's own on: a row that is made anew gives no name again.
    pub attempt: u32,
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.attempt)
    }
}

/// How a task gets its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Launch {
    /// On the instances of the service cluster.
    Ec2,
    /// On Fargate.
    Fargate,
    /// On Fargate Spot, which AWS may take back with two minutes' notice.
    FargateSpot,
}

/// Everything a RunTask call says besides who the task is. Never changes once intended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunParameters {
    /// Cluster name or ARN.
    pub cluster: String,
    /// Task definition ARN, with its revision.
    pub task_definition: String,
    /// The container that gets the token and the controller's address.
    pub container: String,
    /// Subnets of the task's network interface.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Where it runs.
    pub launch: Launch,
    /// Whether it asks for a public address (Fargate only: awsvpc tasks on EC2 never get one).
    pub public_ip: bool,
    /// Where its sidecar finds the controller.
    pub controller_url: String,
    /// Tells a service from a deleted one of the same name, whose epochs were the same.
    #[serde(default)]
    pub incarnation: String,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskEnd {
    /// When that was noticed.
    pub at: Timestamp,
    /// ECS's `stopCode`, or `Missing` when the task is no longer known to ECS.
    pub code: String,
    /// ECS's `stoppedReason`, with the container's own reason when there is one.
    pub reason: String,
    /// The task asked for its own end: nothing failed.
    #[serde(default)]
    pub clean: bool,
}

/// The durable intent of one task, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskIntent {
    /// What RunTask is told.
    pub parameters: Shared<RunParameters>,
    /// Since when RunTask may have been called; before that, no task can exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<Timestamp>,
    /// The task that RunTask answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// When the task's ARN was learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Since when StopTask is intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<Timestamp>,
    /// How it ended; nothing is done for it afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<TaskEnd>,
}

impl TaskIntent {
    /// A task that is intended and not yet run.
    pub fn new(parameters: RunParameters) -> TaskIntent {
        TaskIntent {
            parameters: parameters.into(),
            attempted_at: None,
            task_arn: None,
            started_at: None,
            stop_at: None,
            end: None,
        }
    }

    /// Whether a task may exist for it.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }
}

/// What of its manifest a pair runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    /// Differs whenever tasks of their own are needed for a manifest.
    pub version: String,
    /// Port that its container listens on.
    pub port: u16,
    /// What its container speaks.
    pub protocol: Protocol,
}

/// A proxy task and a service task. When one of them ends, the other is of no use: both go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// Its name.
    pub id: PairId,
    /// When it was intended.
    pub intended_at: Timestamp,
    /// The generation of the manifest that it runs.
    pub generation: u64,
    /// What of the manifest it runs; absent in rows from before that was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Runs>,
    /// When it was first ready to be used through its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// Since when its service has been ready, where that is longer: it took over from a pair that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_before: Option<Timestamp>,
    /// Since when the pair is to end, and why. Never taken back: a wake after it makes a new pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condemned: Option<(Timestamp, String)>,
    /// It ends because a newer pair took its place while it worked: it serves until nobody is led to it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// Since when its proxy, replaced, is told to be a lame duck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_at: Option<Timestamp>,
    /// Why its service task is on Fargate and not on an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_fargate: Option<String>,
    /// The proxy task.
    pub proxy: TaskIntent,
    /// The service task.
    pub service: TaskIntent,
}

impl Pair {
    /// Since when a task of it was up, and until when one of them may have been; `None` when there never was one.
    pub fn ran(&self) -> Option<(Timestamp, Timestamp)> {
        let tasks = [&self.proxy, &self.service].into_iter().filter(|intent| intent.started_at.is_some());
        let from = tasks.clone().filter_map(|intent| intent.started_at).min()?;
        // A start may be dated anew when another controller comes to lead.
        let from = self.ready_at.map_or(from, |ready| ready.min(from));
        let ends = tasks.filter_map(|intent| intent.end.as_ref().map(|end| end.at));
        Some((from, ends.max().unwrap_or(from)))
    }

    /// Since when its service has been ready, through this pair and those that it took over from.
    pub fn service_ready_at(&self) -> Option<Timestamp> {
        self.ready_before.or(self.ready_at)
    }

    /// The intent of one role.
    pub fn task(&self, role: Role) -> &TaskIntent {
        match role {
            Role::Proxy => &self.proxy,
            Role::Service => &self.service,
        }
    }

    /// The same, to change it.
    pub fn task_mut(&mut self, role: Role) -> &mut TaskIntent {
        match role {
            Role::Proxy => &mut self.proxy,
            Role::Service => &mut self.service,
        }
    }

    /// Whether it serves on although a newer pair took its place.
    pub fn serves_on(&self) -> bool {
        self.replaced && self.drain_at.is_none() && self.proxy.is_open() && self.service.is_open()
    }

    /// Whether nothing of it can exist any more.
    pub fn is_over(&self) -> bool {
        !self.proxy.is_open() && !self.service.is_open()
    }
}

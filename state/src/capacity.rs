//! What must survive a restart while instances come and go: the intents of the capacity reconciler.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The removal of one instance, in steps: intended, draining, terminated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Since when it is intended.
    pub intended_at: Timestamp,
    /// Since when the instance was seen DRAINING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_at: Option<Timestamp>,
    /// When Terminate was intended, or last tried again; from here on there is no way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate_at: Option<Timestamp>,
}

/// What an instance has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSize {
    /// CPU units, 1024 a vCPU.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
}

/// An instance could not be launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lack {
    /// When that was last seen.
    pub at: Timestamp,
    /// AWS's words.
    pub why: String,
}

/// The remembered side of one Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CapacityMemory {
    /// The desired capacity that was last asked for, before the call was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u32>,
    /// When that was. Until a reading can be no older than it, no smaller capacity is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The largest instance that was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<InstanceSize>,
    /// Why the group last failed to launch an instance, for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lack: Option<Lack>,
    /// EC2 instance id → its removal.
    pub removals: BTreeMap<String, Removal>,
    /// EC2 instance id → since when no task was seen on it.
    pub empty_since: BTreeMap<String, Timestamp>,
}

//! A service, an instance and an event as the API shows them.
//!
//! # Layout
//!
//! - this file: the forms; `shown`: a record in its form; `newest`: events of many records

mod newest;
mod shown;

pub use newest::newest_events;
pub use shown::{backend, instances, service, template};

use crate::keepers::Keeper;
use dormouse_manifests::{ServiceSpec, TemplateSpec, TimeText};
use dormouse_state::{Cause, Condition, Desired, Event, Months, Phase, Shared};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A service as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// `dormouse.dev/v1`.
    pub api_version: String,
    /// `Service`.
    pub kind: String,
    /// Name, labels, and what the server adds.
    pub metadata: MetadataView,
    /// The manifest's spec, defaults resolved.
    #[schemars(with = "ServiceSpec")]
    pub spec: Shared<ServiceSpec>,
    /// What is known of it.
    pub status: Status,
}

/// Name, labels, and what the server adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetadataView {
    /// DNS label.
    pub name: String,
    /// Labels of the manifest.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Grows with each change of labels or spec.
    pub generation: u64,
    /// When it was declared.
    #[schemars(with = "TimeText")]
    pub creation_timestamp: Timestamp,
    /// It is being deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
}

/// What is known of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Derived from what is observed.
    pub phase: Phase,
    /// The remembered intention.
    pub desired: Desired,
    /// The generation that the last plan worked from.
    pub observed_generation: u64,
    /// Where users find it.
    pub url: String,
    /// Wake epoch.
    pub epoch: u64,
    /// Sorted by type.
    #[schemars(with = "Vec<Condition>")]
    pub conditions: Shared<Vec<Condition>>,
    /// The service task, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<TaskView>,
    /// The proxy task, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<TaskView>,
    /// Where the user's container answers, directly, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<SocketAddr>,
    /// Use.
    pub activity: ActivityView,
    /// The last wake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_wake: Option<Cause>,
    /// The last sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sleep: Option<Cause>,
    /// The template that it was made from; absent when somebody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFromView>,
    /// How long its last wakes took, in milliseconds, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wakes: Vec<u32>,
    /// Not put to sleep for idleness before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub awake_until: Option<Timestamp>,
    /// Put to sleep by then, even while it is used (`spec.maxAwake`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub sleeps_by: Option<Timestamp>,
    /// Who or what keeps it from falling asleep right now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_awake_by: Vec<Keeper>,
    /// Wakes by requests today, as UTC counts days.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wakes_today: u32,
    /// What became of a changed manifest, while there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutView>,
    /// How long tasks of earlier wakes were up: seconds by month.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake: Months,
    /// Since when tasks of it are up, while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub awake_since: Option<Timestamp>,
    /// The part of `awake` with its own task on Fargate and not on an instance.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake_on_fargate: Months,
    /// Since when it is there, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub on_fargate_since: Option<Timestamp>,
    /// Since when all of these are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub metered_since: Option<Timestamp>,
    /// Its events that the webhook is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<UntoldView>,
    /// Pairs of tasks in a row that were lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// After a loss: no new pair before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub retry_at: Option<Timestamp>,
}

impl Status {
    /// When it falls asleep if nobody uses it. While it comes up, `activity.idle_at` is when it is given up instead.
    pub fn sleeps_at(&self) -> Option<Timestamp> {
        self.activity.idle_at.filter(|_| self.phase != Phase::Waking)
    }
}

// serde's `skip_serializing_if` hands a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Events that the webhook is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UntoldView {
    /// How many.
    pub count: usize,
    /// When the oldest of them happened.
    #[schemars(with = "TimeText")]
    pub since: Timestamp,
}

/// The template that a service was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeFromView {
    /// Its name.
    pub template: String,
    /// It is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphaned: bool,
    /// While it sleeps: when it is deleted, unless somebody wakes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub expires_at: Option<Timestamp>,
}

/// A template as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// `dormouse.dev/v1`.
    pub api_version: String,
    /// `ServiceTemplate`.
    pub kind: String,
    /// Name, labels, and what the server adds.
    pub metadata: MetadataView,
    /// As it was declared, defaults resolved.
    pub spec: TemplateSpec,
    /// What is known of it.
    pub status: TemplateStatus,
}

/// What is known of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStatus {
    /// The services that were made from it, by name.
    pub services: Vec<String>,
}

/// A changed manifest on its way into use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// Its generation.
    pub generation: u64,
    /// A pair of it is getting ready beside the one that serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// How many pairs of it did not become ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Why the last of them did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// It failed its check: the manifest before it is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
    /// No further try before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub retry_at: Option<Timestamp>,
}

/// A task of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// ARN; absent while it is only intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// Private address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Public address; proxies only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<String>,
    /// ECS's `lastStatus`, or `INTENDED`.
    pub state: String,
}

/// Use of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    /// Requests and sockets open right now.
    pub in_flight: u64,
    /// Of these, sockets.
    #[serde(default)]
    pub open_sockets: u64,
    /// Last use.
    #[schemars(with = "TimeText")]
    pub last_request_at: Timestamp,
    /// When it falls asleep if nobody uses it (while it comes up: when it is given up if nobody asks for it); absent:
    /// not before something changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub idle_at: Option<Timestamp>,
}

/// An instance as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// EC2 instance id.
    pub id: String,
    /// Auto Scaling lifecycle, e.g. `InService`; absent when the group does not list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// ECS status, e.g. `ACTIVE`; absent until it joined the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Protected from scale-in.
    pub protected: bool,
    /// Tasks on it, of whomever.
    pub tasks: u32,
    /// Names of the services on it.
    pub services: Vec<String>,
}

/// An event as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// The service it happened to.
    pub service: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

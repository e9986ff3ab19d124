//! What the control plane asks of a cloud: small ports, with every error sorted by what can be done about it.
//!
//! The adapters of this crate implement them over the AWS SDK; tests and simulations implement them over
//! plain data. A list is complete, or it is an error: no caller ever sees half of one.

use async_trait::async_trait;
use dormouse_core::definition::{Architecture, Content};
use dormouse_core::dns::Change;
use dormouse_core::logs::{Event, Window};
use dormouse_core::observed::{Group, Instance, RecordSet, Task};
use dormouse_peer::token::Identity;
use dormouse_state::RunParameters;
use std::collections::{BTreeMap, BTreeSet};

/// Why a call did not do what it was asked, by what a caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// Too many calls: later.
    #[error("{operation} was throttled")]
    Throttled {
        /// E.g. `ecs:RunTask`.
        operation: &'static str,
    },
    /// The caller lacks a permission.
    #[error("{operation} is not allowed: {message}")]
    Denied {
        /// E.g. `ecs:RunTask`.
        operation: &'static str,
        /// AWS's words, which name the resource.
        message: String,
    },
    /// No answer, or a server error: the effect may or may not have happened.
    #[error("{operation} was not answered: {message}")]
    Unknown {
        /// E.g. `ecs:RunTask`.
        operation: &'static str,
        /// What went wrong.
        message: String,
    },
    /// AWS refused: the same call will be refused again.
    #[error("{operation} was refused: {code}: {message}")]
    Refused {
        /// E.g. `ecs:RunTask`.
        operation: &'static str,
        /// AWS's error code.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// What the call is about does not exist.
    #[error("{operation}: not found: {message}")]
    NotFound {
        /// E.g. `ecs:StopTask`.
        operation: &'static str,
        /// AWS's words.
        message: String,
    },
}

impl CloudError {
    /// Whether it says nothing of the call itself: the very same one may be taken at any moment.
    pub fn passes(&self) -> bool {
        matches!(self, CloudError::Throttled { .. } | CloudError::Unknown { .. })
    }
}

/// Answer of RunTask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAnswer {
    /// It runs, or will; the same task for every call with the same client token.
    Started(Box<Task>),
    /// No instance has room: `RESOURCE:CPU`, `RESOURCE:MEMORY`, `RESOURCE:ENI`, `AGENT`, …; or there is none at
    /// all (`NO_INSTANCES`). Nothing was started.
    NoRoom(String),
    /// The Fargate pool that was asked for has no capacity right now. Nothing was started.
    NoCapacity(String),
    /// Nothing was started, for another reason (`failures[]`).
    Failed(String),
    /// The client token was used with other parameters (ConflictException): the intent is burnt. The tasks
    /// that hold it, by ARN.
    TokenConflict(Vec<String>),
}

/// One RunTask call. A pure function of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCall {
    /// Which task it is to be.
    pub identity: Identity,
    /// `startedBy`.
    pub started_by: String,
    /// Idempotency token.
    pub client_token: String,
    /// The container that gets `env`, and everything else.
    pub parameters: RunParameters,
    /// Environment overrides of `parameters.container`.
    pub env: BTreeMap<String, String>,
    /// Tags of the task.
    pub tags: BTreeMap<String, String>,
}

/// Answer of DescribeTasks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Described {
    /// Those that are known.
    pub tasks: Vec<Task>,
    /// Those that ECS answered MISSING for.
    pub missing: BTreeSet<String>,
}

/// Tasks and their definitions (ECS).
#[async_trait]
pub trait Tasks: Send + Sync {
    /// ARNs of the tasks of `started_by` in a cluster that ECS does not want stopped. All pages.
    async fn list(&self, cluster: &str, started_by: &str) -> Result<Vec<String>, CloudError>;

    /// Describes any number of tasks. A task that does not carry `started_by` comes without an identity.
    async fn describe(
        &self,
        cluster: &str,
        started_by: &str,
        arns: &[String],
    ) -> Result<Described, CloudError>;

    /// Starts one task.
    async fn run(&self, call: &RunCall) -> Result<RunAnswer, CloudError>;

    /// Stops a task; one that is already over is success. Of one that ECS knows nothing of nobody can tell: it may be
    /// fresh, or long gone.
    async fn stop(&self, cluster: &str, arn: &str, reason: &str) -> Result<(), CloudError>;

    /// Registers a definition and answers its ARN. An ACTIVE revision of the same family that carries the same
    /// content hash and install in its tags is answered instead of registering it twice.
    async fn register(&self, install: &str, content: &Content) -> Result<String, CloudError>;

    /// Deregisters a revision if it carries this install's tag; one that is not there is success.
    async fn deregister(&self, install: &str, arn: &str) -> Result<(), CloudError>;

    /// ARNs of all ACTIVE revisions of a family.
    async fn revisions(&self, family: &str) -> Result<Vec<String>, CloudError>;
}

/// Container instances (ECS).
#[async_trait]
pub trait Instances: Send + Sync {
    /// All container instances of a cluster in any state. All pages.
    async fn instances(&self, cluster: &str) -> Result<Vec<Instance>, CloudError>;

    /// Their ARNs only: one call for every 100. All pages.
    async fn listed(&self, cluster: &str) -> Result<Vec<String>, CloudError>;

    /// Sets instances DRAINING (`true`) or ACTIVE.
    async fn set_draining(&self, cluster: &str, arns: &[String], draining: bool) -> Result<(), CloudError>;
}

/// An Auto Scaling group.
#[async_trait]
pub trait Groups: Send + Sync {
    /// The group; `NotFound` when there is none of that name.
    async fn group(&self, name: &str) -> Result<Group, CloudError>;

    /// Why the newest scaling activity failed, when it did.
    async fn launch_failure(&self, name: &str) -> Result<Option<String>, CloudError>;

    /// Processor of the instances that it launches; `None`: it cannot be told, or they are of several.
    async fn launches(&self, name: &str) -> Result<Option<Architecture>, CloudError>;

    /// SetDesiredCapacity. Only ever called to raise it.
    async fn set_desired(&self, name: &str, desired: u32) -> Result<(), CloudError>;

    /// Protects instances from scale-in.
    async fn protect(&self, name: &str, ec2_ids: &[String]) -> Result<(), CloudError>;

    /// Terminates an instance and lowers the desired capacity by one; one that is gone is success.
    async fn terminate(&self, ec2_id: &str) -> Result<(), CloudError>;
}

/// Answer of ChangeResourceRecordSets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// Accepted whole; not yet on every name server.
    Accepted {
        /// To ask with.
        change_id: String,
    },
    /// Refused whole (InvalidChangeBatch): AWS's words, one an entry.
    Refused(Vec<String>),
    /// Another change is under way (PriorRequestNotComplete): later.
    Busy,
}

/// Hosted zones (Route 53).
#[async_trait]
pub trait Zones: Send + Sync {
    /// All record sets of a zone. All pages.
    async fn records(&self, zone: &str) -> Result<Vec<RecordSet>, CloudError>;

    /// Applies a batch, whole or not at all.
    async fn change(&self, zone: &str, changes: &[Change], comment: &str)
    -> Result<ChangeAnswer, CloudError>;

    /// Whether a change has reached every name server.
    async fn is_insync(&self, change_id: &str) -> Result<bool, CloudError>;
}

/// Network interfaces (EC2).
#[async_trait]
pub trait Interfaces: Send + Sync {
    /// Public IPv4 addresses by interface id; those without one, or unknown, are left out.
    async fn public_addresses(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError>;
}

/// Lines of a log group, as one answer has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogPage {
    /// In no order.
    pub events: Vec<Event>,
    /// Where the rest begins, if there may be more.
    pub next: Option<String>,
}

/// What containers wrote (CloudWatch Logs).
#[async_trait]
pub trait Logs: Send + Sync {
    /// A page of the lines in a stretch of time, of the streams of a group whose names begin with `prefix`; `next` is
    /// the page's before. The pages go from the stretch's beginning to its end; one may be empty and not the last.
    async fn page(
        &self,
        group: &str,
        prefix: &str,
        window: Window,
        next: Option<&str>,
    ) -> Result<LogPage, CloudError>;
}

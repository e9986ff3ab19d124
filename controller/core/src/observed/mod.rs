//! What the cloud and the sidecars said, as plain data. Absence of a value always means "unknown".

mod beats;
mod task_map;

pub use beats::Beats;
pub use task_map::TaskMap;

use dormouse_manifests::Architecture;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::{Activity, PeerHealth, SidecarState};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An ECS task's `lastStatus`, in the order of its life.
///
/// Source: Amazon ECS Developer Guide, "Amazon ECS task lifecycle".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskStatus {
    /// Waits for its network interface.
    Provisioning,
    /// Waits for the agent: pulls, creates.
    Pending,
    /// Started, not yet registered (services with load balancers only).
    Activating,
    /// Runs.
    Running,
    /// Deregisters.
    Deactivating,
    /// Its containers are being stopped.
    Stopping,
    /// Its network interface goes.
    Deprovisioning,
    /// Over.
    Stopped,
}

impl TaskStatus {
    /// ECS's word for it; a word that is not known (ECS added some before) counts as `Pending`.
    pub fn parse(word: &str) -> TaskStatus {
        match word {
            "PROVISIONING" => TaskStatus::Provisioning,
            "ACTIVATING" => TaskStatus::Activating,
            "RUNNING" => TaskStatus::Running,
            "DEACTIVATING" => TaskStatus::Deactivating,
            "STOPPING" => TaskStatus::Stopping,
            "DEPROVISIONING" => TaskStatus::Deprovisioning,
            "STOPPED" | "DELETED" => TaskStatus::Stopped,
            _ => TaskStatus::Pending,
        }
    }

    /// ECS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskStatus::Provisioning => "PROVISIONING",
            TaskStatus::Pending => "PENDING",
            TaskStatus::Activating => "ACTIVATING",
            TaskStatus::Running => "RUNNING",
            TaskStatus::Deactivating => "DEACTIVATING",
            TaskStatus::Stopping => "STOPPING",
            TaskStatus::Deprovisioning => "DEPROVISIONING",
            TaskStatus::Stopped => "STOPPED",
        }
    }
}

/// A task as ECS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// ARN.
    pub arn: String,
    /// Cluster name as asked for.
    pub cluster: String,
    /// Whose it is; `None` for a task that does not carry this installation's mark.
    pub identity: Option<Identity>,
    /// Where it is.
    pub status: TaskStatus,
    /// ECS wants it stopped (`desiredStatus` STOPPED).
    pub stopping: bool,
    /// Private IPv4 address.
    pub private_address: Option<String>,
    /// Network interface.
    pub interface: Option<String>,
    /// Public address of that interface, from EC2.
    pub public_address: Option<String>,
    /// ARN of the container instance it was placed on.
    pub container_instance: Option<String>,
    /// `stopCode`.
    pub stop_code: Option<String>,
    /// `stoppedReason`, with the container's reason behind it when there is one.
    pub stopped_reason: Option<String>,
    /// Exit code by container name, of those that ended.
    pub exit_codes: BTreeMap<String, i32>,
}

impl Task {
    /// One that RunTask has just made: PROVISIONING, and nothing else is known of it.
    pub fn made(arn: impl Into<String>, cluster: impl Into<String>, identity: Option<Identity>) -> Task {
        Task {
            arn: arn.into(),
            cluster: cluster.into(),
            identity,
            status: TaskStatus::Provisioning,
            stopping: false,
            private_address: None,
            interface: None,
            public_address: None,
            container_instance: None,
            stop_code: None,
            stopped_reason: None,
            exit_codes: BTreeMap::new(),
        }
    }

    /// Whether it is past RUNNING or on its way there.
    pub fn is_ending(&self) -> bool {
        self.stopping || self.status > TaskStatus::Running
    }
}

/// All tasks of this installation that are known, from one sweep and the describes since.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tasks {
    /// By ARN.
    pub by_arn: TaskMap,
    /// Described and answered MISSING: not yet, or no more.
    pub missing: BTreeSet<String>,
    /// When the last complete listing began; `None` before the first. Nothing may be created or destroyed
    /// before, and a task that was made after it need not be in it.
    pub listed_at: Option<Timestamp>,
}

/// A container instance with its EC2 side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Container instance ARN.
    pub arn: String,
    /// EC2 instance id.
    pub ec2_id: String,
    /// ACTIVE (`true`) or DRAINING and the like.
    pub active: bool,
    /// Status word.
    pub status: String,
    /// The agent's connection: without it nothing is placed there.
    pub connected: bool,
    /// CPU units and MiB in all.
    pub registered: Resources,
    /// CPU units and MiB that are free.
    pub remaining: Resources,
    /// Its processor, as its agent says; `None`: nobody said.
    pub architecture: Option<Architecture>,
    /// Tasks in PENDING and RUNNING, of whomever.
    pub tasks: u32,
}

/// CPU units and memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Resources {
    /// CPU units, 1024 a vCPU.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
}

impl Resources {
    /// Whether `wanted` fits.
    pub fn fits(self, wanted: Resources) -> bool {
        wanted.cpu <= self.cpu && wanted.memory <= self.memory
    }

    /// As much as the larger of the two, of each.
    pub fn max(self, other: Resources) -> Resources {
        Resources { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }

    /// What is left after `taken`; 0 at least.
    pub fn minus(self, taken: Resources) -> Resources {
        Resources {
            cpu: self.cpu.saturating_sub(taken.cpu),
            memory: self.memory.saturating_sub(taken.memory),
        }
    }
}

/// An Auto Scaling group's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// EC2 instance id.
    pub ec2_id: String,
    /// `Pending`, `InService`, `Terminating:Wait`, `Warmed:Stopped` …
    pub lifecycle: String,
    /// Whether it is protected from scale-in.
    pub protected: bool,
}

impl Member {
    /// Whether it is one of the instances that are desired: not on its way out, and not in the group's warm pool, from
    /// which Auto Scaling itself takes when more are desired.
    ///
    /// Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling instance lifecycle".
    pub fn is_part(&self) -> bool {
        !["Terminat", "Detach", "Warmed:"].iter().any(|state| self.lifecycle.starts_with(state))
    }
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Smallest size.
    pub min: u32,
    /// Largest size.
    pub max: u32,
    /// Desired capacity.
    pub desired: u32,
    /// Its instances.
    pub members: Vec<Member>,
}

/// Instances and their group, read together and completely.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Container instances of the service cluster.
    pub instances: Vec<Instance>,
    /// The group behind it.
    pub group: Group,
    /// Why the group's last launch failed, in AWS's words, when it did.
    pub launch_failure: Option<String>,
    /// Processor of the instances that the group launches, as it was last read; `None`: not known, or of several.
    pub launches: Option<Architecture>,
}

impl Fleet {
    /// The container instances that are the group's. In the same cluster there may be others': tasks find room there, too,
    /// and what they are says nothing of what the group launches.
    pub fn own(&self) -> impl Iterator<Item = &Instance> {
        let of_the_group = |id: &str| self.group.members.iter().any(|member| member.ec2_id == id);
        self.instances.iter().filter(move |instance| of_the_group(&instance.ec2_id))
    }
}

/// A record set of a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordSet {
    /// Lower case, no trailing dot, `*` unescaped.
    pub name: String,
    /// `A`, `TXT` …
    pub kind: String,
    /// Seconds; `None` for aliases and other sets without one.
    pub ttl: Option<u64>,
    /// Values as Route 53 has them (TXT with quotes), sorted.
    pub values: Vec<String>,
    /// A set with an alias target, a routing policy or a set identifier: never ours.
    pub special: bool,
}

/// What a sidecar reported last, with the time at which it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// When it came in, on the controller's clock.
    pub at: Timestamp,
    /// How far the sidecar is.
    pub state: SidecarState,
    /// Its view of the other half.
    pub peer: Option<PeerHealth>,
    /// Traffic; from proxies.
    pub activity: Option<Activity>,
    /// The user's container asks for sleep.
    pub sleep_requested: Option<String>,
    /// The user's container says that it is busy; from service sidecars that ask it.
    pub busy: Option<bool>,
    /// Words on its state.
    pub detail: Option<String>,
    /// Since when it says, without a break, that it drains.
    pub draining_since: Option<Timestamp>,
}

impl Beat {
    /// Tells how far a sidecar is, and no more.
    pub fn new(at: Timestamp, state: SidecarState) -> Beat {
        Beat {
            at,
            state,
            peer: None,
            activity: None,
            sleep_requested: None,
            busy: None,
            detail: None,
            draining_since: None,
        }
    }

    /// The same as the one that comes after `before`.
    #[must_use]
    pub fn after(mut self, before: Option<&Beat>) -> Beat {
        let since = || before.and_then(|before| before.draining_since).unwrap_or(self.at);
        self.draining_since = (self.state == SidecarState::Draining).then(since);
        self
    }
}

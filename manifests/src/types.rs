//! The Service manifest as plain data, every default resolved.
//!
//! # Layout
//!
//! - this file: the service and its container; `wake`: what wakes it; `proxy`: its proxy

mod proxy;
mod wake;

pub use proxy::{ProxyProtocol, ProxySpec, Timeouts};
pub use wake::{Access, Ignore, Theme, Wake};

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration;
use crate::patterns;
use crate::window::AwakeWindow;

/// The version of the manifest format that this crate reads and writes.
pub const API_VERSION: &str = "dormouse.dev/v1";

/// The kind of document that declares one service.
pub const KIND: &str = "Service";

/// Version of the manifest format.
// An enum, so that a document of another version never becomes a value; the same for the kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// `dormouse.dev/v1`.
    #[default]
    #[serde(rename = "dormouse.dev/v1")]
    V1,
}

/// Kind of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// `Service`.
    #[default]
    Service,
}

/// One declared service: a container that sleeps until somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// `dormouse.dev/v1`.
    pub api_version: ApiVersion,
    /// `Service`.
    pub kind: Kind,
    /// Name and labels.
    pub metadata: Metadata,
    /// What runs, when it sleeps and what wakes it.
    pub spec: ServiceSpec,
}

impl Service {
    /// A service of the current version, without labels.
    pub fn new(name: impl Into<String>, spec: ServiceSpec) -> Service {
        Service {
            api_version: ApiVersion::V1,
            kind: Kind::Service,
            metadata: Metadata { name: name.into(), labels: BTreeMap::new() },
            spec,
        }
    }
}

/// Name and labels of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// DNS label: the service answers at `<name>.<domain>`.
    #[schemars(length(min = 1, max = 63), regex(pattern = patterns::DNS_LABEL))]
    pub name: String,
    /// Free-form labels, to select and to group by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What runs, when it sleeps and what wakes it. Exactly one of `image` and `taskDefinition` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["image"]}, {"required": ["taskDefinition"]}]))]
pub struct ServiceSpec {
    /// Container image; the task definition is then written and registered for you.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = patterns::IMAGE))]
    pub image: Option<String>,
    /// An existing task definition instead of an image: `family`, `family:revision` or its ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = patterns::TASK_DEFINITION))]
    pub task_definition: Option<String>,
    /// With `taskDefinition`: which of its containers is the service's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = patterns::CONTAINER))]
    pub container: Option<String>,
    /// Arguments in place of the image's `CMD`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Program in place of the image's `ENTRYPOINT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entry_point: Vec<String>,
    /// Port that the container listens on.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// What is spoken on that port.
    #[serde(default)]
    pub protocol: Protocol,
    /// ECS CPU units of the service's container: 1024 are one vCPU.
    #[serde(default = "default_cpu")]
    #[schemars(range(min = 128, max = 196608))]
    pub cpu: u32,
    /// Memory of the service's container, in MiB.
    #[serde(default = "default_memory")]
    #[schemars(range(min = 6, max = 33554432))]
    pub memory: u32,
    /// Environment of the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = {"pattern": patterns::ENV_NAME}))]
    pub env: BTreeMap<String, String>,
    /// Environment from Secrets Manager or Parameter Store: name to ARN (or parameter name).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(
        with = "BTreeMap<String, patterns::SecretReference>",
        extend("propertyNames" = {"pattern": patterns::ENV_NAME})
    )]
    pub secrets: BTreeMap<String, String>,
    /// Role that the container's own AWS calls are made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = patterns::ROLE_ARN))]
    pub task_role_arn: Option<String>,
    /// How the service is probed.
    #[serde(default)]
    pub health: Health,
    /// How long without a request, socket or byte until it sleeps; `never` keeps it awake.
    #[serde(default)]
    pub idle_after: IdleAfter,
    /// An open socket over which no byte has moved for this long is no use, and may be cut off when it sleeps.
    #[serde(default, with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub websocket_idle: Option<Duration>,
    /// Path on the container that answers 200 and `busy` while it must not fall asleep for idleness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = patterns::PATH))]
    pub busy_path: Option<String>,
    /// It is put to sleep this long after its wake, even while it is used.
    #[serde(default, with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub max_awake: Option<Duration>,
    /// How long in-flight requests get once it is to sleep; `0s` cuts them off.
    #[serde(default = "default_drain", with = "duration::text")]
    #[schemars(with = "duration::DurationText")]
    pub drain: Duration,
    /// What wakes it, and what a caller sees meanwhile.
    #[serde(default)]
    pub wake: Wake,
    /// Windows in which it is kept awake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awake: Vec<AwakeWindow>,
    /// Processor that its image is built for; by default the installation's (`DORMOUSE_ARCHITECTURE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Architecture")]
    pub architecture: Option<Architecture>,
    /// Where its task runs when no instance is to be had for it.
    #[serde(default, skip_serializing_if = "Fallback::is_none")]
    pub fallback: Fallback,
    /// Names of services that are woken with it and slept after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        with = "Vec<patterns::ServiceName>",
        extend("uniqueItems" = true)
    )]
    pub depends_on: Vec<String>,
    /// A changed manifest is tried once, asleep or awake; when it does not come up, the last good one is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollout_check: bool,
    /// The proxy's own Fargate task.
    #[serde(default)]
    pub proxy: ProxySpec,
}

impl ServiceSpec {
    /// Every default, with this image.
    pub fn defaults_for(image: &str) -> ServiceSpec {
        ServiceSpec {
            image: Some(image.to_owned()),
            task_definition: None,
            container: None,
            command: Vec::new(),
            entry_point: Vec::new(),
            port: default_port(),
            protocol: Protocol::default(),
            cpu: default_cpu(),
            memory: default_memory(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            task_role_arn: None,
            health: Health::default(),
            idle_after: IdleAfter::default(),
            websocket_idle: None,
            busy_path: None,
            max_awake: None,
            drain: default_drain(),
            wake: Wake::default(),
            awake: Vec::new(),
            architecture: None,
            fallback: Fallback::None,
            depends_on: Vec::new(),
            rollout_check: false,
            proxy: ProxySpec::default(),
        }
    }
}

fn default_port() -> u16 {
    9050
}

fn default_cpu() -> u32 {
    256
}

fn default_memory() -> u32 {
    512
}

fn default_drain() -> Duration {
    Duration::from_secs(30)
}

/// What is spoken on the service's port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP, WebSocket upgrades included.
    #[default]
    Http,
    /// HTTP/2 without TLS to the service, as gRPC has it; HTTP/1.1 and HTTP/2 to it from outside. Probed by connecting.
    H2c,
    /// Any other protocol: bytes passed through as they are; probed by connecting.
    Tcp,
}

impl std::fmt::Display for Protocol {
    /// As it is written in a manifest.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Protocol::Http => "http",
            Protocol::H2c => "h2c",
            Protocol::Tcp => "tcp",
        })
    }
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Intel and AMD, 64 bit.
    #[serde(rename = "x86_64")]
    X86_64,
    /// ARM, 64 bit: Graviton.
    Arm64,
}

impl Architecture {
    /// From ECS's words, in whatever case; it has both for instances and for tasks.
    pub fn from_ecs(word: &str) -> Option<Architecture> {
        let all = [Architecture::X86_64, Architecture::Arm64];
        all.into_iter().find(|known| known.as_ecs().eq_ignore_ascii_case(word))
    }

    /// ECS's word for it; the price table's, too.
    pub fn as_ecs(self) -> &'static str {
        match self {
            Architecture::X86_64 => "X86_64",
            Architecture::Arm64 => "ARM64",
        }
    }
}

impl std::fmt::Display for Architecture {
    /// As it is written in a manifest, and as EC2 has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        })
    }
}

/// Where a service's task runs when no instance is to be had for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// Nowhere: it waits for an instance.
    #[default]
    None,
    /// On Fargate, until it sleeps. Its size is then one of Fargate's, on an instance, too.
    Fargate,
}

impl Fallback {
    /// Whether it waits for an instance.
    pub fn is_none(&self) -> bool {
        *self == Fallback::None
    }
}

/// How the service is probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Health {
    /// Path that answers with a status below 500 while it is well; unused with `protocol: h2c` and `tcp`.
    #[schemars(regex(pattern = patterns::PATH))]
    pub path: String,
    /// Time between two probes.
    #[serde(with = "duration::text")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub interval: Duration,
    /// Time a probe may take; at most the interval.
    #[serde(with = "duration::text")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub timeout: Duration,
    /// Failures in a row until it counts as broken.
    #[schemars(range(min = 1, max = 100))]
    pub failures: u32,
    /// How long failures do not count while it has never answered yet.
    #[serde(with = "duration::text")]
    #[schemars(with = "duration::DurationText")]
    pub grace_period: Duration,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            path: "/".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            failures: 5,
            grace_period: Duration::from_secs(5 * 60),
        }
    }
}

/// When it sleeps by itself. Written as `never` or as a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleAfter {
    /// It stays awake until it is put to sleep.
    Never,
    /// It sleeps after this long without a request, an open socket or a byte.
    After(Duration),
}

impl Default for IdleAfter {
    fn default() -> IdleAfter {
        IdleAfter::After(Duration::from_secs(15 * 60))
    }
}

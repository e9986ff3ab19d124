//! What a controller is told at its start.

use super::Secret;
use crate::activator::Limits;
use crate::tokens::Tokens;
use crate::trust::TrustedProxies;
use crate::webhook::Keys;
use dormouse_core::doctor::Site;
use dormouse_core::settings::{PrivateZone, Settings};
use dormouse_manifests::Architecture;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `dormouse controller` is configured with.
#[derive(Debug, Clone)]
pub struct ControllerConfig {
    /// What decisions depend on; some of it is still to be found out.
    pub installation: Installation,
    /// `LAUNCH_LOCKS_TABLE_NAME`: the DynamoDB table that remembers.
    pub table: String,
    /// Where the API and the dashboard listen.
    pub api_listen: SocketAddr,
    /// Where the activator listens.
    pub activator_listen: SocketAddr,
    /// Key of the sidecars' tokens, at least 32 bytes.
    pub secret: Secret,
    /// Bearer tokens of the API, when it asks for one.
    pub tokens: Tokens,
    /// Who is told of what happens to services.
    pub webhook: Option<WebhookConfig>,
    /// Proxies in front whose word on the client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// How many requests may be held.
    pub held: Limits,
    /// A directory of manifests, applied at start and on change.
    pub manifests: Option<PathBuf>,
    /// A directory of waiting pages of one's own.
    pub pages: Option<PathBuf>,
    /// Whether plans are carried out.
    pub policy: Policy,
    /// How long the leader's lease lasts.
    pub lease: Duration,
    /// How long it has from SIGTERM until it is killed.
    pub stop_timeout: Duration,
    /// How many calls to AWS it may make.
    pub api_budget: ApiBudget,
    /// What is logged, and how.
    pub log: Log,
}

/// [`Settings`], as far as they are known before anybody was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Ownership mark; `None`: random, remembered in the table.
    pub install: Option<String>,
    /// Public domain, lower case, no trailing dot. It is the public zone's name, or below it.
    pub domain: String,
    /// Public hosted zone's id, without `/hostedzone/`.
    pub zone: String,
    /// Private hosted zone's id, without `/hostedzone/`; its name is Route 53's to tell.
    pub private_zone: Option<String>,
    /// Cluster of the proxy tasks.
    pub proxy_cluster: String,
    /// Cluster of the service tasks.
    pub service_cluster: String,
    /// Auto Scaling group behind the service cluster.
    pub group: String,
    /// Subnets of proxy tasks.
    pub proxy_subnets: Vec<String>,
    /// Subnets of service tasks.
    pub service_subnets: Vec<String>,
    /// Security groups of both.
    pub security_groups: Vec<String>,
    /// Image of the proxy sidecar.
    pub proxy_image: String,
    /// Image of the service sidecar.
    pub sidecar_image: String,
    /// Execution role of the task definitions it registers.
    pub execution_role: Option<String>,
    /// Log group that the containers of these definitions write to.
    pub log_group: Option<String>,
    /// Networks (CIDR) of proxies in front, as the proxy tasks are told of them.
    pub trusted_proxies: Vec<String>,
    /// Where sidecars find the controller, no trailing slash; `None`: from the task's own metadata.
    pub controller_url: Option<String>,
    /// Where the wildcard record points.
    pub public_ip: PublicIp,
    /// Processor of tasks whose manifest names none.
    pub architecture: Option<Architecture>,
    /// Service tasks on one instance.
    pub max_tasks_per_instance: u32,
    /// Free slots for service tasks that are kept.
    pub headroom: u32,
    /// TTL of service records.
    pub dns_ttl: Duration,
    /// How long an instance must be empty before it is removed.
    pub scale_in_delay: Duration,
    /// Between DRAINING and terminate.
    pub drain_wait: Duration,
    /// Sweep while something is in transition.
    pub poll_fast: Duration,
    /// Sweep when steady.
    pub poll_slow: Duration,
}

/// What was found out about an [`Installation`] after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Ownership mark.
    pub install: String,
    /// Where sidecars find the controller: `http://host:port`.
    pub controller_url: String,
    /// Where other controllers find this one: the same, unless that is a name for all of them.
    pub replica_url: String,
    /// Where the wildcard record points; `None` = there is none.
    pub wildcard: Option<Vec<String>>,
    /// Type of the group's instances, the first of several; `None`: it could not be read.
    pub instance_type: Option<String>,
    /// Processor of the instances that the group launches; `None`: it could not be read.
    pub launches: Option<Architecture>,
    /// The private zone with its name.
    pub private_zone: Option<PrivateZone>,
}

impl Installation {
    /// Where it is to live.
    pub fn site(&self) -> Site {
        Site {
            domain: self.domain.clone(),
            zone: self.zone.clone(),
            private_zone: self.private_zone.clone(),
            proxy_cluster: self.proxy_cluster.clone(),
            service_cluster: self.service_cluster.clone(),
            group: self.group.clone(),
            proxy_subnets: self.proxy_subnets.clone(),
            service_subnets: self.service_subnets.clone(),
            security_groups: self.security_groups.clone(),
            architecture: self.architecture,
        }
    }

    /// The settings that decisions depend on, once everything is known.
    pub fn resolve(self, resolved: Resolved) -> Settings {
        Settings {
            install: resolved.install,
            domain: self.domain,
            zone: self.zone,
            private_zone: resolved.private_zone,
            proxy_cluster: self.proxy_cluster,
            service_cluster: self.service_cluster,
            group: self.group,
            proxy_subnets: self.proxy_subnets,
            service_subnets: self.service_subnets,
            security_groups: self.security_groups,
            proxy_image: self.proxy_image,
            sidecar_image: self.sidecar_image,
            execution_role: self.execution_role,
            log_group: self.log_group,
            trusted_proxies: self.trusted_proxies,
            controller_url: resolved.controller_url,
            wildcard: resolved.wildcard,
            architecture: self.architecture,
            launches: resolved.launches,
            max_tasks_per_instance: self.max_tasks_per_instance,
            headroom: self.headroom,
            dns_ttl: self.dns_ttl,
            scale_in_delay: self.scale_in_delay,
            drain_wait: self.drain_wait,
            poll_fast: self.poll_fast,
            poll_slow: self.poll_slow,
        }
    }
}

/// Where `*.<domain>` points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicIp {
    /// At the controller's own public address: EC2 knows it by the task's network interface.
    Own,
    /// There is no wildcard record.
    NoWildcard,
    /// At these addresses.
    Addresses(Vec<Ipv4Addr>),
}

/// How many calls to AWS may be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ApiBudget {
    /// Half of AWS's rates; no limit where an endpoint is given, since a local cloud has none.
    Default,
    /// This share of AWS's sustained rates.
    Share(f64),
    /// No limit.
    Unlimited,
}

impl ApiBudget {
    /// The share; `None` = no limit.
    pub fn share(self, own_endpoint: bool) -> Option<f64> {
        match self {
            ApiBudget::Default => (!own_endpoint).then_some(0.5),
            ApiBudget::Share(share) => Some(share),
            ApiBudget::Unlimited => None,
        }
    }
}

/// Who is told of what happens to services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `http[s]://host[:port][/path]`. It may be enough to be let in.
    pub url: Secret,
    /// What is signed with.
    pub keys: Keys,
}

/// Whether plans are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Planned and applied.
    Enforce,
    /// Planned and reported; nothing is changed.
    Observe,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A tracing filter, e.g. `info,dormouse=debug`; it parses.
    pub filter: String,
    /// `None`: text on a terminal, JSON otherwise.
    pub format: Option<LogFormat>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

//! What an installation is configured with, as far as decisions depend on it.

use dormouse_manifests::Architecture;
use std::time::Duration;

/// Settings of an installation. The variables' meanings and defaults stand in the README.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Ownership mark on everything that this installation makes: letters, digits and hyphens, at most 32.
    pub install: String,
    /// Public domain; services are `<name>.<domain>`. No trailing dot.
    pub domain: String,
    /// Public hosted zone's id, without `/hostedzone/`.
    pub zone: String,
    /// Private hosted zone, when there is one.
    pub private_zone: Option<PrivateZone>,
    /// Cluster of the proxy tasks (Fargate).
    pub proxy_cluster: String,
    /// Cluster of the service tasks (EC2).
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
    /// Log group that the containers of the task definitions it registers write to.
    pub log_group: Option<String>,
    /// Where sidecars find the controller: `http://host:port`, or several with commas.
    pub controller_url: String,
    /// Networks (CIDR) of proxies in front of the proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<String>,
    /// Where the wildcard record points; `None` = there is none.
    pub wildcard: Option<Vec<String>>,
    /// Processor of tasks whose manifest names none; `None`: the task definitions name none either.
    pub architecture: Option<Architecture>,
    /// Processor of the instances that the group launched at the start; `None`: not known, or of several.
    pub launches: Option<Architecture>,
    /// Service tasks on one instance, beside CPU, memory and interfaces.
    pub max_tasks_per_instance: u32,
    /// So many free slots for service tasks are kept while anything is to be awake.
    pub headroom: u32,
    /// TTL of service records.
    pub dns_ttl: Duration,
    /// How long an instance must be empty before it is removed.
    pub scale_in_delay: Duration,
    /// Between DRAINING and terminate; at least 15 s in production.
    pub drain_wait: Duration,
    /// Sweep while something is in transition.
    pub poll_fast: Duration,
    /// Sweep when steady.
    pub poll_slow: Duration,
}

/// A private zone for callers inside the VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateZone {
    /// Zone id, without `/hostedzone/`.
    pub id: String,
    /// Zone name, no trailing dot.
    pub name: String,
}

impl Settings {
    /// Settings with the documented defaults, for tests.
    pub fn example() -> Settings {
        Settings {
            install: "test".into(),
            domain: "example.com".into(),
            zone: "Z1".into(),
            private_zone: None,
            proxy_cluster: "proxies".into(),
            service_cluster: "services".into(),
            group: "asg".into(),
            proxy_subnets: vec!["subnet-p".into()],
            service_subnets: vec!["subnet-s".into()],
            security_groups: vec!["sg-1".into()],
            proxy_image: "dormouse-proxy:1".into(),
            sidecar_image: "dormouse-service:1".into(),
            execution_role: None,
            log_group: None,
            controller_url: "http://10.0.0.9:9070".into(),
            trusted_proxies: Vec::new(),
            wildcard: Some(vec!["203.0.113.9".into()]),
            architecture: None,
            launches: None,
            max_tasks_per_instance: 3,
            headroom: 0,
            dns_ttl: Duration::from_secs(10),
            scale_in_delay: Duration::from_secs(180),
            drain_wait: Duration::from_secs(15),
            poll_fast: Duration::from_secs(1),
            poll_slow: Duration::from_secs(30),
        }
    }
}

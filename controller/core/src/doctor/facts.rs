//! What was read of the cloud, as plain data.

use dormouse_manifests::Architecture;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What a setting names, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// It is there.
    Known(T),
    /// It is not there.
    Missing,
    /// It could not be read, and why.
    Unread(String),
}

/// What the settings say of where an installation lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Public domain, no trailing dot.
    pub domain: String,
    /// Public hosted zone's id.
    pub zone: String,
    /// Private hosted zone's id, when there is one.
    pub private_zone: Option<String>,
    /// Cluster of the proxy tasks.
    pub proxy_cluster: String,
    /// Cluster of the service tasks.
    pub service_cluster: String,
    /// Auto Scaling group whose instances join it.
    pub group: String,
    /// Subnets of proxy tasks.
    pub proxy_subnets: Vec<String>,
    /// Subnets of service tasks.
    pub service_subnets: Vec<String>,
    /// Security groups of both.
    pub security_groups: Vec<String>,
    /// Processor of tasks whose manifest names none.
    pub architecture: Option<Architecture>,
}

/// A hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedZone {
    /// Its name, no trailing dot.
    pub name: String,
    /// Whether only VPCs see it.
    pub private: bool,
    /// Its name servers; none of a private one.
    pub name_servers: Vec<String>,
}

/// An ECS cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `ACTIVE`, or on its way there or out.
    pub status: String,
    /// Its capacity providers.
    pub providers: BTreeSet<String>,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingGroup {
    /// EC2 ids of its instances in service.
    pub members: BTreeSet<String>,
    /// Availability zones in which it launches.
    pub zones: BTreeSet<String>,
    /// How many instances it may have.
    pub max: u32,
    /// Types of its instances, as far as its launch template and its policy name them.
    pub types: BTreeSet<String>,
    /// Id of the machine image (AMI) that its instances start from, as its launch template names it.
    pub image: Reading<String>,
    /// What its instances run at their first start; `Missing` when there is nothing.
    pub user_data: Reading<String>,
}

/// A machine image (AMI).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineImage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its processor, as EC2 names it: `arm64`, `x86_64`.
    pub architecture: String,
    /// `available`, or why nothing starts from it.
    pub state: String,
    /// From when on its maker advises against it.
    pub deprecated_at: Option<Timestamp>,
}

impl MachineImage {
    /// Its processor, when it is one that tasks can be for.
    pub fn processor(&self) -> Option<Architecture> {
        Architecture::from_ecs(&self.architecture)
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Its VPC.
    pub vpc: String,
    /// Its availability zone.
    pub zone: String,
}

/// Everything that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The public zone.
    pub zone: Reading<HostedZone>,
    /// The private zone, when there is to be one.
    pub private_zone: Option<Reading<HostedZone>>,
    /// Cluster of the proxies.
    pub proxy_cluster: Reading<Cluster>,
    /// Cluster of the services.
    pub service_cluster: Reading<Cluster>,
    /// The group.
    pub group: Reading<ScalingGroup>,
    /// What the group's instances start from.
    pub machine: Reading<MachineImage>,
    /// EC2 ids of the instances that are registered in the services' cluster.
    pub registered: Reading<BTreeSet<String>>,
    /// Subnets by id; those that are not in it are not there.
    pub subnets: Reading<BTreeMap<String, Subnet>>,
    /// The VPC of each security group; those that are not in it are not there.
    pub security_groups: Reading<BTreeMap<String, String>>,
}

/// Where a subnet's traffic to everywhere goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To an internet gateway: what has a public address is reached.
    InternetGateway,
    /// Elsewhere, or nowhere.
    Other,
}

/// A type of instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// Its processors, as EC2 names them: `arm64`, `x86_64`.
    pub architectures: BTreeSet<String>,
    /// Network interfaces that one can have, its own included; without ENI trunking.
    pub interfaces: u32,
    /// vCPUs.
    pub vcpus: u32,
}

/// What a running controller reads besides what its settings name.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// Addresses of the wildcard's A record.
    pub wildcard: Reading<Vec<String>>,
    /// Calls that change something, e.g. `ecs:RunTask`; `Unread` when the controller may not make them.
    pub permissions: BTreeMap<&'static str, Reading<()>>,
    /// Proxies' subnets, and where their traffic goes.
    pub routes: Reading<BTreeMap<String, Route>>,
    /// Types of the group's instances.
    pub types: Reading<BTreeMap<String, InstanceType>>,
    /// Images in ECR; others are left out.
    pub images: BTreeMap<String, Reading<()>>,
    /// vCPUs of Fargate on demand.
    pub fargate_quota: Reading<f64>,
    /// vCPUs of standard instances on demand.
    pub instance_quota: Reading<f64>,
}

//! What is true: AWS, the network and the sidecars as plain data, whatever a controller may believe.
//!
//! # Layout
//!
//! - [`tasks`]: ECS tasks and their life; [`definitions`]: task definitions
//! - [`fleet`]: instances and their group
//! - [`zone`]: the hosted zone, its name servers, and resolvers with caches
//! - [`network`]: addresses, and who has them; [`quota`]: calls that the account has left
//! - [`sidecar`]: what runs inside a task
//! - [`requests`]: requests on their way
//! - [`split`]: a lease that two hold
//! - [`strangers`]: others in the same account, a second installation among them
//! - [`history`]: what was true a while ago, for reads that lag

pub mod definitions;
pub mod fleet;
pub mod history;
pub mod network;
pub mod quota;
pub mod requests;
pub mod sidecar;
pub mod split;
pub mod strangers;
pub mod tasks;
pub mod zone;

use crate::profile::Ms;
use crate::script::Aws;
use dormouse_peer::token::Identity;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is true.
#[derive(Default)]
pub struct Truth {
    /// ECS tasks by ARN, of whomever.
    pub tasks: BTreeMap<String, tasks::SimTask>,
    /// Client token → fingerprint of its parameters and the task.
    pub tokens: BTreeMap<String, (String, String)>,
    /// Task definitions by ARN.
    pub definitions: BTreeMap<String, definitions::SimDefinition>,
    /// Instances and their group.
    pub fleet: fleet::SimFleet,
    /// The public zone.
    pub zone: zone::SimZone,
    /// The private zone.
    pub private_zone: zone::SimZone,
    /// What others leave of the account's quotas.
    pub quota: quota::Quota,
    /// Services of which nothing works.
    pub poisoned: BTreeSet<String>,
    /// Services whose row somebody deleted: nobody knows what their proxies carried.
    pub lost_rows: BTreeSet<String>,
    /// Services of AWS that answer nobody, and until when.
    pub outages: BTreeMap<Aws, Ms>,
    /// What others have in our zones.
    pub strangers: strangers::Strangers,
    /// Addresses.
    pub network: network::Network,
    /// Requests on their way.
    pub requests: BTreeMap<u64, requests::Request>,
    /// Service → when a request for it last came to an activator, or was answered there.
    pub used_at_activator: BTreeMap<String, Ms>,
    /// Names in the order of the script's indices.
    pub services: Vec<String>,
    /// Numbers for names.
    pub counter: u64,
    /// Names that nobody declares at the start, and that a template is for.
    pub made: Vec<String>,
    /// Address of the activator.
    pub activator: String,
    /// The controller that leads, by the table, and its epoch.
    pub leader: Option<(usize, u64)>,
    /// The lease, while two hold it.
    pub split: Option<split::Split>,
    /// Until when controllers do not reach each other.
    pub parted_until: Ms,
    /// Until when Fargate, and until when Fargate Spot, has no capacity.
    pub scarce_until: (Ms, Ms),
    /// Proxies for which Spot had no capacity.
    pub unplaced: BTreeSet<Identity>,
    /// Tokens of tasks, once they were made.
    pub task_tokens: BTreeMap<String, String>,
    /// Tasks that stay in the state they are in: until when.
    pub hung: BTreeMap<String, Ms>,
}

impl Truth {
    /// The next number of a world's names.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

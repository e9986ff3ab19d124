//! The clouds Dormouse speaks to, one AWS service a file, behind small ports.
//!
//! Adapters translate and nothing else: they page, chunk and sort errors, and leave every decision to their
//! callers. Calls that change something are sent once; reads are tried twice.
//!
//! # Layout
//!
//! - [`ports`]: what the control plane asks of a cloud
//! - [`cloud`]: all adapters over one SDK configuration, and that configuration
//! - [`ecs_tasks`]: tasks, from RunTask to STOPPED
//! - [`ecs_definitions`]: task definitions, found by their tags or registered
//! - [`ecs_instances`]: container instances
//! - [`autoscaling`]: the Auto Scaling group
//! - `tmp`: the directory that the user's container shares with its sidecar
//! - [`route53`]: hosted zones
//! - [`ec2`]: public addresses of network interfaces
//! - [`survey`]: what an installation's settings name
//! - `signed`: calls of services of which few are made, without their crates
//! - [`error`]: AWS's errors, sorted by what can be done about them
//! - `grants`: which statement of the shipped policy allows an action
//! - [`count`]: how many calls were made, and how they went

pub mod autoscaling;
pub mod cloud;
pub mod count;
pub mod ec2;
pub mod ecs_definitions;
pub mod ecs_instances;
pub mod ecs_tasks;
pub mod error;
mod grants;
pub mod ports;
pub mod route53;
mod signed;
pub mod survey;
mod tmp;

pub use cloud::{Cloud, sdk_config};
pub use count::{CallCount, Calls};
pub use survey::Survey;

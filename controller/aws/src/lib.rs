//! The clouds Dormouse speaks to, one AWS service a file, behind small ports.
//!
//! Adapters translate and nothing else: they page, chunk and sort errors, and leave every decision to their
//! callers. Calls that change something are sent once; reads are tried twice. Without the feature `sdk` there are the
//! ports alone.
//!
//! # Layout
//!
//! - [`ports`]: what the control plane asks of a cloud
//! - [`cloud`]: all of them together
//! - `connect`: all adapters over one SDK configuration, and that configuration
//! - [`ecs_tasks`]: tasks, from RunTask to STOPPED
//! - [`ecs_definitions`]: task definitions, found by their tags or registered
//! - [`ecs_instances`]: container instances
//! - [`autoscaling`]: the Auto Scaling group
//! - `tmp`: the directory that the user's container shares with its sidecar
//! - [`route53`]: hosted zones
//! - [`ec2`]: public addresses of network interfaces
//! - [`logs`]: what containers wrote
//! - [`survey`]: what an installation's settings name
//! - `operation`: what a call without a service's crate has of the configuration
//! - `signed`: calls of services of which few are made, without their crates
//! - `dates`: AWS's clock, as its answers are dated
//! - `https`: posts to addresses that are not AWS's
//! - [`error`]: AWS's errors, sorted by what can be done about them
//! - `grants`: which statement of the shipped policy allows an action
//! - [`count`]: how many calls were made, and how they went

#[cfg(feature = "sdk")]
pub mod autoscaling;
pub mod cloud;
#[cfg(feature = "sdk")]
mod connect;
pub mod count;
#[cfg(feature = "sdk")]
mod dates;
#[cfg(feature = "sdk")]
pub mod ec2;
#[cfg(feature = "sdk")]
pub mod ecs_definitions;
#[cfg(feature = "sdk")]
pub mod ecs_instances;
#[cfg(feature = "sdk")]
pub mod ecs_tasks;
#[cfg(feature = "sdk")]
pub mod error;
#[cfg(feature = "sdk")]
mod grants;
#[cfg(feature = "sdk")]
mod https;
#[cfg(feature = "sdk")]
pub mod logs;
#[cfg(feature = "sdk")]
mod operation;
pub mod ports;
#[cfg(feature = "sdk")]
pub mod route53;
#[cfg(feature = "sdk")]
mod signed;
#[cfg(feature = "sdk")]
pub mod survey;
#[cfg(feature = "sdk")]
mod tmp;

#[cfg(feature = "sdk")]
pub use aws_config::SdkConfig;
pub use cloud::Cloud;
#[cfg(feature = "sdk")]
pub use connect::sdk_config;
pub use count::{CallCount, Calls};
#[cfg(feature = "sdk")]
pub use https::Https;
#[cfg(feature = "sdk")]
pub use logs::CloudWatchLogs;
#[cfg(feature = "sdk")]
pub use survey::Survey;

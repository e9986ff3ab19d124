//! Scale-to-zero for Amazon ECS: controller, HTTP API, activator and command line.
//!
//! # Layout
//!
//! - [`plane`]: what the API, the activator and the pages ask of the control plane
//! - [`reconcile`]: the control plane's shell: schedule, read, apply what the core planned
//! - [`run`]: `dormouse controller`, every part of it; [`startup`]: what it finds out first;
//!   [`directory`]: manifests that it follows
//! - [`config`]: settings of `dormouse controller`
//! - [`api`]: the HTTP API
//! - [`activator`]: answers for services that sleep, by waking them
//! - [`pages`]: the waiting page and its like
//! - [`cli`]: the command line; [`client`]: its way to the API; [`exit`]: how it ends
//! - [`doctor`]: whether an installation is well; [`logs`]: what containers wrote
//! - [`serve`]: a listener and its connections; [`forward`]: forwarding HTTP to a service; [`files`]: how many of both
//! - [`readiness`]: nothing is answered before it is known
//! - [`probe`]: the way to a proxy, tried
//! - [`waker`]: asking for wakes, within limits; [`refusals`]: those that were not; [`passes`]: links that wake
//! - [`webhook`]: others, told of what happens to services
//! - [`replicas`]: several controllers beside each other
//! - [`trace`]: one trace for each wake (feature `otel`)
//! - [`trust`]: who a request comes from; [`tokens`]: and what they may do
//! - [`problem`], [`request`], [`views`], [`label`], [`metrics`]: what these share

pub mod activator;
pub mod api;
#[cfg(feature = "aws")]
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod directory;
pub mod doctor;
pub mod exit;
pub mod files;
pub mod forward;
pub mod label;
pub mod logs;
pub mod metrics;
pub mod pages;
pub mod passes;
pub mod plane;
pub mod probe;
pub mod problem;
mod rate;
pub mod readiness;
pub mod reconcile;
pub mod refusals;
pub mod replicas;
pub mod request;
#[cfg(feature = "aws")]
pub mod run;
pub mod serve;
#[cfg(feature = "aws")]
pub mod startup;
pub mod tokens;
pub mod trace;
pub mod trust;
pub mod views;
pub mod waker;
pub mod webhook;

// Integration tests include the same file, and know this crate by its name.
#[cfg(test)]
extern crate self as dormouse;
#[cfg(test)]
mod testing;

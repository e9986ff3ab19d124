//! What the proxy costs: CPU time, waiting time and memory, beside nginx in the same run.
//!
//! # Layout
//!
//! - [`cli`]: what to measure, and how long
//! - [`run`]: a whole run: scenarios, rounds, contenders in turn
//! - [`scenario`]: what is measured, against whom, and what is aimed at
//! - [`contender`]: a proxy as a process on a core of its own
//! - [`nginx`]: nginx's configurations
//! - [`rig`]: the loop that is both the clients and the service, on the other core
//! - [`client`]: one client's connection
//! - [`service`]: one connection to the service
//! - [`wire`]: prepared bytes, and reading answers
//! - [`memory`]: what idle connections take
//! - [`size`]: what the program takes on a disk and on the wire
//! - [`cpu`]: what the kernel says of processes and cores
//! - [`stats`]: medians, ratios and percentiles (pure)
//! - [`report`]: the table, and the same as JSON

// A measuring tool: what goes wrong ends it, and time is what it reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

pub mod cli;
pub mod client;
pub mod contender;
pub mod cpu;
pub mod memory;
pub mod nginx;
pub mod report;
pub mod rig;
pub mod run;
pub mod scenario;
pub mod service;
pub mod size;
pub mod stats;
pub mod wire;

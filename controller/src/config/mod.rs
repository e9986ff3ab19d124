//! Settings of `dormouse controller`.
//!
//! # Layout
//!
//! - `table`: every setting once: variable, flag, default, meaning
//! - `args`: the table as clap arguments
//! - `parse`: texts to values, and what is accepted
//! - `read`: the table's values to a [`ControllerConfig`], all problems collected
//! - `controller`: [`ControllerConfig`] and its parts
//! - `secret`: texts that are never printed

mod args;
mod controller;
mod parse;
mod read;
mod secret;
mod table;

pub use args::ControllerArgs;
pub use controller::{
    ApiBudget, ControllerConfig, Installation, Log, LogFormat, Policy, PublicIp, Resolved, WebhookConfig,
};
pub use read::{Wrong, read};
pub use secret::Secret;

//! Whether an installation is well: what `dormouse doctor` asks, from inside and from outside.
//!
//! # Layout
//!
//! - [`outside`]: what the machine sees that asks; `resolver`: one question to a name's resolver
//! - `inside`: what the controller reads of AWS; [`telling`]: whether its webhook and its log group are there

#[cfg(feature = "aws")]
mod inside;
pub mod outside;
mod resolver;
#[cfg(feature = "aws")]
pub mod telling;

#[cfg(feature = "aws")]
pub use inside::Inside;

use async_trait::async_trait;
use dormouse_core::doctor::Finding;
use dormouse_core::view::ServiceView;
use dormouse_manifests::TimeText;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a controller found, and what whoever asks needs for looking from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DoctorReport")]
pub struct Report {
    /// The controller's clock.
    #[schemars(with = "TimeText")]
    pub now: Timestamp,
    /// Public domain, no trailing dot.
    pub domain: String,
    /// Name of the public zone, no trailing dot; empty when it could not be read.
    #[serde(default)]
    pub zone: String,
    /// Addresses of `*.<domain>`; none when there is to be no such record.
    pub wildcard: Vec<String>,
    /// Name servers of the public zone.
    pub name_servers: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Examines an installation.
#[async_trait]
pub trait Examine: Send + Sync {
    /// Looks at everything. `services`: all that are declared.
    ///
    /// # Errors
    /// When AWS does not answer, in words.
    async fn examine(&self, services: &[Arc<ServiceView>], now: Timestamp) -> Result<Report, String>;
}

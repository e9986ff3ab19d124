//! What is wrong with where an installation lives: findings over plain facts, each with its fix.
//!
//! A controller asks at its start whether what its settings name is there and belongs together, and does not start
//! otherwise.
//!
//! # Layout
//!
//! - [`facts`]: what was read, and what could not be
//! - [`finding`]: what follows from it
//! - `zones`: hosted zones
//! - `fleet`: clusters, and the group behind one of them
//! - `network`: subnets and security groups

pub mod facts;
pub mod finding;
mod fleet;
mod network;
#[cfg(test)]
mod tests;
mod zones;

pub use facts::{Facts, Reading, Site};
pub use finding::{Finding, Level};

/// Whether everything that the settings name is there and belongs together.
pub fn settings(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut findings = zones::check(site, facts);
    findings.extend(fleet::check(site, facts));
    findings.extend(network::check(site, facts));
    findings
}

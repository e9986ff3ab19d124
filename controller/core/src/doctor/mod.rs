//! What is wrong with where an installation lives: findings over plain facts, each with its fix.
//!
//! A controller asks at its start whether what its settings name is there and belongs together, and does not start
//! otherwise. `dormouse doctor` asks a running one for everything.
//!
//! # Layout
//!
//! - [`facts`]: what was read, and what could not be
//! - [`finding`]: what follows from it
//! - `zones`: hosted zones
//! - `fleet`: clusters, and the group behind one of them
//! - `network`: subnets and security groups
//! - `machine`: what instances start from
//! - [`inside`]: what a running controller sees besides
//! - [`telling`]: its webhook and its log group
//! - [`clock`]: the controller's clock beside AWS's
//! - [`delegation`]: whether the world is led to the zone

pub mod clock;
pub mod delegation;
pub mod facts;
pub mod finding;
mod fleet;
pub mod inside;
mod machine;
mod network;
pub mod telling;
#[cfg(test)]
mod tests;
mod zones;

pub use clock::Clocks;
pub use facts::{Facts, Reading, Site, Surroundings};
pub use finding::{Finding, Level};
pub use inside::Wants;

/// Whether everything that the settings name is there and belongs together.
pub fn settings(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut findings = zones::check(site, facts);
    findings.extend(fleet::check(site, facts));
    findings.extend(network::check(site, facts));
    findings.extend(machine::processor(site, facts));
    findings
}

/// The same, and what a running controller sees besides.
pub fn everything(
    site: &Site,
    wants: &Wants,
    facts: &Facts,
    around: &Surroundings,
    clocks: Clocks,
) -> Vec<Finding> {
    let mut findings = settings(site, facts);
    findings.extend(inside::check(site, wants, facts, around));
    findings.extend(machine::image(site, facts, &around.types, clocks.own));
    findings.push(clock::check(clocks));
    findings
}

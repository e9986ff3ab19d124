//! What the installation itself costs a month while everything sleeps: a line for each thing that is paid.
//!
//! The same lines as `make deploy` shows before anything is made, from the same table of prices and assumptions. What the
//! controller cannot know of itself is not guessed: whether it is on Spot is told beside, and a NAT gateway, the domain's
//! own zone, queries and data are nobody's lines here.

use crate::cost::Prices;
use dormouse_manifests::Architecture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The controller that runs, as far as its cost depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its processor.
    pub architecture: Architecture,
    /// Length of its lease, which is written every third of it.
    pub lease: Duration,
}

impl Default for Controller {
    /// As the template makes it.
    fn default() -> Controller {
        Controller { architecture: Architecture::Arm64, lease: Duration::from_secs(30) }
    }
}

/// One thing that is paid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is.
    pub what: String,
    /// How its price comes about.
    pub how: String,
    /// Dollars a month.
    pub dollars: f64,
    /// The same with the controller on Fargate Spot.
    pub on_spot: f64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upkeep {
    /// Line by line.
    pub lines: Vec<Line>,
    /// Dollars a month.
    pub month: f64,
    /// The same with the controller on Fargate Spot.
    pub month_on_spot: f64,
}

/// Reckons a month in which everything sleeps, with so many services declared.
pub fn asleep(prices: &Prices, controller: &Controller, services: usize) -> Upkeep {
    let assumed = &prices.assumed;
    let hours = prices.hours_per_month;
    let seconds = hours * 3600.0;
    let (vcpu, gib) = prices.fargate_hour(controller.architecture);
    let task = (assumed.controller_vcpu * vcpu + assumed.controller_gib * gib) * hours;
    let same = |what: &str, how: String, dollars: f64| Line {
        what: what.to_owned(),
        how,
        dollars,
        on_spot: dollars,
    };
    let every = (controller.lease / 3).as_secs_f64();
    let writes = seconds / every.max(0.1);
    let rows = f64::from(u32::try_from(services).unwrap_or(u32::MAX)) * assumed.row_bytes;
    // Read consistently: a unit for every 4 KiB, and one at least.
    let reads = seconds / assumed.scan_seconds * (rows / assumed.unit_bytes).ceil().max(1.0);
    let (write, read) = (prices.dynamodb_million_writes, prices.dynamodb_million_reads);
    let lines = vec![
        Line {
            what: "controller, Fargate".to_owned(),
            how: format!(
                "({} vCPU x ${vcpu} + {} GB x ${gib}) x {hours} h, {}",
                assumed.controller_vcpu,
                assumed.controller_gib,
                controller.architecture.as_ecs()
            ),
            dollars: task,
            on_spot: task * (1.0 - prices.fargate_spot_discount),
        },
        same(
            "its public IPv4 address",
            format!("${} x {hours} h", prices.public_ipv4_hour),
            prices.public_ipv4_hour * hours,
        ),
        same("private zone of its name", format!("${}", prices.hosted_zone_month), prices.hosted_zone_month),
        same("secret", format!("${}", prices.secret_month), prices.secret_month),
        same(
            "table: the lease",
            format!("{writes:.0} writes, one in {every} s, x ${write} a million"),
            writes * write / 1e6,
        ),
        same(
            "table: rows, read over and over",
            format!(
                "{reads:.0} read units, {services} services every {} s, x ${read} a million",
                assumed.scan_seconds
            ),
            reads * read / 1e6,
        ),
        same("logs", format!("{} GB x ${}", assumed.log_gb, prices.logs_gb), assumed.log_gb * prices.logs_gb),
    ];
    Upkeep {
        month: lines.iter().map(|line| line.dollars).sum(),
        month_on_spot: lines.iter().map(|line| line.on_spot).sum(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(dollars: f64) -> String {
        format!("{dollars:.2}")
    }

    #[test]
    fn the_guides_table_line_by_line() {
        let upkeep = asleep(Prices::shipped(), &Controller::default(), 10);
        let found: Vec<[String; 2]> =
            upkeep.lines.iter().map(|line| [cents(line.dollars), cents(line.on_spot)]).collect();
        let expected = [
            ["7.21", "2.16"],
            ["3.65", "3.65"],
            ["0.50", "0.50"],
            ["0.40", "0.40"],
            ["0.16", "0.16"],
            ["0.01", "0.01"],
            ["0.01", "0.01"],
        ];
        assert_eq!(found, expected);
        assert_eq!((cents(upkeep.month), cents(upkeep.month_on_spot)), ("11.94".into(), "6.90".into()));
    }

    #[test]
    fn what_it_depends_on() {
        // Processor, seconds of the lease, services; at most so much, and on Spot.
        for (architecture, lease, services, most, most_on_spot) in [
            (Architecture::Arm64, 30, 0, 12.0, 7.0),
            (Architecture::Arm64, 30, 100, 12.1, 7.1),
            (Architecture::Arm64, 15, 10, 12.2, 7.2),
            (Architecture::X86_64, 30, 10, 13.8, 7.5),
        ] {
            let controller = Controller { architecture, lease: Duration::from_secs(lease) };
            let upkeep = asleep(Prices::shipped(), &controller, services);
            assert!(
                upkeep.month <= most && upkeep.month > most - 0.3,
                "{architecture} {lease} {services}: {upkeep:?}"
            );
            assert!(upkeep.month_on_spot <= most_on_spot, "{architecture} {lease} {services}: {upkeep:?}");
        }
    }
}

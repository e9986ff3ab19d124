//! What the installation itself costs a month while everything sleeps: a line for each thing that is paid.
//!
//! The same lines as `make deploy` shows before anything is made, from the same table of prices and assumptions: a test of
//! each side holds it against `manifests/infrastructure/idle.json`. What the controller cannot know of itself is not guessed: whether it is on Spot is told beside, and a NAT gateway, the domain's
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

/// Reckons a month in which everything sleeps, with so many controllers, and so many services declared.
pub fn asleep(prices: &Prices, controller: &Controller, controllers: usize, services: usize) -> Upkeep {
    let assumed = &prices.assumed;
    let hours = prices.hours_per_month;
    let seconds = hours * 3600.0;
    let (vcpu, gib) = prices.fargate_hour(controller.architecture);
    let count = f64::from(u32::try_from(controllers.max(1)).unwrap_or(u32::MAX));
    let task = (assumed.controller_vcpu * vcpu + assumed.controller_gib * gib) * hours * count;
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
    let whole = (rows / assumed.unit_bytes).ceil().max(1.0);
    let reads = seconds / assumed.scan_seconds * whole;
    let (write, read) = (prices.dynamodb_million_writes, prices.dynamodb_million_reads);
    let mut lines = vec![
        Line {
            what: "controller, Fargate".to_owned(),
            how: format!(
                "{count} x ({} vCPU x ${vcpu} + {} GB x ${gib}) x {hours} h, {}",
                assumed.controller_vcpu,
                assumed.controller_gib,
                controller.architecture.as_ecs()
            ),
            dollars: task,
            on_spot: task * (1.0 - prices.fargate_spot_discount),
        },
        same(
            "its public IPv4 address",
            format!("{count} x ${} x {hours} h", prices.public_ipv4_hour),
            prices.public_ipv4_hour * hours * count,
        ),
        same("private zone of its name", format!("${}", prices.hosted_zone_month), prices.hosted_zone_month),
        same("secret", format!("${}", prices.secret_month), prices.secret_month),
        same(
            "table: the lease",
            format!("{writes:.0} writes, one in {every} s, x ${write} a million"),
            writes * write / 1e6,
        ),
        same(
            "table: the rows",
            format!(
                "{reads:.0} read units, {services} services every {} s, x ${read} a million",
                assumed.scan_seconds
            ),
            reads * read / 1e6,
        ),
        same("logs", format!("{} GB x ${}", assumed.log_gb, prices.logs_gb), assumed.log_gb * prices.logs_gb),
    ];
    if count > 1.0 {
        // It looks at the lease every tenth of it.
        let (often, follows) = ((controller.lease / 10).as_secs_f64(), assumed.standby_scan_seconds);
        let looks = (seconds / often.max(0.1) + seconds / follows * whole) * (count - 1.0);
        let how = format!(
            "{looks:.0} read units, the lease every {often} s, rows every {follows} s, x ${read} a million"
        );
        lines.push(same("table: who stands by", how, looks * read / 1e6));
    }
    Upkeep {
        month: lines.iter().map(|line| line.dollars).sum(),
        month_on_spot: lines.iter().map(|line| line.on_spot).sum(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `make deploy` comes to, for every choice.
    const IDLE: &str = include_str!("../../../manifests/infrastructure/idle.json");

    #[derive(Deserialize)]
    struct Choice {
        architecture: String,
        controllers: usize,
        lease: u64,
        services: usize,
        lines: Vec<(String, f64, f64)>,
    }

    #[test]
    fn both_sides_come_to_the_same() {
        let choices: Vec<Choice> = serde_json::from_str(IDLE).unwrap();
        assert_eq!(choices.len(), 4, "each processor, one controller and two");
        for choice in choices {
            let architecture = Architecture::from_ecs(&choice.architecture).unwrap();
            let controller = Controller { architecture, lease: Duration::from_secs(choice.lease) };
            let upkeep = asleep(Prices::shipped(), &controller, choice.controllers, choice.services);
            let round = |dollars: f64| (dollars * 1e4).round() / 1e4;
            let found: Vec<_> = upkeep
                .lines
                .iter()
                .map(|line| (line.what.clone(), round(line.dollars), round(line.on_spot)))
                .collect();
            assert_eq!(found, choice.lines, "{} {}", choice.architecture, choice.controllers);
        }
    }

    #[test]
    fn the_aim_is_kept() {
        let of = |count| {
            let upkeep = asleep(Prices::shipped(), &Controller::default(), count, 10);
            (format!("{:.2}", upkeep.month), format!("{:.2}", upkeep.month_on_spot))
        };
        assert_eq!(of(1), ("11.94".into(), "6.90".into()));
        assert_eq!(of(2), ("22.96".into(), "12.87".into()));
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
            let upkeep = asleep(Prices::shipped(), &controller, 1, services);
            assert!(
                upkeep.month <= most && upkeep.month > most - 0.3,
                "{architecture} {lease} {services}: {upkeep:?}"
            );
            assert!(upkeep.month_on_spot <= most_on_spot, "{architecture} {lease} {services}: {upkeep:?}");
        }
    }
}

//! What services cost while they are awake, and what is saved while they sleep, from a price table.
//!
//! An awake service pays for its proxy on Fargate and the proxy's public address, and for its part of an instance and the
//! instance's address: as large a part as one of `MAX_TASKS_PER_INSTANCE` tasks has. Where its own task is on Fargate, it
//! pays for that and for its address instead. That is an estimate by list prices: an instance that is half full costs as
//! much as a full one, and Spot moves.

use crate::definition::service_resources;
use crate::observed::Resources;
use crate::upkeep::Controller;
use dormouse_manifests::{Architecture, Fallback, ServiceSpec};
use dormouse_state::months::{Months, split};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The shipped price table.
const SHIPPED: &str = include_str!("../../../manifests/infrastructure/prices.json");

/// List prices of one region, in US dollars, and when they were looked up.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// Date of the table.
    pub date: String,
    /// Region of the table.
    pub region: String,
    /// vCPU hour on Fargate, by architecture.
    pub fargate_vcpu_hour: BTreeMap<String, f64>,
    /// GiB hour on Fargate, by architecture.
    pub fargate_gib_hour: BTreeMap<String, f64>,
    /// What Fargate Spot is cheaper by, as a share of 1.
    pub fargate_spot_discount: f64,
    /// Public IPv4 address, an hour.
    pub public_ipv4_hour: f64,
    /// Instance on demand, an hour, by type.
    pub instance_hour: BTreeMap<String, f64>,
    /// Hours that a month is reckoned with.
    pub hours_per_month: f64,
    /// Secret, a month.
    pub secret_month: f64,
    /// Hosted zone, a month.
    pub hosted_zone_month: f64,
    /// A million writes of a table, on demand.
    pub dynamodb_million_writes: f64,
    /// A million read units of one.
    pub dynamodb_million_reads: f64,
    /// GB of logs taken in.
    pub logs_gb: f64,
    /// What a sleeping installation is reckoned with.
    pub assumed: Assumed,
}

/// What a sleeping installation is reckoned with; measured, or as the template has it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assumed {
    /// vCPU of the controller's task.
    pub controller_vcpu: f64,
    /// GiB of it.
    pub controller_gib: f64,
    /// Seconds between two readings of the whole table.
    pub scan_seconds: f64,
    /// The same of a controller that stands by.
    pub standby_scan_seconds: f64,
    /// Bytes of a read unit.
    pub unit_bytes: f64,
    /// Bytes of a sleeping service's row.
    pub row_bytes: f64,
    /// GB of logs a month.
    pub log_gb: f64,
}

impl Prices {
    /// The table that is shipped.
    pub fn shipped() -> &'static Prices {
        static PRICES: OnceLock<Prices> = OnceLock::new();
        // It is a part of this program: a test reads it.
        PRICES.get_or_init(|| serde_json::from_str(SHIPPED).unwrap_or_default())
    }

    /// An hour of a vCPU and of a GiB on Fargate.
    pub fn fargate_hour(&self, architecture: Architecture) -> (f64, f64) {
        let of =
            |table: &BTreeMap<String, f64>| table.get(architecture.as_ecs()).copied().unwrap_or_default();
        (of(&self.fargate_vcpu_hour), of(&self.fargate_gib_hour))
    }
}

/// What an installation pays by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tariff {
    /// Type of the group's instances, where it is known.
    pub instance_type: Option<String>,
    /// Service tasks on one instance, at least 1.
    pub tasks_per_instance: u32,
    /// What tasks run on whose manifest says nothing.
    pub architecture: Option<Architecture>,
    /// The controller itself.
    pub controller: Controller,
}

/// What one service costs in an hour awake, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hourly {
    /// Its proxy on Fargate.
    pub proxy: f64,
    /// The proxy's public address.
    pub address: f64,
    /// Its part of an instance and its address; absent when the price table does not know the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<f64>,
    /// In the instance's place, its own task on Fargate and that one's address; absent when it never is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_fargate: Option<f64>,
}

impl Hourly {
    /// All of it, with its task on an instance.
    pub fn sum(self) -> f64 {
        self.proxy + self.address + self.instance.unwrap_or_default()
    }

    /// All of it, with its task on Fargate.
    pub fn sum_on_fargate(self) -> f64 {
        self.proxy + self.address + self.on_fargate.or(self.instance).unwrap_or_default()
    }
}

/// How long a service was up, and is.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Since when that is kept.
    pub metered: Timestamp,
    /// Up, in what is over.
    pub closed: &'a Months,
    /// How much of it on Fargate.
    pub closed_on_fargate: &'a Months,
    /// Up since then, while it is.
    pub since: Option<Timestamp>,
    /// On Fargate since then, while it is.
    pub on_fargate_since: Option<Timestamp>,
}

impl Tariff {
    /// What a service costs in an hour awake.
    pub fn hourly(&self, prices: &Prices, spec: &ServiceSpec) -> Hourly {
        // Where nobody says, Fargate takes x86.
        let architecture = spec.architecture.or(self.architecture).unwrap_or(Architecture::X86_64);
        let (vcpu, gib) = prices.fargate_hour(architecture);
        let fargate =
            |size: Resources| f64::from(size.cpu) / 1024.0 * vcpu + f64::from(size.memory) / 1024.0 * gib;
        let proxy = fargate(Resources { cpu: spec.proxy.cpu, memory: spec.proxy.memory });
        let service = fargate(service_resources(spec)) + prices.public_ipv4_hour;
        let share = if spec.proxy.spot { 1.0 - prices.fargate_spot_discount } else { 1.0 };
        let instance = self.instance_type.as_ref().and_then(|kind| prices.instance_hour.get(kind));
        Hourly {
            proxy: proxy * share,
            address: prices.public_ipv4_hour,
            instance: instance
                .map(|hour| (hour + prices.public_ipv4_hour) / f64::from(self.tasks_per_instance.max(1))),
            on_fargate: (spec.fallback == Fallback::Fargate).then_some(service),
        }
    }
}

/// One service in one month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthCost {
    /// Such as `2026-11`, as UTC counts them.
    pub month: String,
    /// Hours in which tasks of it were up, whether they served yet or not.
    pub awake_hours: f64,
    /// The other hours since it was declared, or since hours are kept.
    pub asleep_hours: f64,
    /// Dollars for the hours awake.
    pub spent: f64,
    /// Dollars that the hours asleep would have cost.
    pub saved: f64,
}

/// Every month of a service that is remembered, the newest last.
pub fn months(hourly: Hourly, used: Use<'_>, now: Timestamp) -> Vec<MonthCost> {
    let up = |closed: &Months, since: Option<Timestamp>| {
        let mut months = closed.clone();
        since.into_iter().for_each(|since| months.add(since, now));
        months
    };
    let awake = up(used.closed, used.since);
    let on_fargate = up(used.closed_on_fargate, used.on_fargate_since);
    let year = SignedDuration::from_hours(24 * 366);
    let begin = used.metered.max(now.checked_sub(year).unwrap_or(Timestamp::MIN));
    let hours = |seconds: u64| std::time::Duration::from_secs(seconds).as_secs_f64() / 3600.0;
    let cost = |(month, all): (String, u64)| {
        let of = |months: &Months| months.0.get(&month).copied().unwrap_or_default();
        let (seconds, elsewhere) = (of(&awake), of(&on_fargate));
        let (awake_hours, asleep_hours) = (hours(seconds), hours(all.saturating_sub(seconds)));
        let on_instances = hours(seconds.saturating_sub(elsewhere)) * hourly.sum();
        let spent = on_instances + hours(elsewhere) * hourly.sum_on_fargate();
        let saved = asleep_hours * hourly.sum();
        MonthCost { month, awake_hours, asleep_hours, spent, saved }
    };
    split(begin, now).into_iter().map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn the_shipped_table_is_read() {
        let prices = Prices::shipped();
        assert!(prices.date.starts_with("20") && prices.region == "us-east-1", "{prices:?}");
        assert!(prices.instance_hour.contains_key("t4g.xlarge"));
        assert!(prices.fargate_vcpu_hour["X86_64"] > prices.fargate_vcpu_hour["ARM64"]);
    }

    #[test]
    fn an_hour_awake_is_proxy_address_and_a_part_of_an_instance() {
        let prices = Prices::shipped();
        let mut spec = ServiceSpec::defaults_for("nginx:1");
        let tariff =
            Tariff { instance_type: Some("t4g.xlarge".into()), tasks_per_instance: 3, ..Tariff::default() };
        let hourly = tariff.hourly(prices, &spec);
        // 0.25 x 0.04048 + 0.5 x 0.004445; (0.1344 + 0.005) / 3.
        assert!(near(hourly.proxy, 0.0123425), "{hourly:?}");
        assert!(near(hourly.address, 0.005) && near(hourly.instance.unwrap(), 0.0464666666666), "{hourly:?}");
        assert!(near(hourly.sum(), hourly.proxy + hourly.address + hourly.instance.unwrap()));
        spec.proxy.spot = true;
        assert!(near(tariff.hourly(prices, &spec).proxy, 0.0123425 * 0.3));
        spec.fallback = Fallback::Fargate;
        // 0.5 x 0.04048 + 1 x 0.004445 + 0.005: with its sidecar it takes 288 CPU units and 544 MiB.
        let falls_back = tariff.hourly(prices, &spec);
        assert!(near(falls_back.on_fargate.unwrap(), 0.029685), "{falls_back:?}");
        spec.architecture = Some(Architecture::Arm64);
        // 0.5 x 0.03238 + 1 x 0.00356 + 0.005.
        assert!(near(tariff.hourly(prices, &spec).on_fargate.unwrap(), 0.02475), "{falls_back:?}");
        let unknown =
            Tariff { instance_type: Some("x9.mega".into()), tasks_per_instance: 3, ..Tariff::default() };
        assert_eq!(unknown.hourly(prices, &spec).instance, None);
        assert_eq!(Tariff::default().hourly(prices, &spec).instance, None);
    }

    #[test]
    fn each_month_has_its_hours_awake_and_asleep() {
        let hourly = Hourly { proxy: 0.5, address: 0.25, instance: Some(0.25), on_fargate: Some(1.25) };
        let mut closed = Months::default();
        closed.add(at("2026-10-31T23:00:00Z"), at("2026-11-01T02:00:00Z"));
        let created = at("2026-10-31T12:00:00Z");
        let used = Use {
            metered: created,
            closed: &closed,
            closed_on_fargate: &Months::default(),
            since: Some(at("2026-11-01T09:00:00Z")),
            on_fargate_since: None,
        };
        let found = months(hourly, used, at("2026-11-01T10:00:00Z"));
        let expected = [("2026-10", 1.0, 11.0), ("2026-11", 3.0, 7.0)];
        assert_eq!(found.len(), 2, "{found:?}");
        for (found, (month, awake, asleep)) in found.iter().zip(expected) {
            assert_eq!(found.month, month);
            assert!(near(found.awake_hours, awake) && near(found.asleep_hours, asleep), "{found:?}");
            assert!(near(found.spent, awake) && near(found.saved, asleep), "{found:?}");
        }
        // One that was in use all along: what two pairs take at once is not more than all there is to save.
        let busy = months(hourly, Use { since: Some(created), ..used }, at("2026-10-31T13:00:00Z"));
        assert!(near(busy[0].asleep_hours, 0.0), "{busy:?}");
        // On Fargate all along an hour costs another 1.
        let used = Use { closed_on_fargate: &closed, on_fargate_since: used.since, ..used };
        let elsewhere = months(hourly, used, at("2026-11-01T10:00:00Z"));
        assert!(near(elsewhere[1].spent, 6.0) && near(elsewhere[1].saved, 7.0), "{elsewhere:?}");
    }
}

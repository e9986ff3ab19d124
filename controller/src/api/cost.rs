//! `GET /v1/cost`.

use super::extract::Params;
use super::state::Api;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use dormouse_core::cost::{Hourly, MonthCost, Prices, Tariff, Use, months};
use dormouse_core::upkeep::{Upkeep, asleep};
use dormouse_core::view::ServiceView;
use dormouse_state::months::month;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What everything costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// Date of the price table.
    pub prices_of: String,
    /// Region of the price table.
    pub region: String,
    /// Type of the instances that is reckoned with; absent: their part is not in the sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The current month.
    pub month: String,
    /// Every service, by name.
    pub services: Vec<ServiceCost>,
    /// What the installation itself costs a month while all of them sleep.
    #[serde(default)]
    pub idle: Upkeep,
}

/// What a service costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceCost {
    /// Its name.
    pub name: String,
    /// Dollars for an hour awake.
    pub hourly: Hourly,
    /// Its months, the newest last.
    pub months: Vec<MonthCost>,
}

impl CostReport {
    /// Reckons. `controllers`: how many there are.
    pub fn of(
        services: &[Arc<ServiceView>],
        tariff: &Tariff,
        controllers: usize,
        now: Timestamp,
    ) -> CostReport {
        let prices = Prices::shipped();
        let known = tariff.instance_type.clone().filter(|kind| prices.instance_hour.contains_key(kind));
        let cost = |view: &Arc<ServiceView>| {
            let (status, hourly) = (&view.status, tariff.hourly(prices, &view.spec));
            let used = Use {
                metered: status.metered_since.unwrap_or(now),
                closed: &status.awake,
                closed_on_fargate: &status.awake_on_fargate,
                since: status.awake_since,
                on_fargate_since: status.on_fargate_since,
            };
            let months = months(hourly, used, now);
            ServiceCost { name: view.metadata.name.clone(), hourly, months }
        };
        CostReport {
            prices_of: prices.date.clone(),
            region: prices.region.clone(),
            instance_type: known,
            month: month(now).0,
            services: services.iter().map(cost).collect(),
            idle: asleep(prices, &tariff.controller, controllers, services.len()),
        }
    }

    /// Dollars spent and saved by all services in a month.
    pub fn total(&self, month: &str) -> (f64, f64) {
        let all =
            self.services.iter().flat_map(|service| &service.months).filter(|known| known.month == month);
        all.fold((0.0, 0.0), |(spent, saved), known| (spent + known.spent, saved + known.saved))
    }
}

pub(super) async fn get(State(api): State<Api>, params: Params) -> Result<Json<CostReport>, Problem> {
    params.only(&[])?;
    let (plane, tariff) = (&api.plane, &api.tariff);
    Ok(Json(CostReport::of(&plane.services(), tariff, plane.replicas(), plane.now())))
}

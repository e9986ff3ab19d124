//! Wanted service tasks against instances, one family of behaviours a file.

mod demanding;
mod growing;
mod joining;
mod keeping;
mod lacking;
mod others;
mod packing;
mod placing;
mod properties;
mod removing;

use super::{Demand, Placement, Plan, Want, call_back, place, plan};
use crate::observed::{Fleet, Resources};
use crate::settings::Settings;
use crate::testing::at;
use dormouse_state::CapacityMemory;
use std::collections::{BTreeMap, BTreeSet};

fn want(service: &str, cpu: u32, memory: u32) -> Want {
    let resources = Resources { cpu, memory };
    Want { service: service.into(), resources, architecture: None, since: at(0), in_flight: false }
}

/// So many small services wait.
fn waiting(count: usize) -> Demand {
    Demand { waiting: (0..count).map(|n| want(&format!("s{n}"), 288, 544)).collect(), ..Demand::default() }
}

fn placed(demand: &Demand, fleet: &Fleet) -> Placement {
    place(&Settings::example(), demand, fleet, &CapacityMemory::default(), &BTreeMap::new())
}

fn planned(demand: &Demand, fleet: &Fleet, memory: &CapacityMemory, second: i64) -> Plan {
    plan(&Settings::example(), demand, fleet, memory, &BTreeMap::new(), at(second))
}

/// The reasons why services have no room; `Yes` for those that have.
fn rooms(placement: &Placement) -> Vec<&'static str> {
    placement
        .rooms
        .values()
        .map(|room| match room {
            super::Room::Yes => "Yes",
            super::Room::No { reason, .. } => reason,
        })
        .collect()
}

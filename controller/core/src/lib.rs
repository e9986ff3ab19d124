//! Dormouse's decisions as pure functions over plain data: no I/O, no clock, no lock, no AWS.
//!
//! Every planner has one shape, `plan(settings, remembered, observed, now) -> Plan`: the plan holds what to
//! remember next and the steps to take once that is remembered, in this order and never the other way round.
//!
//! # Layout
//!
//! - [`settings`]: what an installation is configured with
//! - [`observed`]: what the cloud and the sidecars said, as plain data
//! - [`naming`]: owner marks, client tokens, families, record names
//! - [`definition`]: the task definitions that a manifest asks for
//! - [`intent`]: wake, sleep, declare, delete: how the remembered intention changes
//! - [`template`]: services that are made when somebody asks for them
//! - [`guard`]: how many wakes by requests a day allows
//! - [`idle`]: when a service was last used, and when it falls asleep
//! - [`lifecycle`]: a service's pairs: run, adopt, retire, stop
//! - [`keepers`]: who or what keeps a service awake
//! - [`peering`]: what a sidecar is answered
//! - [`sound`]: which services are sound asleep
//! - [`status`]: phase and conditions, derived from what is observed
//! - [`dns`]: wanted records against a zone
//! - [`capacity`]: wanted service tasks against instances
//! - [`doctor`]: what is wrong with where an installation lives
//! - [`cost`]: what services cost, and what their sleep saves
//! - [`upkeep`]: what the installation itself costs
//! - [`budget`]: how many calls may be made
//! - [`lease`]: when to take, renew and give up the lease
//! - [`redate`]: what becomes of times that another controller's clock wrote
//! - [`transition`]: what happened between two records of a service
//! - [`view`]: a service, an instance and an event as the API shows them
//! - [`logs`]: which lines of a service's log are shown
//! - [`explain`]: ECS's reasons in plain words
//! - [`webhook`]: what others are told of a service

pub mod budget;
pub mod capacity;
pub mod cost;
pub mod definition;
pub mod dns;
pub mod doctor;
pub mod explain;
mod findings;
pub mod guard;
pub mod idle;
pub mod intent;
pub mod keepers;
pub mod lease;
pub mod lifecycle;
pub mod logs;
pub mod naming;
pub mod observed;
pub mod peering;
pub mod redate;
pub mod settings;
pub mod sound;
pub mod status;
pub mod template;
pub mod transition;
pub mod upkeep;
pub mod view;
pub mod webhook;

#[cfg(test)]
mod testing;

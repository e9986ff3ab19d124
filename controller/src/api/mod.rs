//! The HTTP API.
//!
//! # Layout
//!
//! - `router`: every call, and which of them ask for the token
//! - `listener`: serving it
//! - `state`: what all calls share
//! - `auth`: tokens and their roles, logins, pages of others; `audit`: who changed what
//! - `extract`: names, parameters and bodies, or the problem with them
//! - `services`, `declare`, `flip`, `wait`, `history`, `link`, `watch`, `templates`: `/v1`
//! - `heartbeat`: the sidecars' call
//! - `replicas`: the call of controllers that stand by
//! - `compat`: `/api/{name}`, as scripts know it
//! - `page`: `/{name}`; `progress`: what belongs to its waiting page
//! - `dashboard`: `/`
//! - `doctor`, `cost`: `/v1/doctor`, `/v1/cost`; `logs`: what containers wrote
//! - `early`: calls before anything is read
//! - `health`: `/healthz`, `/readyz`, `/metrics`
//! - `openapi`: `/openapi.json`

mod audit;
mod auth;
mod compat;
mod cost;
mod dashboard;
mod declare;
mod doctor;
mod early;
mod extract;
mod flip;
mod health;
mod heartbeat;
mod history;
mod link;
mod listener;
mod logs;
mod openapi;
mod page;
mod progress;
mod replicas;
mod router;
mod services;
mod state;
mod templates;
mod wait;
mod watch;

pub use cost::{CostReport, ServiceCost};
pub use extract::Peer;
pub use listener::serve;
pub use logs::LogLines;
pub use router::router;
pub use state::Options;

#[cfg(test)]
mod tests;

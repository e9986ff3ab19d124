//! The HTTP API.
//!
//! # Layout
//!
//! - `router`: every call, and which of them ask for the token
//! - `listener`: serving it
//! - `state`: what all calls share
//! - `auth`: the token
//! - `extract`: names, parameters and bodies, or the problem with them
//! - `services`, `declare`, `flip`, `wait`, `history`, `watch`: `/v1`
//! - `heartbeat`: the sidecars' call
//! - `compat`: `/api/{name}`, as scripts know it
//! - `page`: `/{name}` and the list of services
//! - `health`: `/healthz`, `/readyz`, `/metrics`
//! - `openapi`: `/openapi.json`

mod auth;
mod compat;
mod declare;
mod extract;
mod flip;
mod health;
mod heartbeat;
mod history;
mod listener;
mod openapi;
mod page;
mod router;
mod services;
mod state;
mod wait;
mod watch;

pub use listener::serve;
pub use router::router;
pub use state::Options;

#[cfg(test)]
mod tests;

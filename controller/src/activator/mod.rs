//! The activator: answers for services that sleep, by waking them.
//!
//! The wildcard record points here. The `Host` header names the service; a browser gets the waiting page, anything
//! else is held until the service answers, and forwarded to it directly, before DNS has moved.
//!
//! # Layout
//!
//! - `host`: which service a request is for
//! - `listener`: the [`Activator`] and its listener
//! - `route`: what is done with a request
//! - `hold`: waiting for the service, and forwarding
//! - `slots`: how many may wait
//! - `access`: who may wake a service that asks for a token
//! - `local`: answers that need no service; `own`: what belongs to the waiting page
//! - `tunnel`: upgraded connections

mod access;
mod hold;
mod host;
mod listener;
mod local;
mod own;
mod route;
mod slots;
mod tunnel;

pub use listener::{Activator, Options};
pub use slots::Limits;

#[cfg(test)]
mod tests;

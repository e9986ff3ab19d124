//! What the two sidecars share: the wire to the controller, mutual health, task tokens.
//!
//! # Layout
//!
//! - [`wire`]: heartbeats and their answers, as JSON types
//! - [`token`]: the per-task token, made by the controller and carried by a sidecar
//! - [`trust`]: whose word on who asks counts
//! - [`pass`]: what lets a browser wake a service that asks for a token
//!
//! With the default feature `runtime` also what makes a sidecar run:
//!
//! - [`settings`]: reading settings, and what is wrong with them
//! - [`common`]: the settings that both sidecars have
//! - [`program`]: a sidecar's command line
//! - [`exit`]: how a sidecar ends
//! - [`jitter`]: small random numbers, good enough to spread retries
//! - [`watch`]: the watch over another process, as a pure state machine
//! - [`probe`]: one check of another process, over HTTP or TCP
//! - [`patrol`]: the loop that joins the two
//! - [`pace`]: when the next heartbeat is due
//! - [`link`]: the link to the controller; [`controllers`]: to which of several
//! - [`http`]: one HTTP/1.1 connection as a client
//! - [`log`](mod@log): logging to stderr
//! - [`stop`]: being asked to stop
//!
//! Without it only the first four remain: the controller speaks the same wire but needs none of the
//! sidecars' machinery.

pub mod pass;
pub mod token;
pub mod trust;
pub mod wire;

#[cfg(feature = "runtime")]
pub mod common;
#[cfg(feature = "runtime")]
pub mod controllers;
#[cfg(feature = "runtime")]
pub mod exit;
#[cfg(feature = "runtime")]
pub mod http;
#[cfg(feature = "runtime")]
pub mod jitter;
#[cfg(feature = "runtime")]
pub mod link;
#[cfg(feature = "runtime")]
pub mod log;
#[cfg(feature = "runtime")]
pub mod pace;
#[cfg(feature = "runtime")]
pub mod patrol;
#[cfg(feature = "runtime")]
pub mod probe;
#[cfg(feature = "runtime")]
pub mod program;
#[cfg(feature = "runtime")]
pub mod settings;
#[cfg(feature = "runtime")]
pub mod stop;
#[cfg(feature = "runtime")]
pub mod watch;

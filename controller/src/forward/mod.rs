//! Forwarding HTTP to a service: headers rewritten, bodies streamed, upgrades tunnelled, nothing sent twice.
//!
//! # Layout
//!
//! - `headers`: what a request and an answer lose and gain on the way
//! - `pool`: idle connections
//! - `counted`: a connection that knows whether anything was read
//! - `send`: one request to one address
//! - `guarded`: a body that holds on to something until it ends

mod counted;
mod guarded;
mod headers;
mod pool;
mod send;

pub use guarded::Guarded;
pub use headers::{answer, outgoing, wants_upgrade};
pub use send::{Failure, Forwarder};

//! Forwarding HTTP to a service: headers rewritten, bodies streamed, upgrades tunnelled, nothing sent twice.
//!
//! # Layout
//!
//! - `headers`: what a request and an answer lose and gain on the way
//! - `ahead`: a request's body, of which a little may be read before it is sent on
//! - `pool`: idle connections
//! - `shared`: one connection to each service that speaks HTTP/2
//! - `counted`: a connection that knows whether anything was read
//! - `send`: one request to one address
//! - `guarded`: a body that holds on to something until it ends

mod ahead;
mod counted;
mod guarded;
mod headers;
mod pool;
mod send;
mod shared;

pub use ahead::Ahead;
pub use guarded::Guarded;
pub use headers::{From, answer, onward, outgoing, over_http2, takes_trailers, wants_upgrade};
pub use send::{Failure, Forwarder};

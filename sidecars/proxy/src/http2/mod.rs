//! HTTP/2 on either side, forwarded by hyper: it is off the hot path, and worth no loop of its own.
//!
//! # Layout
//!
//! - [`serve`](mod@serve): a client's connection
//! - [`forward`]: a request, all the way
//! - [`exchange`](mod@exchange): one request, one answer, sent again only where that is safe
//! - [`streams`]: what ends with a request, and a connection that has none
//! - [`headers`]: which headers go on, and which are added (pure)
//! - [`body`]: bodies on their way through, counted
//! - [`pool`]: kept connections to the service
//! - [`upstream`]: the one connection to a service that speaks HTTP/2

/// Bytes that a sender may be ahead of its receiver, on each stream.
const WINDOW: u32 = 128 * 1024;
/// The most that there is (RFC 9113, 6.9.1).
const NO_LIMIT: u32 = (1 << 31) - 1;

pub mod body;
pub mod exchange;
pub mod forward;
pub mod headers;
pub mod pool;
pub mod serve;
pub mod streams;
pub mod upstream;

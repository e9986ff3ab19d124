//! HTTP/2 on either side, forwarded by hyper: it is off the hot path, and worth no loop of its own.
//!
//! # Layout
//!
//! - [`serve`](mod@serve): a client's connection
//! - [`forward`]: a request, all the way
//! - [`exchange`](mod@exchange): one request, one answer, sent again only where that is safe
//! - [`headers`]: which headers go on, and which are added (pure)
//! - [`body`]: bodies on their way through, counted
//! - [`pool`]: kept connections to the service
//! - [`upstream`]: the one connection to a service that speaks HTTP/2

pub mod body;
pub mod exchange;
pub mod forward;
pub mod headers;
pub mod pool;
pub mod serve;
pub mod upstream;

//! The proxy sidecar: carries a service's traffic, counts it, and watches the service.
//!
//! # Layout
//!
//! - [`cli`]: the command line
//! - [`settings`]: what the proxy is told at its start
//! - [`serve`](mod@serve): a proxy's life, from listening to the exit code
//! - [`proxy`]: what one process knows: service, counters, drain
//! - [`front`]: the listeners, and each connection's life
//! - [`forward`]: a client's request, all the way
//! - [`exchange`](mod@exchange): one request, one answer, sent again only where that is safe
//! - [`headers`]: which headers go on, and which are added (pure)
//! - [`body`]: bodies on their way through, counted
//! - [`tunnel`]: upgraded and raw connections, bytes both ways
//! - [`upstream`]: the way to the service, and the wait for it
//! - [`pool`]: kept connections to it
//! - [`activity`]: the counters, and when they mean "abandoned" (pure)
//! - [`answer`]: the proxy's own answers: health and problems

pub mod activity;
pub mod answer;
pub mod body;
pub mod cli;
pub mod exchange;
pub mod forward;
pub mod front;
pub mod headers;
pub mod pool;
pub mod proxy;
pub mod serve;
pub mod settings;
pub mod tunnel;
pub mod upstream;

//! The proxy sidecar: carries a service's traffic, counts it, and watches the service.
//!
//! # Layout
//!
//! - [`cli`]: the command line
//! - [`settings`]: what the proxy is told at its start
//! - [`serve`](mod@serve): a proxy's life, from listening to the exit code
//! - [`proxy`]: what one process knows: service, counters, drain
//! - [`sleepers`]: who is woken when its stage changes
//! - [`front`]: the listeners, and each connection's life
//! - [`http1`]: HTTP/1.1, forwarded by a loop of its own
//! - [`http2`]: HTTP/2, forwarded by hyper
//! - [`proxy_protocol`]: who has connected, told to a raw service (pure)
//! - `tls`: TLS on the front, with the feature of that name
//! - [`tunnel`]: upgraded and raw connections, bytes both ways
//! - [`origin`]: who asks, as the service is told
//! - [`upstream`]: the way to the service, and the wait for it
//! - [`activity`]: the counters, and when they mean "abandoned" (pure)
//! - [`access`]: the access log
//! - [`metrics`]: what Prometheus reads
//! - [`clock`]: the time, read once for each turn of a connection
//! - [`answer`]: the proxy's own answers: health and problems

pub mod access;
pub mod activity;
pub mod answer;
pub mod cli;
pub mod clock;
pub mod front;
pub mod http1;
pub mod http2;
pub mod metrics;
pub mod origin;
pub mod proxy;
pub mod proxy_protocol;
pub mod serve;
pub mod settings;
pub mod sleepers;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tunnel;
pub mod upstream;

//! One trace for each wake, from the request that waits for it to the first byte of the answer.
//!
//! Traced are requests that wait at the activator: a span for the request, and below it `hold` and `forward`. The request
//! that begins a wake has the span `wake` below it, too, with the wake's parts; all others that wait for the same wake
//! are linked to it. What the caller said of its own trace (`traceparent`) is continued, and passed on to the service.
//!
//! # Layout
//!
//! - `off`: what is there without the feature `otel`: nothing
//! - `on`: the spans of requests
//! - `wake`: the span of a wake
//! - [`export`]: where they go

#[cfg(feature = "otel")]
pub mod export;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;
#[cfg(feature = "otel")]
mod wake;

#[cfg(not(feature = "otel"))]
pub use off::{Trace, Traces};
#[cfg(feature = "otel")]
pub use on::{Trace, Traces};

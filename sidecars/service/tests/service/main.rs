//! The service sidecar in-process and as a binary; and the pair of the two binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

mod binary;
mod pair;
mod sidecar;
mod support;

//! The proxy in-process, against small services and a small controller, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

mod access;
mod binary;
mod connections;
mod controller;
mod forwarding;
mod framing;
mod h2c;
mod hardening;
mod http2;
mod lifecycle;
mod raw;
mod sockets;
mod streaming;
mod support;

//! The proxy in-process, against small services and a small controller, over real sockets.

mod binary;
mod connections;
mod controller;
mod forwarding;
mod lifecycle;
mod streaming;
mod sockets;
mod support;

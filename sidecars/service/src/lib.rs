//! The service sidecar: stands beside the user's container and watches it and its proxy.
//!
//! # Layout
//!
//! - [`cli`]: the command line
//! - [`settings`]: what the sidecar is told at its start
//! - [`serve`](mod@serve): a sidecar's life, from its first check to the exit code
//! - [`sidecar`]: what one process knows: container, proxy, wish to sleep
//! - [`container`]: the watch over the user's container
//! - [`busy`]: asks it whether it is busy
//! - [`shutdown`]: the file by which the container asks for its own sleep
//! - [`ask`]: the port on which it asks for that
//! - [`wish`]: what becomes of that wish (pure)

pub mod ask;
pub mod busy;
pub mod cli;
pub mod container;
pub mod serve;
pub mod settings;
pub mod shutdown;
pub mod sidecar;
pub mod wish;

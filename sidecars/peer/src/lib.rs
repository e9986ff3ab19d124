//! What the two sidecars share: the wire to the controller, mutual health, task tokens.
//!
//! # Layout
//!
//! - [`wire`]: heartbeats and their answers, as JSON types
//! - [`token`]: the per-task token, made by the controller and carried by a sidecar
//!
//! Without the default feature `runtime` only these two remain: the controller speaks the same wire but
//! needs none of the sidecars' machinery.

pub mod token;
pub mod wire;

//! Scale-to-zero for Amazon ECS: controller, HTTP API, activator and command line.
//!
//! # Layout
//!
//! - [`plane`]: what the API, the activator and the pages ask of the control plane

pub mod plane;

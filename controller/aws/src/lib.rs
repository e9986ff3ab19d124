//! The clouds Dormouse speaks to, one AWS service a file, behind small ports.
//!
//! # Layout
//!
//! - [`ports`]: what the control plane asks of a cloud

pub mod ports;

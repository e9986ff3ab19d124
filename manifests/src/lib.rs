//! The Service manifest.

pub mod duration;
mod patterns;
pub mod rate;
mod types;
pub mod window;

pub use types::*;

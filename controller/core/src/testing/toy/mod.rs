//! A small cloud that takes steps, loses answers and lets tasks die, and a controller that runs the planners
//! against it. After every effect the cloud itself is asked whether what must always be true still is.
//!
//! # Layout
//!
//! - `cloud`: what is true: tasks, sidecars, instances; time passes here
//! - `calls`: the cloud's calls, each with the checks of what may be asked of it
//! - `names`: the zone
//! - `properties`: what always holds, and what comes about in the end
//! - `controller`: what is remembered and what is seen, and the planners between the two

mod calls;
mod cloud;
mod controller;
mod names;
mod properties;

pub(crate) use cloud::Cloud;
pub(crate) use controller::{Fault, Toy};

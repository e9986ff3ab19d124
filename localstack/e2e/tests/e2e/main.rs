//! The end-to-end tests. Each has a world of its own, so that they can run side by side.
//!
//! # Layout
//!
//! - `harness`: what the other tests stand on
//! - `wake`: first requests
//! - `sleep`: idleness, drains, and requests that come in between
//! - `on_localstack`: what can be shown without the control endpoint
//! - `pair`: one half dies or freezes
//! - `controller`: it dies, at any moment, or for good
//! - `replicas`: two controllers beside each other
//! - `foreign`: what is not Dormouse's
//! - `guard`: who wakes a service, and what ends its being awake
//! - `faults`: calls that fail, or whose answers are lost
//! - `capacity`: no room
//! - `fallback`: another kind of capacity serves in the wanted one's place
//! - `scale`: more than one page of everything
//! - `traffic`: WebSockets, raw bytes, requests with bodies
//! - `zones`: records for private callers
//! - `declared`: manifests that come and go
//! - `rollout`: manifests that change
//! - `deployed`: the CloudFormation template and its policies
//! - `logs`: what containers wrote
//! - `doctor`: what is wrong with where it lives
//! - `command_line`: what a user types
//! - `described`: the API as it describes itself
//! - `webhook`: who is told
//! - `browser`: what people see

// Helpers of tests fail as tests do, and there is no virtual time between processes.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod browser;
mod capacity;
mod command_line;
mod controller;
mod declared;
mod deployed;
mod described;
mod doctor;
mod fallback;
mod faults;
mod foreign;
mod guard;
mod harness;
mod logs;
mod on_localstack;
mod pair;
mod replicas;
mod rollout;
mod scale;
mod secrets;
mod sleep;
mod templates;
mod traffic;
mod wake;
mod webhook;
mod zones;

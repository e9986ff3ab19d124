//! End-to-end tests: the real programs, as processes, on the local AWS.
//!
//! A test says what the world is like, starts a controller in it, and looks at what anybody could look at: the
//! API, the zone, the tasks. When it ends, what must always be true is checked (see [`invariants`]).
//!
//! ```no_run
//! use dormouse_e2e::{manifest::Manifest, options::Options, run::run};
//!
//! run(Options::default(), |world| {
//!     let controller = world.controller();
//!     controller.declare(&Manifest::app("hello"));
//!     assert_eq!(world.get("hello", "/").status, 200);
//! });
//! ```
//!
//! # Layout
//!
//! - [`run`]: one test from its world's start to the checks at its end
//! - [`options`]: what a test's world is like
//! - [`world`]: a running local AWS, and what it knows to be true
//! - [`tasks`]: its tasks, as they truly are
//! - [`control`]: its control endpoint
//! - [`faults`]: what goes wrong with calls
//! - [`aws`]: calls of somebody else to it
//! - [`policy`]: the controller's policy, enforced in every world
//! - [`stack`]: a world that the CloudFormation template makes
//! - [`localstack`]: LocalStack in its place
//! - [`controller`]: a `dormouse controller` process
//! - [`api`]: the controller's API
//! - [`cli`]: the command line
//! - [`manifest`]: services to declare
//! - [`dns`]: a client's resolver; [`nameserver`]: one that says where a zone is led to
//! - [`http`]: an HTTP client
//! - [`websocket`]: a WebSocket client
//! - [`browser`]: a browser; [`socks`]: its way to services
//! - [`flapping`]: a service that sleeps and wakes under load
//! - [`storm`]: everything goes wrong at once, for minutes
//! - [`receiver`]: who is told by the webhook
//! - [`load`]: many clients at once; [`crowd`]: thousands, by one thread
//! - [`eventually`]: waiting for a condition
//! - [`invariants`]: what must be true at the end of every test
//! - [`paths`]: where the programs are

// Support of tests: a failure here is a test's failure, and shows as one. There is no virtual time between
// processes, and the environment says where the programs are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

pub mod api;
pub mod aws;
pub mod browser;
pub mod cli;
pub mod control;
pub mod controller;
pub mod crowd;
pub mod dns;
pub mod eventually;
pub mod faults;
pub mod flapping;
pub mod http;
pub mod invariants;
pub mod load;
pub mod localstack;
pub mod manifest;
pub mod nameserver;
pub mod options;
pub mod paths;
pub mod policy;
pub mod receiver;
pub mod run;
pub mod socks;
pub mod stack;
pub mod storm;
pub mod tasks;
pub mod websocket;
pub mod world;

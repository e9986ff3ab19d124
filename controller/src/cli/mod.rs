//! The command line. Data goes to stdout, everything else to stderr.
//!
//! # Layout
//!
//! - `args`: what can be typed
//! - `dispatch`: from what was typed to what is done
//! - `output`: stdout and stderr
//! - `progress`: how far a service is, while it is waited for; `selector`: which labels are asked for
//! - `failure`: how a command fails
//! - `controller`: `dormouse controller`
//! - `manifests`: reading `-f`; `declaration`: what they declare, and what the server has
//! - `apply`, `cost`, `diff`, `doctor`, `get`, `describe`, `why`, `flip`, `logs`, `delete`, `watch`: commands of the same names
//! - `templates`: what of these is about templates
//! - `table`, `time`: tables, and times in them

mod apply;
mod args;
mod controller;
mod cost;
mod declaration;
mod delete;
mod describe;
mod diff;
mod dispatch;
mod doctor;
mod failure;
mod flip;
mod get;
mod kind;
mod logs;
mod manifests;
mod output;
mod progress;
mod selector;
mod table;
mod templates;
mod time;
mod watch;
mod why;

pub use dispatch::main;

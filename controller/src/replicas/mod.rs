//! Several controllers of one installation: any of them answers, one leads.
//!
//! # Layout
//!
//! - `follow`: a standby hears from the leader what changes, and tells it what it is asked
//! - [`link`]: the way to a leader; `http`: the one over its API
//! - `relay`: calls of the API go on to the leader, and are answered here when it is silent

mod follow;
mod http;
pub mod link;
mod relay;

pub use self::http::Http;
pub use follow::follow;
pub use relay::{Relay, relay};

use crate::config::Secret;
use dormouse_peer::token;
use std::time::Duration;

/// What controllers prove themselves to each other with; no task's token is spelled like it.
const STANDBY: &str = "standby";
/// The call with which a standby reports.
pub const REPORT: &str = "/v1/replicas";

/// A leader that takes longer for a report is followed no more.
const SILENT: Duration = Duration::from_secs(3);

/// The bearer token of a controller of this installation.
fn pass(secret: &Secret) -> Secret {
    Secret::new(token::seal(secret.expose().as_bytes(), STANDBY))
}

/// Whether a controller of this installation shows this.
pub fn is_replica(secret: &Secret, shown: &str) -> bool {
    token::unseal(secret.expose().as_bytes(), shown) == Some(STANDBY)
}

//! Several controllers of one installation: any of them answers, one leads.
//!
//! # Layout
//!
//! - `follow`: a standby hears from the leader what changes, and tells it what it is asked
//! - `relay`: calls of the API go on to the leader, and are answered here when it is silent

mod follow;
mod relay;

pub use follow::follow;
pub use relay::{Relay, relay};

use crate::config::Secret;
use dormouse_peer::token;

/// What controllers prove themselves to each other with; no task's token is spelled like it.
const STANDBY: &str = "standby";
/// The call with which a standby reports.
pub const REPORT: &str = "/v1/replicas";

/// The bearer token of a controller of this installation.
fn pass(secret: &Secret) -> Secret {
    Secret::new(token::seal(secret.expose().as_bytes(), STANDBY))
}

/// Whether a controller of this installation shows this.
pub fn is_replica(secret: &Secret, shown: &str) -> bool {
    token::unseal(secret.expose().as_bytes(), shown) == Some(STANDBY)
}

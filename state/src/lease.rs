//! Who leads: a row whose nonce its holder keeps changing.
//!
//! Nobody compares clocks. A candidate that sees the same nonce for a whole lease duration *on its own
//! monotonic clock* may take the lease, under the condition that the nonce is still that one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The lease as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// Who holds it, in words for people; never compared.
    pub holder: String,
    /// Changes with every renewal. Empty: released, free to take at once.
    pub nonce: String,
    /// Grows by one with every change of holder; stands in the condition of every leader's write.
    pub epoch: u64,
    /// Its API, for controllers that stand by; never compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was written, by its holder's clock, for controllers that stand by: they date what they write by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

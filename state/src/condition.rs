//! Conditions and events: a service's state and history in words that a user reads.

use dormouse_manifests::TimeText;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The conditions that a service has. Each is true, false, or not there (unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// A request through the service's own record is answered.
    Ready,
    /// There is, or will be, an instance with room for its task.
    CapacityAvailable,
    /// Its service task runs and the user's container answers.
    ServiceRunning,
    /// Its proxy task runs and can forward.
    ProxyRunning,
    /// Proxy and service see each other.
    PeersHealthy,
    /// Its record stands in the zone.
    DnsPublished,
    /// Something of the same name that is not ours is in the way.
    Conflict,
    /// It is not as wanted, and the reason is known.
    Degraded,
}

/// One condition, in the shape that Kubernetes users know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// `True` or `False`.
    #[serde(with = "truth")]
    #[schemars(with = "truth::Words")]
    pub status: bool,
    /// One CamelCase word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When `status` last changed.
    #[schemars(with = "TimeText")]
    pub last_transition_time: Timestamp,
}

mod truth {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serializer};

    /// How it is written.
    #[derive(JsonSchema)]
    #[schemars(rename = "Truth")]
    #[allow(dead_code)]
    pub enum Words {
        True,
        False,
    }

    // serde's `with` hands a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn serialize<S: Serializer>(value: &bool, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(if *value { "True" } else { "False" })
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
        Ok(String::deserialize(d)? == "True")
    }
}

/// Something that happened to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    #[schemars(with = "TimeText")]
    pub at: Timestamp,
    /// One CamelCase word, e.g. `Woken`, `TaskEnded`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

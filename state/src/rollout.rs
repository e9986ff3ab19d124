//! What is remembered of a changed manifest until a pair of it was ready.

use crate::shared::Shared;
use dormouse_manifests::ServiceSpec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A changed manifest on its way into use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The generation that is to come into use, or that failed to.
    pub generation: u64,
    /// How many pairs of it did not become ready.
    #[serde(default)]
    pub tries: u32,
    /// No further pair beside the serving one before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Why the last pair of it did not become ready, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether it comes up is to be found out (`rolloutCheck`), and is not known yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
    /// It was woken for its check: that is done once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub woken: bool,
    /// What it is rolled back to when it fails its check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Box<Good>>,
    /// It failed its check, and what was good before is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

impl Rollout {
    /// A generation of which nothing is known yet.
    pub fn of(generation: u64) -> Rollout {
        Rollout {
            generation,
            tries: 0,
            retry_at: None,
            failure: None,
            check: false,
            woken: false,
            good: None,
            rolled_back: false,
        }
    }
}

/// A manifest of which a pair was ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    /// Its generation.
    pub generation: u64,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its spec.
    pub spec: Shared<ServiceSpec>,
}

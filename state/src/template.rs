//! Templates as they are remembered, all of them in one row: few are declared, and each is small.

use dormouse_manifests::ServiceTemplate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Every declared template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Templates {
    /// How many changes there were: the number of the last one.
    pub changes: u64,
    /// By name.
    pub by_name: BTreeMap<String, KnownTemplate>,
}

/// A declared template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownTemplate {
    /// As it was declared.
    pub manifest: ServiceTemplate,
    /// The number of the change that made it what it is: no two templates ever have the same.
    pub change: u64,
    /// When it was first declared.
    pub created_at: Timestamp,
}

/// What a service remembers of the template that it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeFrom {
    /// The template's name.
    pub template: String,
    /// The template's change that it follows.
    pub change: u64,
    /// Deleted this long after its last sleep.
    #[serde(with = "dormouse_manifests::duration::text")]
    pub expire_after: Duration,
    /// The template is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphaned: bool,
}

//! One row of the table: its key, its body, and what it says of a write.

use crate::record::ServiceRecord;
use crate::store::{StoreError, Version, Versioned};
use aws_sdk_dynamodb::types::AttributeValue::{self, N, S};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// Bytes of a record's JSON. DynamoDB's limit is 400 KB for the whole item.
/// Source: Amazon DynamoDB Developer Guide, "Quotas".
const MAX_BODY: usize = 350_000;

pub const KEY: &str = "serviceName";
/// The lease epoch of the latest leader that wrote the row.
pub const LEADER_EPOCH: &str = "leaderEpoch";
pub const SERVICES: &str = "svc#";
pub const GROUPS: &str = "asg#";
pub const LEASE: &str = "lease#controller";
pub const INSTALL: &str = "meta#install";
pub const TEMPLATES: &str = "meta#templates";

pub type Item = HashMap<String, AttributeValue>;

/// A row of the table, and what errors call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Value of the partition key.
    pub row: String,
    /// What errors call it.
    pub name: String,
}

impl Key {
    pub fn service(name: &str) -> Key {
        Key { row: format!("{SERVICES}{name}"), name: name.to_owned() }
    }

    pub fn group(name: &str) -> Key {
        Key { row: format!("{GROUPS}{name}"), name: name.to_owned() }
    }

    pub fn lease() -> Key {
        Key { row: LEASE.into(), name: "lease".into() }
    }

    pub fn templates() -> Key {
        Key { row: TEMPLATES.into(), name: "templates".into() }
    }

    pub fn install() -> Key {
        Key { row: INSTALL.into(), name: "install".into() }
    }

    pub fn attribute(&self) -> AttributeValue {
        S(self.row.clone())
    }

    pub fn corrupt(&self, why: impl Into<String>) -> StoreError {
        StoreError::Corrupt { key: self.name.clone(), why: why.into() }
    }

    pub fn conflict(&self) -> StoreError {
        StoreError::Conflict { key: self.name.clone() }
    }
}

/// Why a write did not happen, by the row that stands there; `Ok` when it did happen after all.
pub fn judge(key: &Key, row: Option<&Item>, write_id: &str, fence: Option<u64>) -> Result<(), StoreError> {
    if row.and_then(|row| text(row, "writeId")) == Some(write_id) {
        return Ok(());
    }
    match fence {
        Some(epoch) if is_fenced(row, fence) => Err(StoreError::Fenced { key: key.name.clone(), epoch }),
        _ => Err(key.conflict()),
    }
}

/// Whether a later leader than `fence` wrote the row.
pub fn is_fenced(row: Option<&Item>, fence: Option<u64>) -> bool {
    let held = row.and_then(|row| integer(row, LEADER_EPOCH));
    matches!((held, fence), (Some(held), Some(fence)) if held > fence)
}

/// The version that a row stands at; 0 = there is no row.
pub fn version(row: Option<&Item>) -> Version {
    row.and_then(|row| integer(row, "version")).unwrap_or(0)
}

/// The lease epoch of the latest leader that wrote a row; 0: none has.
pub fn leader(row: &Item) -> u64 {
    integer(row, LEADER_EPOCH).unwrap_or(0)
}

pub fn read_service(key: &Key, item: &Item) -> Result<Versioned<ServiceRecord>, StoreError> {
    let service: Versioned<ServiceRecord> = read(key, item)?;
    if service.value.name != key.name {
        return Err(key.corrupt(format!("it holds the record of `{}`", service.value.name)));
    }
    Ok(service)
}

pub fn read<T: DeserializeOwned>(key: &Key, item: &Item) -> Result<Versioned<T>, StoreError> {
    match version(Some(item)) {
        0 => Err(key.corrupt("it has no version")),
        version => Ok(Versioned { value: parse(key, item)?, version, leader: leader(item) }),
    }
}

pub fn parse<T: DeserializeOwned>(key: &Key, item: &Item) -> Result<T, StoreError> {
    let body = text(item, "body").ok_or_else(|| key.corrupt("it has no body"))?;
    serde_json::from_str(body).map_err(|error| key.corrupt(error.to_string()))
}

pub fn body<T: Serialize>(key: &Key, value: &T) -> Result<String, StoreError> {
    let body = serde_json::to_string(value).map_err(|error| key.corrupt(error.to_string()))?;
    if body.len() > MAX_BODY {
        let why = format!("it would take {} bytes, and a row holds at most {MAX_BODY}", body.len());
        return Err(key.corrupt(why));
    }
    Ok(body)
}

pub fn number(n: u64) -> AttributeValue {
    N(n.to_string())
}

pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

//! The store in one DynamoDB table.
//!
//! The table's partition key is `serviceName` (S), and it may be shared with the rows of the launch-lock system
//! that Dormouse replaces: those carry bare service names, ours a prefix that no DNS label can have, so that
//! neither ever reads or writes the other's. Rows of ours have no `ttl`: nothing here expires.
//!
//! | row | holds |
//! |---|---|
//! | `svc#<name>` | a service; `desired`, `phase` and `epoch` stand beside the body for people who look |
//! | `asg#<group>` | the remembered side of an Auto Scaling group |
//! | `lease#controller` | the leader's lease, its `nonce` beside the body for conditions |
//! | `meta#install` | the installation's id |
//!
//! Every write is conditional and carries a `writeId` of its own. When an answer is lost, the row tells by that
//! id whether the write happened.

use crate::capacity::CapacityMemory;
use crate::lease::Lease;
use crate::record::ServiceRecord;
use crate::store::{Store, StoreError, Version, Versioned};
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionalCheckFailedException, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a record's JSON. DynamoDB's limit is 400 KB for the whole item.
/// Source: Amazon DynamoDB Developer Guide, "Quotas".
const MAX_BODY: usize = 350_000;

const KEY: &str = "serviceName";
const SERVICES: &str = "svc#";
const GROUPS: &str = "asg#";
const LEASE: &str = "lease#controller";
const INSTALL: &str = "meta#install";

type Item = HashMap<String, AttributeValue>;

/// A row of the table, and what errors call it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    row: String,
    name: String,
}

impl Key {
    fn service(name: &str) -> Key {
        Key { row: format!("{SERVICES}{name}"), name: name.to_owned() }
    }

    fn group(name: &str) -> Key {
        Key { row: format!("{GROUPS}{name}"), name: name.to_owned() }
    }

    fn lease() -> Key {
        Key { row: LEASE.into(), name: "lease".into() }
    }

    fn install() -> Key {
        Key { row: INSTALL.into(), name: "install".into() }
    }

    fn attribute(&self) -> AttributeValue {
        S(self.row.clone())
    }

    fn corrupt(&self, why: impl Into<String>) -> StoreError {
        StoreError::Corrupt { key: self.name.clone(), why: why.into() }
    }

    fn conflict(&self) -> StoreError {
        StoreError::Conflict { key: self.name.clone() }
    }
}

/// What a write did.
enum Written {
    /// It happened.
    Done,
    /// Its condition did not hold: the row as it was, if there was one.
    Refused(Option<Item>),
    /// Nobody knows.
    Unknown(String),
}

/// A table in DynamoDB. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct DynamoDbStore {
    client: Client,
    table: String,
    writes: Arc<WriteIds>,
    unreadable: Arc<Mutex<Vec<String>>>,
}

impl DynamoDbStore {
    /// The store in `table`, which must exist. Region, credentials, endpoint, time limits and retries are the
    /// client's.
    pub fn new(client: Client, table: impl Into<String>) -> DynamoDbStore {
        let unreadable = Arc::default();
        DynamoDbStore { client, table: table.into(), writes: Arc::new(WriteIds::new()), unreadable }
    }

    /// One row, read consistently.
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key(KEY, key.attribute());
        match get.consistent_read(true).send().await {
            Ok(answer) => Ok(answer.item),
            Err(error) => Err(StoreError::Unavailable(words(&error))),
        }
    }

    /// Writes a row of a record in place of version `expected`, with `extra` beside its body.
    async fn put<T: Serialize + Sync>(
        &self,
        key: &Key,
        value: &T,
        extra: &[(&str, AttributeValue)],
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        let next = expected + 1;
        let write_id = self.writes.next();
        let mut fields =
            vec![("version", number(next)), ("writeId", S(write_id.clone())), ("body", S(body(key, value)?))];
        fields.extend(fence.map(|epoch| ("leaderEpoch", number(epoch))));
        fields.extend_from_slice(extra);
        // An update, not a put: a write without a fence leaves the row's leader epoch as it is.
        let mut update = self.update(key, fields);
        update = match expected {
            0 => update.condition_expression("attribute_not_exists(serviceName)"),
            _ => {
                let update = update.expression_attribute_values(":expected", number(expected));
                match fence {
                    None => update.condition_expression(AT_VERSION),
                    Some(epoch) => update
                        .expression_attribute_values(":fence", number(epoch))
                        .condition_expression(format!("{AT_VERSION} AND {NO_LATER_LEADER}")),
                }
            }
        };
        match settle(update.send().await, of_update) {
            Written::Done => Ok(next),
            Written::Refused(row) => judge(key, row.as_ref(), &write_id, fence).map(|()| next),
            Written::Unknown(why) => {
                let row = self.get(key).await.map_err(|_| StoreError::Unavailable(why.clone()))?;
                if version(row.as_ref()) == expected && !is_fenced(row.as_ref(), fence) {
                    // It may still be on its way.
                    return Err(StoreError::Unavailable(why));
                }
                judge(key, row.as_ref(), &write_id, fence).map(|()| next)
            }
        }
    }

    /// An update that sets all these fields of a row, and answers the row as it was when its condition fails.
    fn update(
        &self,
        key: &Key,
        fields: Vec<(&str, AttributeValue)>,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, key.attribute())
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let mut sets = Vec::new();
        let kind = key.row.split('#').next().unwrap_or_default();
        for (name, value) in fields.into_iter().chain([("kind", S(kind.to_owned()))]) {
            // Names behind `#`, because DynamoDB reserves hundreds of words.
            sets.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        update.update_expression(format!("SET {}", sets.join(", ")))
    }
}

const AT_VERSION: &str = "#version = :expected";
const NO_LATER_LEADER: &str = "(attribute_not_exists(leaderEpoch) OR leaderEpoch <= :fence)";

#[async_trait]
impl Store for DynamoDbStore {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        let key = Key::service(name);
        self.get(&key).await?.map(|item| read_service(&key, &item)).transpose()
    }

    async fn services(&self) -> Result<Vec<Versioned<ServiceRecord>>, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("begins_with(serviceName, :prefix)")
            .expression_attribute_values(":prefix", S(SERVICES.into()));
        let mut pages = scan.into_paginator().send();
        let (mut services, mut unreadable) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::Unavailable(words(&error)))?;
            for item in page.items.unwrap_or_default() {
                let row = text(&item, KEY).unwrap_or_default();
                let name = row.strip_prefix(SERVICES).unwrap_or(row);
                match read_service(&Key::service(name), &item) {
                    Ok(service) => services.push(service),
                    Err(_) => unreadable.push(name.to_owned()),
                }
            }
        }
        services.sort_by(|a, b| a.value.name.cmp(&b.value.name));
        unreadable.sort();
        *self.unreadable.lock().unwrap_or_else(PoisonError::into_inner) = unreadable;
        Ok(services)
    }

    fn unreadable(&self) -> Vec<String> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        let extra = [
            ("desired", S(format!("{:?}", record.desired))),
            ("phase", S(format!("{:?}", record.phase))),
            ("epoch", number(record.epoch)),
        ];
        self.put(&Key::service(&record.name), record, &extra, expected, fence).await
    }

    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        let key = Key::service(name);
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(KEY, key.attribute())
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":expected", number(expected))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let delete = match fence {
            None => delete.condition_expression(AT_VERSION),
            Some(epoch) => delete
                .expression_attribute_values(":fence", number(epoch))
                .condition_expression(format!("{AT_VERSION} AND {NO_LATER_LEADER}")),
        };
        let row = match settle(delete.send().await, of_delete) {
            Written::Done => return Ok(()),
            Written::Refused(row) => row,
            Written::Unknown(why) => {
                let row = self.get(&key).await.map_err(|_| StoreError::Unavailable(why.clone()))?;
                if row.is_some() && version(row.as_ref()) == expected && !is_fenced(row.as_ref(), fence) {
                    return Err(StoreError::Unavailable(why));
                }
                row
            }
        };
        match row {
            None => Ok(()),
            Some(row) => judge(&key, Some(&row), "", fence),
        }
    }

    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError> {
        let key = Key::group(group);
        match self.get(&key).await? {
            None => Ok(Versioned { value: CapacityMemory::default(), version: 0 }),
            Some(item) => read(&key, &item),
        }
    }

    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        self.put(&Key::group(group), memory, &[], expected, fence).await
    }

    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        let key = Key::lease();
        self.get(&key).await?.map(|item| parse(&key, &item)).transpose()
    }

    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError> {
        let key = Key::lease();
        let write_id = self.writes.next();
        let fields = vec![
            ("nonce", S(next.nonce.clone())),
            ("writeId", S(write_id.clone())),
            ("body", S(body(&key, next)?)),
        ];
        let update = self.update(&key, fields);
        let update = match expected {
            None => update.condition_expression("attribute_not_exists(serviceName)"),
            Some(nonce) => update
                .condition_expression("#nonce = :expected")
                .expression_attribute_values(":expected", S(nonce.to_owned())),
        };
        match settle(update.send().await, of_update) {
            Written::Done => Ok(()),
            Written::Refused(row) => judge(&key, row.as_ref(), &write_id, None),
            Written::Unknown(why) => {
                let row = self.get(&key).await.map_err(|_| StoreError::Unavailable(why.clone()))?;
                if row.as_ref().and_then(|row| text(row, "nonce")) == expected {
                    return Err(StoreError::Unavailable(why));
                }
                judge(&key, row.as_ref(), &write_id, None)
            }
        }
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        let key = Key::install();
        if let Some(row) = self.get(&key).await? {
            return parse(&key, &row);
        }
        let fields = vec![("body", S(body(&key, &proposal)?)), ("writeId", S(self.writes.next()))];
        let update = self.update(&key, fields).condition_expression("attribute_not_exists(serviceName)");
        let written = settle(update.send().await, of_update);
        // Whoever was first: the row says it.
        match (self.get(&key).await?, written) {
            (Some(row), _) => parse(&key, &row),
            (None, Written::Unknown(why)) => Err(StoreError::Unavailable(why)),
            (None, _) => Err(StoreError::Unavailable("the installation's id is not in its row".into())),
        }
    }
}

/// Why a write did not happen, by the row that stands there; `Ok` when it did happen after all.
fn judge(key: &Key, row: Option<&Item>, write_id: &str, fence: Option<u64>) -> Result<(), StoreError> {
    if row.and_then(|row| text(row, "writeId")) == Some(write_id) {
        return Ok(());
    }
    match fence {
        Some(epoch) if is_fenced(row, fence) => Err(StoreError::Fenced { key: key.name.clone(), epoch }),
        _ => Err(key.conflict()),
    }
}

/// Whether a later leader than `fence` wrote the row.
fn is_fenced(row: Option<&Item>, fence: Option<u64>) -> bool {
    let held = row.and_then(|row| integer(row, "leaderEpoch"));
    matches!((held, fence), (Some(held), Some(fence)) if held > fence)
}

/// The version that a row stands at; 0 = there is no row.
fn version(row: Option<&Item>) -> Version {
    row.and_then(|row| integer(row, "version")).unwrap_or(0)
}

fn read_service(key: &Key, item: &Item) -> Result<Versioned<ServiceRecord>, StoreError> {
    let service: Versioned<ServiceRecord> = read(key, item)?;
    if service.value.name != key.name {
        return Err(key.corrupt(format!("it holds the record of `{}`", service.value.name)));
    }
    Ok(service)
}

fn read<T: DeserializeOwned>(key: &Key, item: &Item) -> Result<Versioned<T>, StoreError> {
    match version(Some(item)) {
        0 => Err(key.corrupt("it has no version")),
        version => Ok(Versioned { value: parse(key, item)?, version }),
    }
}

fn parse<T: DeserializeOwned>(key: &Key, item: &Item) -> Result<T, StoreError> {
    let body = text(item, "body").ok_or_else(|| key.corrupt("it has no body"))?;
    serde_json::from_str(body).map_err(|error| key.corrupt(error.to_string()))
}

fn body<T: Serialize>(key: &Key, value: &T) -> Result<String, StoreError> {
    let body = serde_json::to_string(value).map_err(|error| key.corrupt(error.to_string()))?;
    if body.len() > MAX_BODY {
        let why = format!("it would take {} bytes, and a row holds at most {MAX_BODY}", body.len());
        return Err(key.corrupt(why));
    }
    Ok(body)
}

fn number(n: u64) -> AttributeValue {
    N(n.to_string())
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn of_update(error: &UpdateItemError) -> Option<&ConditionalCheckFailedException> {
    match error {
        UpdateItemError::ConditionalCheckFailedException(failed) => Some(failed),
        _ => None,
    }
}

fn of_delete(error: &DeleteItemError) -> Option<&ConditionalCheckFailedException> {
    match error {
        DeleteItemError::ConditionalCheckFailedException(failed) => Some(failed),
        _ => None,
    }
}

/// Sorts the outcome of a write. Any error but a failed condition counts as unknown: the client may have tried
/// before, with an answer that was lost.
fn settle<T, E: ProvideErrorMetadata + Error + 'static>(
    result: Result<T, SdkError<E>>,
    failed: impl Fn(&E) -> Option<&ConditionalCheckFailedException>,
) -> Written {
    match result {
        Ok(_) => Written::Done,
        Err(error) => match error.as_service_error().and_then(failed) {
            Some(failed) => Written::Refused(failed.item().cloned()),
            None => Written::Unknown(words(&error)),
        },
    }
}

/// An error on one line: DynamoDB's code and words, or the chain of what went wrong on the way.
fn words<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Ids of writes: unlike any other process's, and each one once.
#[derive(Debug)]
struct WriteIds {
    process: u64,
    count: AtomicU64,
}

impl WriteIds {
    fn new() -> WriteIds {
        // The standard library seeds its hashers from the system's random source.
        WriteIds { process: RandomState::new().hash_one(0), count: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

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
//! | `meta#templates` | every template |
//!
//! Every write is conditional and carries a `writeId` of its own. When an answer is lost, the row tells by that
//! id whether the write happened.

mod row;
mod write;

use crate::capacity::CapacityMemory;
use crate::lease::Lease;
use crate::record::ServiceRecord;
use crate::store::{IsKnown, Listed, Store, StoreError, Version, Versioned};
use crate::template::Templates;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue::{self, S};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure as OnFailure;
use row::{
    Item, KEY, Key, LEADER_EPOCH, SERVICES, body, integer, is_fenced, judge, leader, number, parse, read,
    read_service, text, version,
};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use write::{WriteIds, Written, of_delete, of_update, settle, words};

const ABSENT: &str = "attribute_not_exists(serviceName)";
const AT_VERSION: &str = "#version = :expected";
const NO_LATER_LEADER: &str = "(attribute_not_exists(leaderEpoch) OR leaderEpoch <= :fence)";

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
        fields.extend(fence.map(|epoch| (LEADER_EPOCH, number(epoch))));
        fields.extend_from_slice(extra);
        // An update, not a put: a write without a fence leaves the row's leader epoch as it is.
        let mut update = self.update(key, fields);
        update = match expected {
            0 => update.condition_expression(ABSENT),
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
    fn update(&self, key: &Key, fields: Vec<(&str, AttributeValue)>) -> UpdateItemFluentBuilder {
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

#[async_trait]
impl Store for DynamoDbStore {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        let key = Key::service(name);
        self.get(&key).await?.map(|item| read_service(&key, &item)).transpose()
    }

    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError> {
        let all = self.changed_services(&|_, _| false).await?.into_iter();
        let whole =
            |row: Listed| Some(Versioned { value: row.record?, version: row.version, leader: row.leader });
        Ok(all.filter_map(whole).collect())
    }

    async fn changed_services(&self, known: IsKnown<'_>) -> Result<Vec<Listed>, StoreError> {
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
                let name = row.strip_prefix(SERVICES).unwrap_or(row).to_owned();
                let (version, leader) = (version(Some(&item)), leader(&item));
                if known(&name, version) {
                    services.push(Listed { name, version, leader, record: None });
                    continue;
                }
                match read_service(&Key::service(&name), &item) {
                    Ok(Versioned { value, .. }) => {
                        services.push(Listed { name, version, leader, record: Some(Arc::new(value)) });
                    }
                    Err(_) => unreadable.push(name),
                }
            }
        }
        services.sort_by(|a, b| a.name.cmp(&b.name));
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
            None => Ok(Versioned::default()),
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

    async fn templates(&self) -> Result<Versioned<Templates>, StoreError> {
        let key = Key::templates();
        match self.get(&key).await? {
            None => Ok(Versioned::default()),
            Some(item) => read(&key, &item),
        }
    }

    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError> {
        self.put(&Key::templates(), templates, &[], expected, None).await
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
            None => update.condition_expression(ABSENT),
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

    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .projection_expression(LEADER_EPOCH)
            .filter_expression(format!("attribute_exists({LEADER_EPOCH})"));
        let mut pages = scan.into_paginator().send();
        let mut newest = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::Unavailable(words(&error)))?;
            let epochs = page.items.iter().flatten().filter_map(|item| integer(item, LEADER_EPOCH));
            newest = epochs.fold(newest, u64::max);
        }
        Ok(newest)
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        let key = Key::install();
        if let Some(row) = self.get(&key).await? {
            return parse(&key, &row);
        }
        let fields = vec![("body", S(body(&key, &proposal)?)), ("writeId", S(self.writes.next()))];
        let update = self.update(&key, fields).condition_expression(ABSENT);
        let written = settle(update.send().await, of_update);
        // Whoever was first: the row says it.
        match (self.get(&key).await?, written) {
            (Some(row), _) => parse(&key, &row),
            (None, Written::Unknown(why)) => Err(StoreError::Unavailable(why)),
            (None, _) => Err(StoreError::Unavailable("the installation's id is not in its row".into())),
        }
    }
}

//! What only the store in DynamoDB has: lost answers, rows of others, rows that cannot be read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/lossy.rs"]
mod lossy;
mod support;

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use dormouse_manifests::ServiceSpec;
use dormouse_state::dynamodb::DynamoDbStore;
use dormouse_state::{CapacityMemory, Lease, ServiceRecord, Store, StoreError};
use jiff::Timestamp;
use lossy::Lossy;
use std::collections::{BTreeMap, HashMap};
use support::Table;

fn service(name: &str) -> ServiceRecord {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    ServiceRecord::declared(name, BTreeMap::new(), ServiceSpec::defaults_for("nginx"), now)
}

/// A store whose answers can be lost, and one beside it.
async fn over_lossy(table: &Table, attempts: u32) -> (Lossy, DynamoDbStore, DynamoDbStore) {
    let way = Lossy::to(&table.endpoint).await;
    let store = DynamoDbStore::new(support::client(&way.endpoint, attempts).await, &table.name);
    let beside = DynamoDbStore::new(table.client(1).await, &table.name);
    (way, store, beside)
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_recognised() {
    let Some(table) = Table::create().await else { return };
    // With one attempt the row is looked up; with two the second attempt fails its condition and tells.
    for (attempts, name) in [(1, "looked-up"), (2, "tried-again")] {
        let (way, store, beside) = over_lossy(&table, attempts).await;
        way.lose(1);
        assert_eq!(store.put_service(&service(name), 0, Some(1)).await, Ok(1), "{attempts}");
        way.lose(1);
        assert_eq!(store.put_service(&service(name), 1, None).await, Ok(2), "{attempts}");
        assert_eq!(beside.service(name).await.unwrap().unwrap().version, 2, "written once");
        way.lose(1);
        assert_eq!(store.delete_service(name, 2, Some(1)).await, Ok(()), "{attempts}");
        assert_eq!(way.left(), 0);
        assert_eq!(beside.service(name).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_lease_and_an_id_whose_answers_are_lost_are_recognised() {
    let Some(table) = Table::create().await else { return };
    let (way, store, beside) = over_lossy(&table, 1).await;
    let lease =
        |nonce: &str| Lease { holder: "a".into(), nonce: nonce.into(), epoch: 1, url: None, at: None };
    way.lose(1);
    assert_eq!(store.put_lease(&lease("n1"), None).await, Ok(()));
    way.lose(1);
    assert_eq!(store.put_lease(&lease("n2"), Some("n1")).await, Ok(()));
    assert_eq!(beside.lease().await.unwrap(), Some(lease("n2")));

    way.lose(1);
    assert!(
        matches!(store.install_id("i1").await, Err(StoreError::Unavailable(_))),
        "the first read is lost"
    );
    assert_eq!(store.install_id("i1").await.unwrap(), "i1");
    assert_eq!(beside.install_id("i2").await.unwrap(), "i1");
}

#[tokio::test]
async fn a_lost_answer_is_not_a_conflict_and_not_a_success_when_nothing_can_be_read() {
    let Some(table) = Table::create().await else { return };
    let (way, store, beside) = over_lossy(&table, 1).await;
    way.lose(2);
    let written = store.put_service(&service("hello"), 0, None).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    // It did happen: a caller that reads again sees it.
    assert_eq!(beside.service("hello").await.unwrap().unwrap().version, 1);

    way.lose(2);
    let deleted = store.delete_service("hello", 1, None).await;
    assert!(matches!(deleted, Err(StoreError::Unavailable(_))), "{deleted:?}");
    assert_eq!(store.delete_service("hello", 1, None).await, Ok(()));
}

#[tokio::test]
async fn a_lost_refusal_is_still_a_refusal() {
    let Some(table) = Table::create().await else { return };
    let (way, store, beside) = over_lossy(&table, 1).await;
    beside.put_service(&service("hello"), 0, Some(7)).await.unwrap();
    way.lose(1);
    let written = store.put_service(&service("hello"), 0, None).await;
    assert!(matches!(written, Err(StoreError::Conflict { .. })), "{written:?}");
    way.lose(1);
    let written = store.put_service(&service("hello"), 1, Some(6)).await;
    assert!(matches!(written, Err(StoreError::Fenced { epoch: 6, .. })), "{written:?}");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_unavailable() {
    let Some(table) = Table::create().await else { return };
    let store = DynamoDbStore::new(table.client(1).await, "nowhere");
    let error = store.services().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("ResourceNotFound")), "{error}");
    let error = store.put_service(&service("hello"), 0, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let nobody = DynamoDbStore::new(support::client("http://127.0.0.1:9", 1).await, "nowhere");
    assert!(matches!(nobody.services().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn rows_of_the_replaced_system_do_no_harm_and_come_to_none() {
    let Some(table) = Table::create().await else { return };
    let client = table.client(1).await;
    let lock = |name: &str| {
        HashMap::from([
            ("serviceName".to_owned(), S(name.to_owned())),
            ("lockedAt".to_owned(), N("1700000000".to_owned())),
            ("ttl".to_owned(), N("1700000900".to_owned())),
        ])
    };
    for name in ["hello", "install", "svc"] {
        client.put_item().table_name(&table.name).set_item(Some(lock(name))).send().await.unwrap();
    }
    let store = DynamoDbStore::new(client.clone(), &table.name);
    assert_eq!(store.services().await.unwrap(), Vec::new());
    assert_eq!(store.service("hello").await.unwrap(), None);
    assert_eq!(store.put_service(&service("hello"), 0, Some(1)).await, Ok(1));
    assert_eq!(store.install_id("i1").await.unwrap(), "i1");
    assert_eq!(store.services().await.unwrap().len(), 1);
    assert_eq!(store.delete_service("hello", 1, Some(1)).await, Ok(()));
    for name in ["hello", "install", "svc"] {
        let get = client.get_item().table_name(&table.name).key("serviceName", S(name.to_owned()));
        let found = get.consistent_read(true).send().await.unwrap().item;
        assert_eq!(found, Some(lock(name)), "untouched");
    }
}

#[tokio::test]
async fn our_rows_never_expire_and_show_where_a_service_is() {
    let Some(table) = Table::create().await else { return };
    let client = table.client(1).await;
    let store = DynamoDbStore::new(client.clone(), &table.name);
    store.put_service(&service("hello"), 0, Some(4)).await.unwrap();
    store.put_capacity("asg", &CapacityMemory::default(), 0, Some(4)).await.unwrap();
    let items = client.scan().table_name(&table.name).send().await.unwrap().items.unwrap();
    assert!(items.iter().all(|item| !item.contains_key("ttl")), "{items:?}");
    let row = items.iter().find(|item| item["serviceName"] == S("svc#hello".into())).unwrap();
    for (name, value) in [
        ("kind", S("svc".into())),
        ("version", N("1".into())),
        ("leaderEpoch", N("4".into())),
        ("desired", S("Asleep".into())),
        ("phase", S("Asleep".into())),
        ("epoch", N("0".into())),
    ] {
        assert_eq!(row.get(name), Some(&value), "{name}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_blinds_nobody_and_is_named() {
    let Some(table) = Table::create().await else { return };
    let client = table.client(1).await;
    let store = DynamoDbStore::new(client.clone(), &table.name);
    store.put_service(&service("good"), 0, None).await.unwrap();
    let other = serde_json::to_string(&service("other")).unwrap();
    for (name, body) in
        [("torn", "{\"name\":"), ("newer", "{\"name\":\"newer\"}"), ("swapped", other.as_str())]
    {
        let put = client.put_item().table_name(&table.name).item("serviceName", S(format!("svc#{name}")));
        put.item("version", N("3".into())).item("body", S(body.into())).send().await.unwrap();
    }
    let services = store.services().await.unwrap();
    assert_eq!(services.iter().map(|s| s.value.name.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(store.unreadable(), ["newer", "swapped", "torn"]);
    for name in ["newer", "swapped", "torn"] {
        let error = store.service(name).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { key, .. } if key == name), "{error}");
    }
    // It can be replaced by whoever knows its version, and deleted.
    store.put_service(&service("torn"), 3, None).await.unwrap();
    store.delete_service("newer", 3, None).await.unwrap();
    store.services().await.unwrap();
    assert_eq!(store.unreadable(), ["swapped"]);
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_in_words() {
    let Some(table) = Table::create().await else { return };
    let store = DynamoDbStore::new(table.client(1).await, &table.name);
    let mut large = service("large");
    large.labels.insert("text".into(), "x".repeat(360_000));
    let error = store.put_service(&large, 0, None).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { why, .. } if why.contains("at most 350000")), "{error}");
}

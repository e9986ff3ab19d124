//! What every store does, held against all of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use dormouse_manifests::{Protocol, ServiceSpec, ServiceTemplate};
use dormouse_state::dynamodb::DynamoDbStore;
use dormouse_state::{
    CapacityMemory, Cause, Condition, ConditionType, Definition, Desired, DnsChange, Good, InstanceSize,
    KnownTemplate, Lack, Launch, Lease, MadeFrom, MemoryStore, Pair, PairId, Phase, Removal, Rollout,
    RunParameters, Runs, ServiceRecord, Store, StoreError, TaskEnd, TaskIntent, Templates, Version,
};
use futures::future::join_all;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Runs each of these functions against each store.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(Arc::new(MemoryStore::new())).await;
            })*
        }

        mod dynamodb {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(table) = support::Table::create().await else { return };
                super::$name(Arc::new(DynamoDbStore::new(table.client(2).await, &table.name))).await;
            })*
        }
    };
}

contract!(
    a_service_is_created_read_replaced_and_deleted,
    a_write_names_the_version_that_it_replaces,
    one_of_many_creators_wins,
    one_of_many_writers_wins,
    no_update_is_lost,
    a_later_leader_fences_out_an_earlier_one,
    writes_of_any_replica_leave_the_fence_standing,
    a_read_tells_the_latest_leader_that_wrote_a_row,
    every_field_survives,
    services_are_listed_in_order,
    a_listing_of_more_than_a_page_is_whole,
    capacity_begins_empty_at_version_0,
    capacity_is_versioned_and_fenced,
    templates_begin_empty_and_are_versioned,
    the_lease_is_taken_renewed_and_released,
    one_of_many_candidates_takes_the_lease,
    the_newest_epoch_is_known_without_the_lease,
    the_first_install_id_stays,
);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn service(name: &str) -> ServiceRecord {
    ServiceRecord::declared(name, BTreeMap::new(), ServiceSpec::defaults_for("nginx"), at(0))
}

fn with_epoch(name: &str, epoch: u64) -> ServiceRecord {
    ServiceRecord { epoch, ..service(name) }
}

async fn read(store: &dyn Store, name: &str) -> (ServiceRecord, Version) {
    let found = store.service(name).await.unwrap().expect("the service");
    (found.value, found.version)
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

fn is_fenced<T>(result: &Result<T, StoreError>, by: u64) -> bool {
    matches!(result, Err(StoreError::Fenced { epoch, .. }) if *epoch == by)
}

async fn a_service_is_created_read_replaced_and_deleted(store: Arc<dyn Store>) {
    assert_eq!(store.service("hello").await.unwrap(), None);
    assert_eq!(store.put_service(&service("hello"), 0, None).await, Ok(1));
    assert_eq!(read(&*store, "hello").await, (service("hello"), 1));

    let woken = with_epoch("hello", 1);
    assert_eq!(store.put_service(&woken, 1, Some(3)).await, Ok(2));
    assert_eq!(read(&*store, "hello").await, (woken, 2));

    assert_eq!(store.delete_service("hello", 2, None).await, Ok(()));
    assert_eq!(store.service("hello").await.unwrap(), None);
    assert_eq!(store.delete_service("hello", 2, None).await, Ok(()), "no row is success");
    assert_eq!(store.put_service(&service("hello"), 0, None).await, Ok(1), "the name is free again");
}

async fn a_write_names_the_version_that_it_replaces(store: Arc<dyn Store>) {
    let hello = service("hello");
    assert!(is_conflict(&store.put_service(&hello, 1, None).await), "nothing to replace");
    assert!(is_conflict(&store.put_service(&hello, 1, Some(1)).await));
    store.put_service(&hello, 0, None).await.unwrap();
    assert!(is_conflict(&store.put_service(&hello, 0, None).await), "it is there");
    store.put_service(&hello, 1, None).await.unwrap();
    for stale in [0, 1, 3] {
        assert!(is_conflict(&store.put_service(&with_epoch("hello", 9), stale, None).await), "{stale}");
        assert!(is_conflict(&store.delete_service("hello", stale, None).await), "{stale}");
    }
    assert_eq!(read(&*store, "hello").await, (hello, 2), "none of them changed it");
}

async fn race(store: &Arc<dyn Store>, expected: Version) -> Vec<u64> {
    let writers = (1..=32).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let written = store.put_service(&with_epoch("hello", writer), expected, Some(1)).await;
            assert!(written == Ok(expected + 1) || is_conflict(&written), "{written:?}");
            written.is_ok().then_some(writer)
        })
    });
    join_all(writers).await.into_iter().filter_map(Result::unwrap).collect()
}

async fn one_of_many_creators_wins(store: Arc<dyn Store>) {
    let winners = race(&store, 0).await;
    let (stands, version) = read(&*store, "hello").await;
    assert_eq!((winners, version), (vec![stands.epoch], 1));
}

async fn one_of_many_writers_wins(store: Arc<dyn Store>) {
    store.put_service(&service("hello"), 0, None).await.unwrap();
    let winners = race(&store, 1).await;
    let (stands, version) = read(&*store, "hello").await;
    assert_eq!((winners, version), (vec![stands.epoch], 2));
}

async fn no_update_is_lost(store: Arc<dyn Store>) {
    store.put_service(&service("hello"), 0, None).await.unwrap();
    let writers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..4 {
                loop {
                    let (mut record, version) = read(&*store, "hello").await;
                    record.epoch += 1;
                    match store.put_service(&record, version, None).await {
                        Ok(_) => break,
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let (record, version) = read(&*store, "hello").await;
    assert_eq!((record.epoch, version), (32, 33));
}

async fn a_later_leader_fences_out_an_earlier_one(store: Arc<dyn Store>) {
    let hello = service("hello");
    store.put_service(&hello, 0, Some(5)).await.unwrap();
    assert!(is_fenced(&store.put_service(&hello, 1, Some(4)).await, 4));
    assert!(is_fenced(&store.put_service(&hello, 0, Some(4)).await, 4), "even at a wrong version");
    assert!(is_fenced(&store.delete_service("hello", 1, Some(4)).await, 4));
    assert_eq!(store.put_service(&hello, 1, Some(5)).await, Ok(2), "the same leader");
    assert_eq!(store.put_service(&hello, 2, Some(7)).await, Ok(3), "a later one");
    assert!(is_fenced(&store.put_service(&hello, 3, Some(6)).await, 6));
    assert!(is_conflict(&store.put_service(&hello, 2, Some(8)).await), "a fence replaces no version");
    assert_eq!(store.delete_service("hello", 3, Some(7)).await, Ok(()));
}

async fn writes_of_any_replica_leave_the_fence_standing(store: Arc<dyn Store>) {
    let hello = service("hello");
    store.put_service(&hello, 0, None).await.unwrap();
    assert_eq!(store.put_service(&hello, 1, Some(1)).await, Ok(2), "no leader wrote it yet");
    assert_eq!(store.put_service(&hello, 2, Some(5)).await, Ok(3));
    assert_eq!(store.put_service(&hello, 3, None).await, Ok(4));
    assert!(is_fenced(&store.put_service(&hello, 4, Some(4)).await, 4));
    assert_eq!(store.delete_service("hello", 4, None).await, Ok(()));
}

async fn a_read_tells_the_latest_leader_that_wrote_a_row(store: Arc<dyn Store>) {
    for (version, fence, leader) in [(0, None, 0), (1, Some(3), 3), (2, None, 3), (3, Some(5), 5)] {
        store.put_service(&service("hello"), version, fence).await.unwrap();
        store.put_capacity("asg", &CapacityMemory::default(), version, fence).await.unwrap();
        let alone = store.service("hello").await.unwrap().unwrap();
        assert_eq!((alone.version, alone.leader), (version + 1, leader));
        assert_eq!(store.services().await.unwrap()[0].leader, leader);
        for is_known in [false, true] {
            let listed = store.changed_services(&|_, _| is_known).await.unwrap();
            assert_eq!((listed[0].leader, listed[0].record.is_none()), (leader, is_known));
        }
        assert_eq!(store.capacity("asg").await.unwrap().leader, leader);
    }
    assert_eq!(store.capacity("other").await.unwrap().leader, 0);
    assert_eq!(store.templates().await.unwrap().leader, 0);
}

async fn every_field_survives(store: Arc<dyn Store>) {
    let parameters = RunParameters {
        cluster: "services".into(),
        task_definition: "arn:aws:ecs:eu-west-1:1:task-definition/dormouse-i-hello-service:3".into(),
        container: "dormouse-service".into(),
        subnets: vec!["subnet-1".into(), "subnet-2".into()],
        security_groups: vec!["sg-1".into()],
        launch: Launch::FargateSpot,
        public_ip: true,
        controller_url: "http://10.0.0.9:9070".into(),
        incarnation: String::new(),
    };
    let id = PairId { epoch: u64::MAX, attempt: 2 };
    let ended = TaskIntent {
        task_arn: Some("arn:task".into()),
        started_at: Some(at(2)),
        stop_at: Some(at(3)),
        end: Some(TaskEnd { at: at(4), code: "Missing".into(), reason: "\"ü\"\n".into(), clean: true }),
        ..TaskIntent::new(parameters.clone())
    };
    let pair = Pair {
        id,
        intended_at: at(1),
        generation: 4,
        runs: Some(Runs { version: "a1".into(), port: 80, protocol: Protocol::Tcp }),
        ready_at: Some(at(5)),
        ready_before: Some(at(3)),
        condemned: Some((at(6), "idle".into())),
        replaced: true,
        drain_at: Some(at(7)),
        on_fargate: Some("none is to be had".into()),
        proxy: TaskIntent::new(parameters),
        service: ended,
    };
    let cause =
        Cause { at: at(1), origin: "request".into(), reason: "GET /".into(), duration_ms: Some(1200) };
    let mut hello = service("hello");
    hello.labels.insert("team".into(), "web".into());
    hello.desired = Desired::Awake;
    hello.phase = Phase::Draining;
    hello.epoch = u64::MAX;
    hello.deleting = true;
    hello.made_from = Some(MadeFrom {
        template: "preview".into(),
        change: 3,
        expire_after: Duration::from_secs(86_400),
        orphaned: true,
    });
    hello.last_wake = Some(cause.clone());
    hello.last_sleep = Some(cause);
    hello.awake_until = Some(at(60));
    hello.definitions.proxy = Some(Definition { hash: "abc".into(), arn: None });
    hello.definitions.retired = vec!["arn:1".into()];
    hello.retiring = vec![pair.clone()];
    hello.successor = Some(Box::new(pair.clone()));
    hello.proven = 3;
    let good = Good { generation: 3, labels: hello.labels.clone(), spec: hello.spec.clone() };
    hello.rollout = Some(Rollout { tries: 2, good: Some(Box::new(good)), ..Rollout::of(4) });
    hello.dns.published_pair = Some(id);
    hello.pair = Some(Box::new(pair));
    hello.last_pair = Some(id);
    hello.dns.pending = Some(DnsChange {
        address: Some("203.0.113.1".into()),
        pair: id,
        intended_at: at(7),
        change_id: None,
        seen: false,
    });
    hello.dns.withdrawn_at = Some(at(8));
    hello.failures = 3;
    hello.retry_at = Some(at(9));
    hello.conditions = vec![Condition {
        kind: ConditionType::DnsPublished,
        status: false,
        reason: "Withdrawn".into(),
        message: String::new(),
        last_transition_time: at(10),
    }]
    .into();
    for n in 0..50 {
        hello.note(at(n), "Woken", "by a request");
    }
    store.put_service(&hello, 0, Some(1)).await.unwrap();
    assert_eq!(read(&*store, "hello").await.0, hello);
}

async fn services_are_listed_in_order(store: Arc<dyn Store>) {
    assert_eq!(store.services().await.unwrap(), Vec::new());
    for name in ["b", "a-2", "a", "z", "a-10"] {
        store.put_service(&service(name), 0, None).await.unwrap();
    }
    store.put_service(&service("b"), 1, None).await.unwrap();
    store.delete_service("z", 1, None).await.unwrap();
    store.put_capacity("asg", &CapacityMemory::default(), 0, None).await.unwrap();
    store.put_lease(&lease("a", "1", 1), None).await.unwrap();
    store.install_id("i1").await.unwrap();
    let services = store.services().await.unwrap();
    let found: Vec<_> = services.iter().map(|s| (s.value.name.as_str(), s.version)).collect();
    assert_eq!(found, [("a", 1), ("a-10", 1), ("a-2", 1), ("b", 2)]);
    // What is known at its version need not be told again; what is known at another one is.
    let known = |name: &str, version: Version| (name, version) == ("a", 1) || (name, version) == ("b", 1);
    let listed = store.changed_services(&known).await.unwrap();
    let told: Vec<_> = listed.iter().map(|s| (s.name.as_str(), s.version, s.record.is_some())).collect();
    assert_eq!(told, [("a", 1, false), ("a-10", 1, true), ("a-2", 1, true), ("b", 2, true)]);
    assert_eq!(listed[3].record.as_ref().unwrap(), &services[3].value);
    assert_eq!(store.unreadable(), Vec::<String>::new());
}

async fn a_listing_of_more_than_a_page_is_whole(store: Arc<dyn Store>) {
    // DynamoDB answers a scan in pages of 1 MB.
    let names: Vec<_> = (0..30).map(|n| format!("s{n:02}")).collect();
    for name in &names {
        let mut record = service(name);
        for n in 0..40 {
            record.note(at(n), "Woken", "x".repeat(1500));
        }
        store.put_service(&record, 0, None).await.unwrap();
    }
    let services = store.services().await.unwrap();
    assert_eq!(services.into_iter().map(|s| s.value.name.clone()).collect::<Vec<_>>(), names);
}

async fn capacity_begins_empty_at_version_0(store: Arc<dyn Store>) {
    let capacity = store.capacity("asg").await.unwrap();
    assert_eq!((capacity.value, capacity.version), (CapacityMemory::default(), 0));
}

async fn templates_begin_empty_and_are_versioned(store: Arc<dyn Store>) {
    let found = store.templates().await.unwrap();
    assert_eq!((&found.value, found.version), (&Templates::default(), 0));
    let spec = ServiceSpec::defaults_for("shop:{match}");
    let manifest = ServiceTemplate::new("preview", "preview-*", spec);
    let known = KnownTemplate { manifest, change: 1, created_at: at(1) };
    let templates = Templates { changes: 1, by_name: [("preview".to_owned(), known)].into() };
    assert_eq!(store.put_templates(&templates, 0).await, Ok(1));
    assert!(is_conflict(&store.put_templates(&Templates::default(), 0).await));
    let found = store.templates().await.unwrap();
    assert_eq!((found.value, found.version), (templates, 1));
    assert_eq!(store.services().await.unwrap(), [], "they are no services");
}

async fn capacity_is_versioned_and_fenced(store: Arc<dyn Store>) {
    let removal = Removal { intended_at: at(0), draining_at: Some(at(1)), terminate_at: None };
    let memory = CapacityMemory {
        lack: Some(Lack { at: at(70), why: "InsufficientInstanceCapacity".into() }),
        target: Some(3),
        asked_at: None,
        size: Some(InstanceSize { cpu: 4096, memory: 16_000 }),
        removals: [("i-1".to_owned(), removal)].into(),
        empty_since: [("i-2".to_owned(), at(2))].into(),
    };
    assert_eq!(store.put_capacity("asg", &memory, 0, Some(2)).await, Ok(1));
    assert!(is_conflict(&store.put_capacity("asg", &memory, 0, Some(2)).await));
    assert!(is_fenced(&store.put_capacity("asg", &memory, 1, Some(1)).await, 1));
    let found = store.capacity("asg").await.unwrap();
    assert_eq!((found.value, found.version), (memory, 1));
    assert_eq!(store.capacity("other").await.unwrap().version, 0);
}

fn lease(holder: &str, nonce: &str, epoch: u64) -> Lease {
    let url = Some(format!("http://{holder}:9070"));
    Lease { holder: holder.into(), nonce: nonce.into(), epoch, url, at: Some(at(7)) }
}

async fn the_lease_is_taken_renewed_and_released(store: Arc<dyn Store>) {
    assert_eq!(store.lease().await.unwrap(), None);
    assert!(is_conflict(&store.put_lease(&lease("a", "a2", 1), Some("a1")).await), "there is none to renew");
    store.put_lease(&lease("a", "a1", 1), None).await.unwrap();
    assert_eq!(store.lease().await.unwrap(), Some(lease("a", "a1", 1)));
    assert!(is_conflict(&store.put_lease(&lease("b", "b1", 2), None).await), "it is held");
    store.put_lease(&lease("a", "a2", 1), Some("a1")).await.unwrap();
    assert!(
        is_conflict(&store.put_lease(&lease("b", "b1", 2), Some("a1")).await),
        "it was renewed meanwhile"
    );
    // Released: no nonce, free to take at once.
    store.put_lease(&lease("a", "", 1), Some("a2")).await.unwrap();
    assert!(is_conflict(&store.put_lease(&lease("a", "a3", 1), Some("a2")).await));
    store.put_lease(&lease("b", "b1", 2), Some("")).await.unwrap();
    assert_eq!(store.lease().await.unwrap(), Some(lease("b", "b1", 2)));
}

async fn one_of_many_candidates_takes_the_lease(store: Arc<dyn Store>) {
    store.put_lease(&lease("dead", "d1", 1), None).await.unwrap();
    let candidates = (0..32).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let next = lease(&format!("c{n}"), &format!("n{n}"), 2);
            let taken = store.put_lease(&next, Some("d1")).await;
            assert!(taken.is_ok() || is_conflict(&taken), "{taken:?}");
            taken.is_ok().then_some(next)
        })
    });
    let winners: Vec<_> = join_all(candidates).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(winners, [store.lease().await.unwrap().unwrap()]);
}

async fn the_newest_epoch_is_known_without_the_lease(store: Arc<dyn Store>) {
    assert_eq!(store.newest_epoch().await, Ok(0));
    store.put_service(&service("a"), 0, None).await.unwrap();
    store.put_lease(&lease("a", "n", 9), None).await.unwrap();
    assert_eq!(store.newest_epoch().await, Ok(0), "no leader wrote a row yet");
    store.put_service(&service("b"), 0, Some(3)).await.unwrap();
    store.put_capacity("asg", &CapacityMemory::default(), 0, Some(4)).await.unwrap();
    store.put_service(&service("c"), 0, Some(2)).await.unwrap();
    assert_eq!(store.newest_epoch().await, Ok(4));
}

async fn the_first_install_id_stays(store: Arc<dyn Store>) {
    let proposals = (0..16).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.install_id(&format!("i{n}")).await.unwrap() })
    });
    let answers: BTreeSet<_> = join_all(proposals).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(store.install_id("late").await.unwrap(), *answers.first().unwrap());
}

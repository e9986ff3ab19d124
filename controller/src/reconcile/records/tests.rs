//! What is remembered is what was written or read last.

use super::*;
use async_trait::async_trait;
use dormouse_core::definition::service_resources;
use dormouse_manifests::ServiceSpec;
use dormouse_state::{CapacityMemory, Desired, Lease, MemoryStore, Templates, Versioned};
use futures::FutureExt as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// A store whose scan takes its picture and then waits, and whose writes are not answered if so wished.
#[derive(Default)]
struct Slow {
    store: MemoryStore,
    is_silent: AtomicBool,
    pictured: Notify,
    go_on: Notify,
}

#[async_trait]
impl Store for Slow {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        self.store.service(name).await
    }
    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError> {
        let picture = self.store.services().await;
        self.pictured.notify_one();
        self.go_on.notified().await;
        picture
    }
    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        let written = self.store.put_service(record, expected, fence).await;
        let answers = !self.is_silent.load(Ordering::Relaxed);
        written.and_then(|version| answers.then_some(version).ok_or(StoreError::Unavailable(String::new())))
    }
    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        self.store.delete_service(name, expected, fence).await
    }
    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError> {
        self.store.capacity(group).await
    }
    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        self.store.put_capacity(group, memory, expected, fence).await
    }
    async fn templates(&self) -> Result<Versioned<Templates>, StoreError> {
        self.store.templates().await
    }
    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError> {
        self.store.put_templates(templates, expected).await
    }
    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        self.store.lease().await
    }
    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError> {
        self.store.put_lease(next, expected).await
    }
    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        self.store.newest_epoch().await
    }
    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        self.store.install_id(proposal).await
    }
}

struct Nobody;

impl Ledger for Nobody {
    fn account(&self, _: Option<&ServiceRecord>, _: &mut ServiceRecord) -> u64 {
        0
    }
    fn wrote(&self, _: &ServiceRecord, _: &ServiceRecord, _: u64) {}
}

fn record(name: &str) -> ServiceRecord {
    ServiceRecord::declared(name, BTreeMap::new(), ServiceSpec::defaults_for("demo"), Timestamp::UNIX_EPOCH)
}

#[tokio::test]
async fn a_write_that_is_not_answered_is_doubted_until_its_row_is_read() {
    let store = Arc::new(Slow::default());
    let records = Records::new(store.clone(), Arc::new(Nobody));
    store.is_silent.store(true, Ordering::Relaxed);
    records.update("a", None, |_| Some(record("a"))).await.unwrap_err();
    assert!(records.get("a").is_none() && records.is_doubted("a"));
    records.reread("a").await.unwrap();
    assert!(records.get("a").is_some() && !records.is_doubted("a"));
    store.is_silent.store(false, Ordering::Relaxed);
    records.update("a", None, |_| Some(record("a"))).await.unwrap();
    assert!(!records.is_doubted("a"));
}

#[tokio::test]
async fn a_write_that_is_refused_for_a_later_leaders_tells_that_another_leads() {
    let records = Records::new(Arc::new(MemoryStore::new()), Arc::new(Nobody));
    let change = |known: Option<&ServiceRecord>| {
        let generation = known.map_or(1, |known| known.generation + 1);
        Some(ServiceRecord { generation, ..record("a") })
    };
    for (epoch, overtaken) in [(None, false), (Some(2), false), (Some(1), true), (Some(2), false)] {
        let _ = records.update("a", epoch, change).await;
        assert_eq!(records.overtaken().now_or_never().is_some(), overtaken, "{epoch:?}");
    }
}

/// Its times are of another clock.
#[tokio::test]
async fn what_a_later_leader_wrote_is_not_taken_in_by_one_that_leads() {
    let store = Arc::new(MemoryStore::new());
    let records = Records::new(store.clone(), Arc::new(Nobody));
    records.read_for(Some(2));
    records.update("a", Some(2), |_| Some(record("a"))).await.unwrap();
    records.update("b", None, |_| Some(record("b"))).await.unwrap();
    let theirs = ServiceRecord { generation: 2, ..record("a") };
    store.put_service(&theirs, 1, Some(3)).await.unwrap();
    let change = |known: Option<&ServiceRecord>| Some(ServiceRecord { epoch: 1, ..known?.clone() });
    let fenced = Err(StoreError::Fenced { key: "a".to_owned(), epoch: 2 });
    // Whichever way it comes upon the row, be it by a write that any replica may make.
    for way in 0..3 {
        let found = match way {
            0 => records.refresh().await.map(drop),
            1 => records.reread("a").await,
            _ => records.update("a", None, change).await.map(drop),
        };
        assert_eq!(found, fenced, "{way}");
        assert!(records.overtaken().now_or_never().is_some(), "{way}");
        assert_eq!(*records.get("a").unwrap().record, record("a"), "{way}");
    }
    // Whoever stands by follows whoever leads.
    records.read_for(None);
    assert_eq!(records.refresh().await.unwrap(), ["a"]);
    assert_eq!(*records.get("a").unwrap().record, theirs);
    assert!(records.overtaken().now_or_never().is_none());
    // So does the next leader.
    records.read_for(Some(4));
    assert_eq!(records.refresh().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_sound_asleep_is_passed_over_and_comes_back_whole() {
    let store = Arc::new(MemoryStore::new());
    let records = Records::new(store.clone(), Arc::new(Nobody));
    let mut asleep = record("asleep");
    asleep.spec.cpu = 2048;
    asleep.spec.depends_on = vec!["awake".into()];
    let awake = ServiceRecord { desired: Desired::Awake, ..record("awake") };
    for written in [&asleep, &awake] {
        records.update(&written.name, None, |_| Some(written.clone())).await.unwrap();
    }
    let names = |records: Vec<Arc<ServiceRecord>>| -> Vec<String> {
        records.iter().map(|record| record.name.clone()).collect()
    };
    let stirring = records.stirring();
    assert_eq!(names(stirring.records), ["awake"]);
    assert_eq!(stirring.others, 1);
    assert_eq!(stirring.others_take, service_resources(&asleep.spec));
    assert_eq!(names(records.all()), ["asleep", "awake"]);
    assert_eq!(*records.get("asleep").unwrap().record, asleep);
    assert!(!records.any_dependent("awake", |_| true), "who sleeps needs nobody");

    // It wakes, and what it needs is known; it sleeps again, and needs nobody.
    for desired in [Desired::Awake, Desired::Asleep] {
        let flip = |known: Option<&ServiceRecord>| Some(ServiceRecord { desired, ..known?.clone() });
        records.update("asleep", None, flip).await.unwrap();
        assert_eq!(records.stirring().records.len() == 2, desired == Desired::Awake);
        assert_eq!(records.any_dependent("awake", |_| true), desired == Desired::Awake);
    }

    let other = Records::new(store.clone(), Arc::new(Nobody));
    assert_eq!(other.refresh().await.unwrap(), ["asleep", "awake"]);
    assert_eq!(other.refresh().await.unwrap(), Vec::<String>::new());
    assert_eq!(*other.get("asleep").unwrap().record, asleep);
    records.remove("asleep", 3, None).await.unwrap();
    assert_eq!(other.refresh().await.unwrap(), ["asleep"]);
    assert_eq!((other.names(), other.contains("asleep")), (vec!["awake".to_owned()], false));
}

#[tokio::test]
async fn who_is_settled_is_so_until_its_row_changes_or_another_leads() {
    let store = Arc::new(MemoryStore::new());
    let records = Records::new(store.clone(), Arc::new(Nobody));
    records.update("a", None, |_| Some(record("a"))).await.unwrap();
    records.settle("a", 7);
    assert_eq!(records.unsettled(), ["a"], "another version was planned");
    records.settle("a", 1);
    records.refresh().await.unwrap();
    assert_eq!(records.unsettled(), Vec::<String>::new());
    records.unsettle();
    assert_eq!(records.unsettled(), ["a"]);
    records.settle("a", 1);
    let elsewhere = ServiceRecord { generation: 2, ..record("a") };
    store.put_service(&elsewhere, 1, None).await.unwrap();
    assert_eq!(records.refresh().await.unwrap(), ["a"]);
    assert_eq!(records.unsettled(), ["a"]);
    let wake =
        |known: Option<&ServiceRecord>| Some(ServiceRecord { desired: Desired::Awake, ..known?.clone() });
    records.update("a", None, wake).await.unwrap();
    records.settle("a", 3);
    assert_eq!(records.unsettled(), ["a"], "it is awake");
}

#[tokio::test]
async fn its_definitions_were_compared_until_it_is_made_anew() {
    let records = Records::new(Arc::new(MemoryStore::new()), Arc::new(Nobody));
    records.update("a", None, |_| Some(record("a"))).await.unwrap();
    assert!(!records.is_compared(&record("a")));
    records.planned(&record("a"));
    let next = |_: Option<&ServiceRecord>| Some(ServiceRecord { generation: 2, ..record("a") });
    records.update("a", None, next).await.unwrap();
    assert!(records.is_compared(&record("a")));
    let again = ServiceRecord { created_at: Timestamp::MAX, ..record("a") };
    records.update("a", None, |_| Some(again.clone())).await.unwrap();
    assert!(!records.is_compared(&again));
}

#[tokio::test]
async fn what_is_written_while_the_table_is_read_stays() {
    let slow = Arc::new(Slow::default());
    let records = Arc::new(Records::new(slow.clone(), Arc::new(Nobody)));
    records.update("old", None, |_| Some(record("old"))).await.unwrap();
    let refresh = tokio::spawn({
        let records = records.clone();
        async move { records.refresh().await }
    });
    slow.pictured.notified().await;
    records.update("new", None, |_| Some(record("new"))).await.unwrap();
    records.remove("old", 1, None).await.unwrap();
    slow.go_on.notify_one();
    refresh.await.unwrap().unwrap();
    assert!(records.get("new").is_some(), "declared after the picture was taken");
    assert!(records.get("old").is_none(), "deleted after it was taken");
}

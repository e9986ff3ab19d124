//! Everything remembered, cached: reads come from memory, every write goes through the store under the version
//! that it was decided from.
//!
//! Of services that are sound asleep the cache holds a few bytes each, and they are passed over by whoever looks for
//! what moves.

use super::cache::Cache;
use super::form::Form;
use dormouse_core::observed::Resources;
use dormouse_state::{ServiceRecord, Store, StoreError, Version};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Notify;

/// How often a write is decided again after somebody else's came first.
const TRIES: usize = 8;

/// A cached record.
#[derive(Debug, Clone)]
pub struct Known {
    /// The record.
    pub record: Arc<ServiceRecord>,
    /// The row's version.
    pub version: Version,
}

/// The services that are not sound asleep, and what is to be known of the others beside them.
pub struct Stirring {
    /// Their records, by name.
    pub records: Vec<Arc<ServiceRecord>>,
    /// How many others there are.
    pub others: usize,
    /// The most that the task of any of them takes.
    pub others_take: Resources,
}

/// Who keeps account of what is written here.
pub trait Ledger: Send + Sync {
    /// A record is about to be written in place of `before` (`None`: there is none), and may be added to.
    /// Answers how many events the webhook loses by that.
    fn account(&self, before: Option<&ServiceRecord>, next: &mut ServiceRecord) -> u64;

    /// A record was written in place of another.
    fn wrote(&self, before: &ServiceRecord, after: &ServiceRecord, lost: u64);
}

/// The cache and the store behind it.
pub struct Records {
    store: Arc<dyn Store>,
    ledger: Arc<dyn Ledger>,
    cache: RwLock<Cache>,
    /// The lease epoch of the leader that reads here; the greatest of all while nobody leads here.
    reader: AtomicU64,
    /// Raised when a row is found to be a later leader's.
    overtaken: Notify,
}

impl Records {
    /// An empty cache; [`Records::refresh`] fills it.
    pub fn new(store: Arc<dyn Store>, ledger: Arc<dyn Ledger>) -> Records {
        let (cache, reader, overtaken) = (RwLock::default(), AtomicU64::new(u64::MAX), Notify::new());
        Records { store, ledger, cache, reader, overtaken }
    }

    /// From here on it is read for a leader of this lease epoch; `None`: for one that stands by. What a later leader wrote
    /// is dated by that one's clock, which may be minutes off: a leader that took it in would count waits as over.
    pub fn read_for(&self, epoch: Option<u64>) {
        self.reader.store(epoch.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Whether a row that this leader wrote last may be taken in.
    pub fn admit(&self, key: &str, leader: u64) -> Result<(), StoreError> {
        let epoch = self.reader.load(Ordering::Acquire);
        if leader <= epoch {
            return Ok(());
        }
        self.overtaken.notify_one();
        Err(StoreError::Fenced { key: key.to_owned(), epoch })
    }

    /// One record.
    pub fn get(&self, name: &str) -> Option<Known> {
        let cache = self.read();
        let row = cache.rows.get(name)?;
        Some(Known { record: row.form.record()?, version: row.version })
    }

    /// Whether there is such a record.
    pub fn contains(&self, name: &str) -> bool {
        self.read().rows.contains_key(name)
    }

    /// Whether a write of it was not answered, and it was not read since.
    pub fn is_doubted(&self, name: &str) -> bool {
        self.read().doubted.contains(name)
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.read().rows.keys().map(ToString::to_string).collect()
    }

    /// All records, by name: whoever is sound asleep is unpacked for it.
    pub fn all(&self) -> Vec<Arc<ServiceRecord>> {
        self.read().rows.values().filter_map(|row| row.form.record()).collect()
    }

    /// Those that are not sound asleep.
    pub fn stirring(&self) -> Stirring {
        let mut stirring = Stirring { records: Vec::new(), others: 0, others_take: Resources::default() };
        for row in self.read().rows.values() {
            match &row.form {
                Form::Whole(record) => stirring.records.push(record.clone()),
                Form::Packed { takes, .. } => {
                    stirring.others += 1;
                    stirring.others_take = stirring.others_take.max(*takes);
                }
            }
        }
        stirring
    }

    /// Those that a template made, asleep or not.
    pub fn made(&self) -> Vec<Arc<ServiceRecord>> {
        let cache = self.read();
        let made = cache.rows.values().filter(|row| match &row.form {
            Form::Whole(record) => record.made_from.is_some(),
            Form::Packed { made, .. } => *made,
        });
        made.filter_map(|row| row.form.record()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read().rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any record is so. Those that are sound asleep are not asked.
    pub fn any_stirring(&self, is: impl Fn(&ServiceRecord) -> bool) -> bool {
        self.read().rows.values().filter_map(|row| row.form.whole()).any(|record| is(record))
    }

    /// Whether any of those that depend on a service is so. Those that are sound asleep are not asked.
    pub fn any_dependent(&self, name: &str, is: impl Fn(&ServiceRecord) -> bool) -> bool {
        let cache = self.read();
        let whole = |by: &String| cache.rows.get(by.as_str())?.form.whole();
        cache.dependents.on(name).filter_map(whole).any(|record| is(record))
    }

    /// A plan of a record was remembered: until its manifest changes, its definitions need not be compared again.
    pub fn planned(&self, record: &ServiceRecord) {
        if let Some(row) = self.write_lock().rows.get_mut(record.name.as_str()) {
            row.compared = Some(record.created_at);
        }
    }

    /// Whether that is so.
    pub fn is_compared(&self, record: &ServiceRecord) -> bool {
        let cache = self.read();
        cache.rows.get(record.name.as_str()).is_some_and(|row| row.compared == Some(record.created_at))
    }

    /// A plan left a record as it is, and nothing was observed of its service. If it is sound asleep, it need not be
    /// planned again until it is due, or something is observed.
    pub fn settle(&self, name: &str, version: Version) {
        if let Some(row) = self.write_lock().rows.get_mut(name).filter(|row| row.version == version) {
            row.settled = row.form.whole().is_none();
        }
    }

    /// Whoever leads from now on has planned none of them.
    pub fn unsettle(&self) {
        self.write_lock().rows.values_mut().for_each(|row| row.settled = false);
    }

    /// The names of those that are not settled.
    pub fn unsettled(&self) -> Vec<String> {
        let cache = self.read();
        let unsettled = cache.rows.iter().filter(|(_, row)| !row.settled);
        unsettled.map(|(name, _)| name.to_string()).collect()
    }

    /// Reads the whole table; answers the names of what changed.
    pub async fn refresh(&self) -> Result<Vec<String>, StoreError> {
        let began = self.read().writes;
        let is_known = |name: &str, version: Version| {
            self.read().rows.get(name).is_some_and(|row| row.version == version)
        };
        let rows = self.store.changed_services(&is_known).await?;
        rows.iter().try_for_each(|row| self.admit(&row.name, row.leader))?;
        let mut cache = self.write_lock();
        let mut changed = Vec::new();
        let mut there = BTreeSet::new();
        for row in rows {
            // Reworded records keep their words; and what was written while the table was read is newer than that.
            let same = cache.rows.get(row.name.as_str()).is_some_and(|known| known.version == row.version);
            if let Some(record) = row.record.filter(|_| !same && !cache.is_newer(&row.name, began)) {
                cache.put(&row.name, Known { record, version: row.version });
                changed.push(row.name.clone());
            }
            there.insert(row.name);
        }
        let is_gone = |name: &str| !there.contains(name) && !cache.is_newer(name, began);
        let gone: Vec<String> =
            cache.rows.keys().filter(|name| is_gone(name)).map(ToString::to_string).collect();
        gone.iter().for_each(|name| cache.take(name));
        changed.extend(gone);
        cache.touched.retain(|_, at| *at > began);
        Ok(changed)
    }

    /// Decides and writes: `change` sees the newest record (`None`: there is none) and answers the next, or
    /// `None` to leave it. Decided again when somebody else's write came first.
    pub async fn update(
        &self,
        name: &str,
        fence: Option<u64>,
        change: impl Fn(Option<&ServiceRecord>) -> Option<ServiceRecord>,
    ) -> Result<Option<Arc<ServiceRecord>>, StoreError> {
        let mut tries = 0;
        loop {
            let base = self.get(name);
            let Some(next) = change(base.as_ref().map(|known| &*known.record)) else {
                return Ok(base.map(|known| known.record));
            };
            match self.write(base.as_ref().map_or(0, |known| known.version), next, fence).await {
                Ok(record) => return Ok(Some(record)),
                Err(StoreError::Conflict { .. }) if tries < TRIES => {
                    tries += 1;
                    self.reread(name).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what was decided from version `expected`, or fails with a conflict, after which the cache is new.
    pub async fn replace(
        &self,
        expected: Version,
        next: ServiceRecord,
        fence: Option<u64>,
    ) -> Result<Arc<ServiceRecord>, StoreError> {
        let name = next.name.clone();
        let result = self.write(expected, next, fence).await;
        if matches!(result, Err(StoreError::Conflict { .. })) {
            self.reread(&name).await?;
        }
        result
    }

    /// Waits until a row was found to be a later leader's, by a read or a write: whoever is told that leads no more.
    pub async fn overtaken(&self) {
        self.overtaken.notified().await;
    }

    /// Takes note of what any write of a leader was answered, be it of a record or not.
    pub fn heed<T>(&self, written: &Result<T, StoreError>) {
        if matches!(written, Err(StoreError::Fenced { .. })) {
            self.overtaken.notify_one();
        }
    }

    /// Puts other words into a cached record without writing it, if it is still at this version.
    pub fn reword(&self, version: Version, record: ServiceRecord) {
        let mut cache = self.write_lock();
        if let Some(row) = cache.rows.get_mut(record.name.as_str()).filter(|row| row.version == version) {
            row.form = Form::of(Arc::new(record));
        }
    }

    /// Removes a row.
    pub async fn remove(&self, name: &str, expected: Version, fence: Option<u64>) -> Result<(), StoreError> {
        self.answered(name, self.store.delete_service(name, expected, fence).await)?;
        self.forget(name);
        Ok(())
    }

    async fn write(
        &self,
        expected: Version,
        mut next: ServiceRecord,
        fence: Option<u64>,
    ) -> Result<Arc<ServiceRecord>, StoreError> {
        let before = self.get(&next.name).filter(|known| known.version == expected);
        let lost = self.ledger.account(before.as_ref().map(|known| &*known.record), &mut next);
        let version = self.answered(&next.name, self.store.put_service(&next, expected, fence).await)?;
        let record = Arc::new(next);
        if let Some(before) = before {
            self.ledger.wrote(&before.record, &record, lost);
        }
        self.keep(&record.name, Known { record: record.clone(), version });
        Ok(record)
    }

    /// Reads one row anew.
    pub async fn reread(&self, name: &str) -> Result<(), StoreError> {
        match self.store.service(name).await? {
            Some(row) => {
                self.admit(name, row.leader)?;
                self.keep(name, Known { record: Arc::new(row.value), version: row.version });
            }
            None => self.forget(name),
        }
        Ok(())
    }

    fn answered<T>(&self, name: &str, written: Result<T, StoreError>) -> Result<T, StoreError> {
        self.heed(&written);
        if matches!(written, Err(StoreError::Unavailable(_))) {
            self.write_lock().doubted.insert(name.to_owned());
        }
        written
    }

    fn keep(&self, name: &str, new: Known) {
        let mut cache = self.write_lock();
        // Two writes may come back in the other order.
        if cache.rows.get(name).is_none_or(|old| old.version < new.version) {
            cache.put(name, new);
        }
        cache.touch(name);
    }

    fn forget(&self, name: &str) {
        let mut cache = self.write_lock();
        cache.take(name);
        cache.touch(name);
    }

    fn read(&self) -> RwLockReadGuard<'_, Cache> {
        // A panic elsewhere leaves no half-made entry: each change is a single insert.
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, Cache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
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
            written
                .and_then(|version| answers.then_some(version).ok_or(StoreError::Unavailable(String::new())))
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
        async fn put_templates(
            &self,
            templates: &Templates,
            expected: Version,
        ) -> Result<Version, StoreError> {
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
        ServiceRecord::declared(
            name,
            BTreeMap::new(),
            ServiceSpec::defaults_for("demo"),
            Timestamp::UNIX_EPOCH,
        )
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
}

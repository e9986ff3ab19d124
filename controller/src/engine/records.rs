//! Everything remembered, cached: reads come from memory, every write goes through the store under the version
//! that it was decided from.

use super::dependents::Dependents;
use dormouse_state::{ServiceRecord, Store, StoreError, Version};
use std::collections::{BTreeMap, BTreeSet};
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

#[derive(Default)]
struct Cache {
    known: BTreeMap<String, Known>,
    dependents: Dependents,
    /// Grows with every write and removal of ours.
    writes: u64,
    /// Name → the count at which it was last written or removed: a scan that began before says nothing about it.
    touched: BTreeMap<String, u64>,
    /// Names whose last write was not answered: it may have been made.
    doubted: BTreeSet<String>,
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
    /// Raised when a write is refused for a later leader's.
    overtaken: Notify,
}

impl Records {
    /// An empty cache; [`Records::refresh`] fills it.
    pub fn new(store: Arc<dyn Store>, ledger: Arc<dyn Ledger>) -> Records {
        Records { store, ledger, cache: RwLock::default(), overtaken: Notify::new() }
    }

    /// One record.
    pub fn get(&self, name: &str) -> Option<Known> {
        self.read().known.get(name).cloned()
    }

    /// Whether a write of it was not answered, and it was not read since.
    pub fn is_doubted(&self, name: &str) -> bool {
        self.read().doubted.contains(name)
    }

    /// All records, by name.
    pub fn all(&self) -> Vec<Arc<ServiceRecord>> {
        self.read().known.values().map(|known| known.record.clone()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read().known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any record is so.
    pub fn any(&self, is: impl Fn(&ServiceRecord) -> bool) -> bool {
        self.read().known.values().any(|known| is(&known.record))
    }

    /// Whether any of those that depend on a service is so.
    pub fn any_dependent(&self, name: &str, is: impl Fn(&ServiceRecord) -> bool) -> bool {
        let cache = self.read();
        cache.dependents.on(name).filter_map(|by| cache.known.get(by)).any(|known| is(&known.record))
    }

    /// How many records are so.
    pub fn count(&self, is: impl Fn(&ServiceRecord) -> bool) -> usize {
        self.read().known.values().filter(|known| is(&known.record)).count()
    }

    /// Reads the whole table; answers the names of what changed.
    pub async fn refresh(&self) -> Result<Vec<String>, StoreError> {
        let began = self.read().writes;
        let rows = self.store.services().await?;
        let mut cache = self.write_lock();
        let since: BTreeSet<String> =
            cache.touched.iter().filter(|(_, at)| **at > began).map(|(name, _)| name.clone()).collect();
        let mut changed = Vec::new();
        // What was written while the table was read is newer than what was read.
        let mut next: BTreeMap<String, Known> = cache
            .known
            .iter()
            .filter(|(name, _)| since.contains(*name))
            .map(|(n, k)| (n.clone(), k.clone()))
            .collect();
        for row in rows.into_iter().filter(|row| !since.contains(&row.value.name)) {
            let name = row.value.name.clone();
            // Reworded records keep their words.
            let same = cache.known.get(&name).filter(|known| known.version == row.version).cloned();
            if same.is_none() {
                changed.push(name.clone());
            }
            let read = Known { record: row.value, version: row.version };
            next.insert(name, same.unwrap_or(read));
        }
        changed.extend(cache.known.keys().filter(|name| !next.contains_key(*name)).cloned());
        cache.dependents = Dependents::of(next.values().map(|known| &*known.record));
        cache.known = next;
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

    /// Waits until a write was refused because a later leader wrote the row: whoever is told that leads no more.
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
        if let Some(known) = cache.known.get_mut(&record.name).filter(|known| known.version == version) {
            known.record = Arc::new(record);
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
            Some(row) => self.keep(name, Known { record: Arc::new(row.value), version: row.version }),
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
        if cache.known.get(name).is_none_or(|old| old.version < new.version) {
            let after = new.record.clone();
            let before = cache.known.insert(name.to_owned(), new);
            cache.depends(name, before.as_ref(), &after.spec.depends_on);
        }
        cache.touch(name);
    }

    fn forget(&self, name: &str) {
        let mut cache = self.write_lock();
        let before = cache.known.remove(name);
        cache.depends(name, before.as_ref(), &[]);
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

impl Cache {
    fn depends(&mut self, name: &str, before: Option<&Known>, after: &[String]) {
        let before = before.map_or(&[][..], |known| &known.record.spec.depends_on);
        self.dependents.changed(name, before, after);
    }

    fn touch(&mut self, name: &str) {
        self.writes += 1;
        self.touched.insert(name.to_owned(), self.writes);
        self.doubted.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use dormouse_manifests::ServiceSpec;
    use dormouse_state::{CapacityMemory, Lease, MemoryStore, Templates, Versioned};
    use futures::FutureExt as _;
    use jiff::Timestamp;
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

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

    /// One record, unless it is sound asleep: nothing is unpacked for that.
    pub fn stirs(&self, name: &str) -> Option<Arc<ServiceRecord>> {
        self.read().rows.get(name)?.form.whole().cloned()
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
mod tests;

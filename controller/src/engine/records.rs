//! Everything remembered, cached: reads come from memory, every write goes through the store under the version
//! that it was decided from.

use dormouse_state::{ServiceRecord, Store, StoreError, Version};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

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

/// The cache and the store behind it.
pub struct Records {
    store: Arc<dyn Store>,
    known: RwLock<BTreeMap<String, Known>>,
}

impl Records {
    /// An empty cache; [`Records::refresh`] fills it.
    pub fn new(store: Arc<dyn Store>) -> Records {
        Records { store, known: RwLock::default() }
    }

    /// One record.
    pub fn get(&self, name: &str) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All records, by name.
    pub fn all(&self) -> Vec<Arc<ServiceRecord>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().map(|known| known.record.clone()).collect()
    }

    /// Reads the whole table; answers the names of what changed.
    pub async fn refresh(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.store.services().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        let mut seen = BTreeMap::new();
        for row in rows {
            let name = row.value.name.clone();
            let newer = known.get(&name).filter(|known| known.version >= row.version).cloned();
            if newer.is_none() {
                changed.push(name.clone());
            }
            let read = Known { record: Arc::new(row.value), version: row.version };
            seen.insert(name, newer.unwrap_or(read));
        }
        changed.extend(known.keys().filter(|name| !seen.contains_key(*name)).cloned());
        *known = seen;
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

    /// Puts other words into a cached record without writing it, if it is still at this version.
    pub fn reword(&self, version: Version, record: ServiceRecord) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(&record.name).filter(|known| known.version == version) {
            known.record = Arc::new(record);
        }
    }

    /// Removes a row.
    pub async fn remove(&self, name: &str, expected: Version, fence: Option<u64>) -> Result<(), StoreError> {
        self.store.delete_service(name, expected, fence).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    async fn write(
        &self,
        expected: Version,
        next: ServiceRecord,
        fence: Option<u64>,
    ) -> Result<Arc<ServiceRecord>, StoreError> {
        let version = self.store.put_service(&next, expected, fence).await?;
        let record = Arc::new(next);
        self.keep(&record.name, Known { record: record.clone(), version });
        Ok(record)
    }

    async fn reread(&self, name: &str) -> Result<(), StoreError> {
        match self.store.service(name).await? {
            Some(row) => self.keep(name, Known { record: Arc::new(row.value), version: row.version }),
            None => {
                self.known.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            }
        }
        Ok(())
    }

    fn keep(&self, name: &str, new: Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Two writes may come back in the other order.
        if known.get(name).is_none_or(|old| old.version < new.version) {
            known.insert(name.to_owned(), new);
        }
    }
}

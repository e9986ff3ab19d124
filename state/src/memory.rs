//! The store in memory: for tests, the simulation, and the contract that the real one is held to.

use crate::capacity::CapacityMemory;
use crate::lease::Lease;
use crate::planted;
use crate::record::ServiceRecord;
use crate::store::{Store, StoreError, Version, Versioned, admit};
use crate::template::Templates;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one row of them.
const TEMPLATES: &str = "templates";

#[derive(Debug, Clone)]
struct Row<T> {
    value: T,
    version: Version,
    fence: u64,
}

impl<T> Row<T> {
    fn holding<V>(&self, value: V) -> Versioned<V> {
        let leader = if planted!(FenceIgnored) { 0 } else { self.fence };
        Versioned { value, version: self.version, leader }
    }
}

#[derive(Debug, Default)]
struct Rows {
    services: BTreeMap<String, Row<Arc<ServiceRecord>>>,
    capacity: BTreeMap<String, Row<CapacityMemory>>,
    templates: BTreeMap<String, Row<Templates>>,
    lease: Option<Lease>,
    install: Option<String>,
}

/// A table in memory. Cheap to clone a handle of by wrapping it in an `Arc`.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

impl MemoryStore {
    /// An empty table.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Somebody deletes the lease's row, past its conditions.
    pub fn lose_lease(&self) {
        self.rows().lease = None;
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic elsewhere leaves no half-made row: each write is a single insert.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check<T>(
    rows: &BTreeMap<String, Row<T>>,
    key: &str,
    expected: Version,
    fence: Option<u64>,
) -> Result<u64, StoreError> {
    let held = rows.get(key).map_or((0, 0), |row| (row.version, row.fence));
    admit(key, held, expected, fence)
}

fn put<T: Clone>(
    rows: &mut BTreeMap<String, Row<T>>,
    key: &str,
    value: &T,
    expected: Version,
    fence: Option<u64>,
) -> Result<Version, StoreError> {
    let fence = check(rows, key, expected, fence)?;
    let version = expected + 1;
    rows.insert(key.to_owned(), Row { value: value.clone(), version, fence });
    Ok(version)
}

#[async_trait]
impl Store for MemoryStore {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        Ok(self.rows().services.get(name).map(|row| row.holding((*row.value).clone())))
    }

    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError> {
        Ok(self.rows().services.values().map(|row| row.holding(row.value.clone())).collect())
    }

    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        put(&mut self.rows().services, &record.name, &Arc::new(record.clone()), expected, fence)
    }

    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if rows.services.contains_key(name) {
            check(&rows.services, name, expected, fence)?;
            rows.services.remove(name);
        }
        Ok(())
    }

    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError> {
        let row = self.rows().capacity.get(group).map(|row| row.holding(row.value.clone()));
        Ok(row.unwrap_or_default())
    }

    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        put(&mut self.rows().capacity, group, memory, expected, fence)
    }

    async fn templates(&self) -> Result<Versioned<Templates>, StoreError> {
        let row = self.rows().templates.get(TEMPLATES).map(|row| row.holding(row.value.clone()));
        Ok(row.unwrap_or_default())
    }

    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError> {
        put(&mut self.rows().templates, TEMPLATES, templates, expected, None)
    }

    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        Ok(self.rows().lease.clone())
    }

    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if rows.lease.as_ref().map(|lease| lease.nonce.as_str()) != expected {
            return Err(StoreError::Conflict { key: "lease".into() });
        }
        rows.lease = Some(next.clone());
        Ok(())
    }

    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        let rows = self.rows();
        let services = rows.services.values().map(|row| row.fence);
        Ok(services.chain(rows.capacity.values().map(|row| row.fence)).max().unwrap_or(0))
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        Ok(self.rows().install.get_or_insert_with(|| proposal.to_owned()).clone())
    }
}

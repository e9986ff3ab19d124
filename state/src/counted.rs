//! A store that counts what it is asked: reads and writes of the table are paid for by the call.

use crate::{
    CapacityMemory, IsKnown, Lease, Listed, ServiceRecord, Store, StoreError, Templates, Version, Versioned,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every service's row. One, however many pages the table has.
    ReadAll,
    /// One row.
    Read,
    /// A row is written or removed.
    Write,
    /// The lease is read.
    ReadLease,
    /// The lease is taken, renewed or released.
    WriteLease,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 5] =
        [Access::ReadAll, Access::Read, Access::Write, Access::ReadLease, Access::WriteLease];

    /// In one word.
    pub const fn word(self) -> &'static str {
        match self {
            Access::ReadAll => "read-all",
            Access::Read => "read",
            Access::Write => "write",
            Access::ReadLease => "read-lease",
            Access::WriteLease => "write-lease",
        }
    }
}

/// A store, counted.
pub struct Counted {
    store: Arc<dyn Store>,
    counts: [AtomicU64; Access::ALL.len()],
}

impl Counted {
    /// Counts from here on.
    pub fn new(store: Arc<dyn Store>) -> Counted {
        Counted { store, counts: Default::default() }
    }

    /// How often it was asked for this.
    pub fn count(&self, access: Access) -> u64 {
        self.of(access).load(Ordering::Relaxed)
    }

    fn of(&self, access: Access) -> &AtomicU64 {
        &self.counts[access as usize]
    }

    fn asked(&self, access: Access) -> &dyn Store {
        self.of(access).fetch_add(1, Ordering::Relaxed);
        &*self.store
    }
}

#[async_trait]
impl Store for Counted {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        self.asked(Access::Read).service(name).await
    }

    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError> {
        self.asked(Access::ReadAll).services().await
    }

    async fn changed_services(&self, known: IsKnown<'_>) -> Result<Vec<Listed>, StoreError> {
        self.asked(Access::ReadAll).changed_services(known).await
    }

    fn unreadable(&self) -> Vec<String> {
        self.store.unreadable()
    }

    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        self.asked(Access::Write).put_service(record, expected, fence).await
    }

    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        self.asked(Access::Write).delete_service(name, expected, fence).await
    }

    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError> {
        self.asked(Access::Read).capacity(group).await
    }

    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        self.asked(Access::Write).put_capacity(group, memory, expected, fence).await
    }

    async fn templates(&self) -> Result<Versioned<Templates>, StoreError> {
        self.asked(Access::Read).templates().await
    }

    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError> {
        self.asked(Access::Write).put_templates(templates, expected).await
    }

    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        self.asked(Access::ReadLease).lease().await
    }

    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError> {
        self.asked(Access::WriteLease).put_lease(next, expected).await
    }

    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        self.asked(Access::ReadAll).newest_epoch().await
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        self.asked(Access::Write).install_id(proposal).await
    }
}

//! The port to what is remembered: conditional writes only, so that two controllers can never undo each other.

use crate::capacity::CapacityMemory;
use crate::lease::Lease;
use crate::planted;
use crate::record::ServiceRecord;
use crate::template::Templates;
use async_trait::async_trait;
use std::sync::Arc;

/// The number of writes that a row has seen; 0 = there is no row.
pub type Version = u64;

/// A value and the version it was read at. By default what no row holds: at version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its version: at least 1.
    pub version: Version,
    /// The lease epoch of the latest leader that wrote it; 0: none has.
    pub leader: u64,
}

/// Whether a service's row is known at its version.
pub type IsKnown<'a> = &'a (dyn for<'n> Fn(&'n str, Version) -> bool + Send + Sync);

/// A service's row among all, as [`Store::changed_services`] reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The service.
    pub name: String,
    /// The row's version: at least 1.
    pub version: Version,
    /// The lease epoch of the latest leader that wrote it; 0: none has.
    pub leader: u64,
    /// What it holds, unless that was known.
    pub record: Option<Arc<ServiceRecord>>,
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The row is at another version than expected: read again, decide again.
    #[error("{key} was changed by somebody else")]
    Conflict {
        /// The row's key.
        key: String,
    },
    /// A leader with a higher epoch has written this row: stop leading.
    #[error("{key} belongs to a later leader than epoch {epoch}")]
    Fenced {
        /// The row's key.
        key: String,
        /// The epoch that was too old.
        epoch: u64,
    },
    /// It cannot be told whether the write happened, or the read failed: try again later.
    #[error("the table cannot be reached: {0}")]
    Unavailable(String),
    /// The row holds what this version cannot read. It is left alone.
    #[error("{key} cannot be read: {why}")]
    Corrupt {
        /// The row's key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What a row that is `held` at this version, and by this leader's epoch, says to a write: the epoch that holds it from
/// then on, or why it does not happen. Every store keeps to it, as a condition of its own.
pub fn admit(
    key: &str,
    held: (Version, u64),
    expected: Version,
    fence: Option<u64>,
) -> Result<u64, StoreError> {
    let (version, leader) = held;
    if let Some(epoch) = fence.filter(|epoch| leader > *epoch && !planted!(FenceIgnored)) {
        return Err(StoreError::Fenced { key: key.to_owned(), epoch });
    }
    if version != expected && !planted!(LastWriteWins) {
        return Err(StoreError::Conflict { key: key.to_owned() });
    }
    Ok(fence.unwrap_or(leader))
}

/// What every store does. A write names the version that it replaces (0 = create); an answer that was lost is
/// looked up before an error is returned, so `Conflict` always means somebody else.
///
/// `fence`: the writing leader's lease epoch. The write applies only if no later leader wrote the row.
/// `None` for writes that any replica may make (declare, wake, sleep).
#[async_trait]
pub trait Store: Send + Sync {
    /// One service, read consistently.
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError>;

    /// Every service, ordered by name; complete or an error. Rows of others are passed over.
    /// A row of ours that cannot be read is passed over too: see [`Store::unreadable`].
    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError>;

    /// The same, but what is `known` at its version need not be made anew of its row: most rows are as they were when they
    /// were last read.
    async fn changed_services(&self, known: IsKnown<'_>) -> Result<Vec<Listed>, StoreError> {
        let rows = self.services().await?.into_iter();
        let listed = rows.map(|Versioned { value, version, leader }| {
            let is_known = known(&value.name, version);
            Listed { name: value.name.clone(), version, leader, record: (!is_known).then_some(value) }
        });
        Ok(listed.collect())
    }

    /// Names of the services that the last read of all passed over because their rows cannot be read.
    /// They are declared all the same: nothing of theirs may be taken for nobody's.
    fn unreadable(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes a service in place of version `expected`.
    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError>;

    /// Removes a service's row if it is still at `expected`. No row is success.
    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError>;

    /// The remembered side of an Auto Scaling group; default values at version 0 when there is none.
    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError>;

    /// Writes it in place of version `expected`.
    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError>;

    /// Every template; none at version 0 when none was ever declared.
    async fn templates(&self) -> Result<Versioned<Templates>, StoreError>;

    /// Writes them in place of version `expected`. Any replica may.
    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError>;

    /// The lease, read consistently.
    async fn lease(&self) -> Result<Option<Lease>, StoreError>;

    /// Replaces the lease if its nonce is still `expected` (`None`: if there is none).
    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError>;

    /// The newest lease epoch under which a service's or a group's row was written; 0: no leader has written any.
    async fn newest_epoch(&self) -> Result<u64, StoreError>;

    /// This installation's id: the remembered one, else `proposal`, which is then remembered.
    async fn install_id(&self, proposal: &str) -> Result<String, StoreError>;
}

//! The table: the store in memory, behind a network that loses answers.

use super::flight::leaves;
use super::{Port, pause};
use crate::check;
use crate::sim::{Odd, Sim};
use async_trait::async_trait;
use dormouse_state::{
    CapacityMemory, Lease, MemoryStore, ServiceRecord, Store, StoreError, Templates, Version, Versioned,
};
use futures::FutureExt as _;
use std::sync::Arc;

/// A controller's way to the table.
pub struct SimStore {
    /// The table itself, which outlives every controller.
    pub rows: Arc<MemoryStore>,
    /// Whose way.
    pub port: Port,
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("no answer".to_owned())
}

/// Writes the lease: the one that there is, or a controller's own of two. Answers what stood there.
fn write_lease(
    sim: &mut Sim,
    rows: &MemoryStore,
    controller: usize,
    next: &Lease,
    expected: Option<&str>,
) -> Result<Option<Lease>, StoreError> {
    let whole = now(rows.lease())?;
    let Some(split) = sim.write_own_lease(controller, whole.as_ref(), next, expected) else {
        return now(rows.put_lease(next, expected)).map(|()| whole);
    };
    let (before, lasts) = split?;
    if lasts {
        now(rows.put_lease(next, whole.as_ref().map(|lease| lease.nonce.as_str())))?;
    }
    Ok(Some(before))
}

/// The store in memory never waits.
fn now<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.now_or_never().unwrap_or_else(|| Err(unavailable()))
}

impl SimStore {
    async fn read<T>(&self, look: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let (fails, takes) = {
            let mut sim = self.port.world.sim();
            let rate = sim.profile.store_fails;
            let missed = sim.is_out("dynamodb:Read") | (sim.odd_read("dynamodb:Read") == Some(Odd::Missed));
            (sim.rng.chance(rate) || missed, sim.rng.between(1, 15))
        };
        pause(takes).await;
        if fails { Err(unavailable()) } else { now(look) }
    }

    /// `effect` is told who writes: the controller, or nobody that there still is.
    async fn write<T: Send + 'static>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&mut Sim, &MemoryStore, usize) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (fails, lost, before, after, made_at) = {
            let mut sim = self.port.world.sim();
            let rate = sim.profile.store_fails;
            let (fails, lost) = (sim.rng.chance(rate / 2), sim.rng.chance(rate / 2));
            let fails = fails || sim.is_out("dynamodb:Write");
            let slow = sim.profile.slow / 4;
            let before =
                if sim.rng.chance(slow) { sim.rng.between(100, 5000) } else { sim.rng.between(1, 15) };
            (fails, lost, before, sim.rng.between(1, 15), sim.now)
        };
        let leaves = leaves(before);
        pause(leaves).await;
        if fails {
            pause(before - leaves).await;
            return Err(unavailable());
        }
        let (rows, controller) = (self.rows.clone(), self.port.controller);
        // A renewal of the lease is of no interest: whatever is lost with it is lost at the next effect too.
        let counted = Some(what).filter(|what| *what != "put_lease");
        let answered = self.port.send(before - leaves, counted, move |sim| {
            let writer = Port::sender(sim, controller, made_at);
            effect(sim, &rows, writer)
        });
        let Ok(result) = answered.await else { return std::future::pending().await };
        pause(after).await;
        if let Err(StoreError::Fenced { .. }) = &result {
            check::overtaken(&mut self.port.world.sim(), controller);
        }
        if lost && result.is_ok() { Err(unavailable()) } else { result }
    }
}

#[async_trait]
impl Store for SimStore {
    async fn service(&self, name: &str) -> Result<Option<Versioned<ServiceRecord>>, StoreError> {
        let row = self.read(self.rows.service(name)).await?;
        if let Some(row) = &row {
            check::row_read(&mut self.port.world.sim(), self.port.controller, &row.value);
        }
        Ok(row)
    }

    async fn services(&self) -> Result<Vec<Versioned<Arc<ServiceRecord>>>, StoreError> {
        let rows = self.read(self.rows.services()).await?;
        let mut sim = self.port.world.sim();
        rows.iter().for_each(|row| check::row_read(&mut sim, self.port.controller, &row.value));
        drop(sim);
        Ok(rows)
    }

    async fn put_service(
        &self,
        record: &ServiceRecord,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        let row = record.clone();
        let written = self
            .write("put_service", move |sim, rows, writer| {
                let version = now(rows.put_service(&row, expected, fence))?;
                check::row_written(sim, writer, fence, &row);
                Ok(version)
            })
            .await?;
        check::row_read(&mut self.port.world.sim(), self.port.controller, record);
        Ok(written)
    }

    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write("delete_service", move |sim, rows, writer| {
            now(rows.delete_service(&name, expected, fence))?;
            check::row_removed(sim, Some(writer), &name);
            Ok(())
        })
        .await
    }

    async fn capacity(&self, group: &str) -> Result<Versioned<CapacityMemory>, StoreError> {
        self.read(self.rows.capacity(group)).await
    }

    async fn put_capacity(
        &self,
        group: &str,
        memory: &CapacityMemory,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<Version, StoreError> {
        let (group, memory) = (group.to_owned(), memory.clone());
        self.write("put_capacity", move |sim, rows, _| {
            let version = now(rows.put_capacity(&group, &memory, expected, fence))?;
            check::capacity_written(sim, &memory);
            Ok(version)
        })
        .await
    }

    async fn templates(&self) -> Result<Versioned<Templates>, StoreError> {
        // Where nobody declares any, reading that there are none goes well, and moves no die.
        if self.port.world.sim().truth.made.is_empty() {
            return self.rows.templates().await;
        }
        self.read(self.rows.templates()).await
    }

    async fn put_templates(&self, templates: &Templates, expected: Version) -> Result<Version, StoreError> {
        let templates = templates.clone();
        self.write("put_templates", move |sim, rows, _| {
            let version = now(rows.put_templates(&templates, expected))?;
            check::templates_written(sim, &templates);
            Ok(version)
        })
        .await
    }

    async fn lease(&self) -> Result<Option<Lease>, StoreError> {
        let lease = self.read(self.rows.lease()).await?;
        let own = self.port.world.sim().own_lease(self.port.controller, lease.as_ref());
        Ok(own.or(lease))
    }

    async fn put_lease(&self, next: &Lease, expected: Option<&str>) -> Result<(), StoreError> {
        let began = self.port.world.now();
        let (controller, next, expected) = (self.port.controller, next.clone(), expected.map(str::to_owned));
        self.write("put_lease", move |sim, rows, writer| {
            let before = write_lease(sim, rows, controller, &next, expected.as_deref())?;
            check::lease_written(sim, writer, began, before.as_ref(), &next);
            let leads = writer == controller && !next.nonce.is_empty();
            sim.truth.leader = leads.then_some((controller, next.epoch));
            Ok(())
        })
        .await
    }

    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        self.read(self.rows.newest_epoch()).await
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        self.read(self.rows.install_id(proposal)).await
    }
}

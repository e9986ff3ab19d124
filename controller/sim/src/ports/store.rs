//! The table: the store in memory, behind a network that loses answers.

use super::{Port, crash_here, pause};
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

    async fn write<T>(
        &self,
        what: &'static str,
        effect: impl Future<Output = Result<T, StoreError>>,
        written: impl FnOnce(&mut Sim, &T),
    ) -> Result<T, StoreError> {
        let (fails, lost, before, after) = {
            let mut sim = self.port.world.sim();
            let rate = sim.profile.store_fails;
            let (fails, lost) = (sim.rng.chance(rate / 2), sim.rng.chance(rate / 2));
            let fails = fails || sim.is_out("dynamodb:Write");
            let slow = sim.profile.slow / 4;
            let before =
                if sim.rng.chance(slow) { sim.rng.between(100, 5000) } else { sim.rng.between(1, 15) };
            (fails, lost, before, sim.rng.between(1, 15))
        };
        pause(before).await;
        if fails {
            return Err(unavailable());
        }
        // A renewal of the lease is of no interest: whatever is lost with it is lost at the next effect too.
        let crash = if what == "put_lease" { None } else { crash_here(&mut self.port.world.sim()) };
        if let Some(after) = crash {
            let mut sim = self.port.world.sim();
            let at = sim.now;
            sim.trace.note(at, format_args!("CRASH {} {what}", if after { "after" } else { "before" }));
            if let Some(crash) = &mut sim.crash {
                crash.due.insert(self.port.controller);
            }
        }
        if crash != Some(false) {
            let result = now(effect);
            match &result {
                Ok(value) => written(&mut self.port.world.sim(), value),
                Err(StoreError::Fenced { .. }) => {
                    check::overtaken(&mut self.port.world.sim(), self.port.controller);
                }
                Err(_) => {}
            }
            if crash.is_none() {
                pause(after).await;
                return if lost && result.is_ok() { Err(unavailable()) } else { result };
            }
        }
        self.port.world.planned.notify_one();
        std::future::pending().await
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
        self.write("put_service", self.rows.put_service(record, expected, fence), |sim, _| {
            check::row_written(sim, self.port.controller, fence, record)
        })
        .await
    }

    async fn delete_service(
        &self,
        name: &str,
        expected: Version,
        fence: Option<u64>,
    ) -> Result<(), StoreError> {
        self.write("delete_service", self.rows.delete_service(name, expected, fence), |sim, ()| {
            check::row_removed(sim, Some(self.port.controller), name)
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
        self.write("put_capacity", self.rows.put_capacity(group, memory, expected, fence), |sim, _| {
            check::capacity_written(sim, memory)
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
        self.write("put_templates", self.rows.put_templates(templates, expected), |sim, _| {
            check::templates_written(sim, templates);
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
        let (controller, epoch, released) = (self.port.controller, next.epoch, next.nonce.is_empty());
        let effect = async {
            let whole = self.rows.lease().await?;
            let split = self.port.world.sim().write_own_lease(controller, whole.as_ref(), next, expected);
            let Some(split) = split else { return self.rows.put_lease(next, expected).await.map(|()| whole) };
            let (before, lasts) = split?;
            if lasts {
                self.rows.put_lease(next, whole.as_ref().map(|lease| lease.nonce.as_str())).await?;
            }
            Ok(Some(before))
        };
        let written = self.write("put_lease", effect, |sim, before| {
            check::lease_written(sim, controller, began, before.as_ref(), next);
            sim.truth.leader = (!released).then_some((controller, epoch));
        });
        written.await.map(drop)
    }

    async fn newest_epoch(&self) -> Result<u64, StoreError> {
        self.read(self.rows.newest_epoch()).await
    }

    async fn install_id(&self, proposal: &str) -> Result<String, StoreError> {
        self.read(self.rows.install_id(proposal)).await
    }
}

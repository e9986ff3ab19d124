//! The capacity reconciler's shell: instances follow the service tasks that are wanted.

use super::{Controller, Key};
use dormouse_aws::ports::CloudError;
use dormouse_core::budget::Kind;
use dormouse_core::capacity::{self, Step, joining};
use dormouse_core::redate;
use dormouse_state::{CapacityMemory, StoreError};
use std::time::Duration;
use tracing::{info, warn};

/// After a failure, and while an effect is to be seen.
const AGAIN: Duration = Duration::from_secs(1);

impl Controller {
    /// Reconciles the group; answers when it is due again.
    pub(super) async fn reconcile_capacity(&self) -> Option<Duration> {
        // What is on its way out is looked at anew, right before the next step.
        let removing = self.world().is_removing();
        let read = if removing { self.read_fleet().await } else { Ok(()) };
        self.protect().await;
        if let Err(error) = read {
            warn!(%error, "the instances could not be read");
            return self.call_back().await.or(Some(AGAIN));
        }
        if self.world().fleet.whole().is_none() {
            return self.call_back().await;
        }
        let now = self.now();
        let stirring = self.records.stirring();
        let (plan, before, version) = {
            let mut world = self.world();
            world.tasks.listed_at?;
            let full = world.full(now);
            let (_, fleet) = world.fleet.whole()?;
            let demand = world.demand_of_the_group(&stirring, now);
            let plan = capacity::plan(&self.settings, &demand, fleet, &world.capacity, &full, now);
            (plan, world.capacity.clone(), world.capacity_version)
        };
        if self.observe_only {
            if !plan.steps.is_empty() {
                info!(steps = ?plan.steps, "would act on capacity; the policy is to observe");
            }
            return plan.requeue;
        }
        if plan.memory != before
            && let Err(again) = self.remember(plan.memory, version).await
        {
            return again;
        }
        let (acted, mut failed) = (!plan.steps.is_empty(), false);
        for step in plan.steps {
            // What a Terminate lowers, a call before it may have had to raise.
            if failed && matches!(step, Step::Terminate(_)) {
                continue;
            }
            if let Err(error) = self.capacity_step(step).await {
                warn!(%error, "capacity call failed");
                failed = true;
            }
        }
        if failed {
            return Some(AGAIN * 2);
        }
        if acted {
            // Seen before anything else is decided.
            if let Err(error) = self.read_fleet().await {
                warn!(%error, "the instances could not be read");
            }
            self.nudge.notify_one();
            return Some(AGAIN);
        }
        plan.requeue
    }

    /// Writes down what is intended; otherwise answers when all is due again.
    async fn remember(&self, memory: CapacityMemory, version: u64) -> Result<(), Option<Duration>> {
        if !self.may_act() {
            return Err(Some(AGAIN));
        }
        let group = &self.settings.group;
        let written = self.store.put_capacity(group, &memory, version, self.fence()).await;
        self.records.heed(&written);
        match written {
            Ok(version) => {
                let mut world = self.world();
                (world.capacity, world.capacity_version) = (memory, version);
                Ok(())
            }
            Err(StoreError::Conflict { .. }) => Err(self.reread_capacity().await),
            Err(error) => {
                warn!(%error, "the capacity plan could not be remembered");
                Err(Some(AGAIN))
            }
        }
    }

    /// Calls back what is wanted again while the group cannot be read.
    async fn call_back(&self) -> Option<Duration> {
        let now = self.now();
        let stirring = self.records.stirring();
        let (plan, before, version) = {
            let mut world = self.world();
            world.tasks.listed_at?;
            let full = world.full(now);
            let (at, fleet) = world.fleet.places()?;
            let demand = world.demand_of_a_fleet(&stirring, Some(at), now);
            let plan = capacity::call_back(&self.settings, &demand, fleet, &world.capacity, &full);
            (plan, world.capacity.clone(), world.capacity_version)
        };
        if self.observe_only || plan.memory == before && plan.steps.is_empty() {
            return None;
        }
        if plan.memory != before
            && let Err(again) = self.remember(plan.memory, version).await
        {
            return again;
        }
        for step in plan.steps {
            if let Err(error) = self.capacity_step(step).await {
                warn!(%error, "capacity call failed");
            }
        }
        Some(AGAIN)
    }

    /// Protects what came into service while nothing but the group could be read.
    async fn protect(&self) {
        let step = {
            let world = self.world();
            world.fleet.group_alone().and_then(|group| capacity::protect(group, &world.capacity))
        };
        if let Some(step) = step.filter(|_| self.may_act())
            && let Err(error) = self.capacity_step(step).await
        {
            warn!(%error, "capacity call failed");
        }
    }

    pub(super) async fn reread_capacity(&self) -> Option<Duration> {
        let row = self.store.capacity(&self.settings.group).await;
        let now = self.now();
        match row.and_then(|row| self.records.admit(&self.settings.group, row.leader).map(|()| row)) {
            Ok(row) => {
                let mut world = self.world();
                // The leader before wrote it, by its own clock.
                world.capacity = redate::capacity(&row.value, now);
                world.capacity_version = row.version;
                Some(Duration::ZERO)
            }
            Err(error) => {
                warn!(%error, "the capacity row could not be read");
                Some(AGAIN)
            }
        }
    }

    async fn capacity_step(&self, step: Step) -> Result<(), CloudError> {
        let (group, cluster) = (&self.settings.group, &self.settings.service_cluster);
        match step {
            Step::SetDesired(desired) => {
                if !self.permit(Kind::Scale).await {
                    return Ok(());
                }
                self.cloud.groups.set_desired(group, desired).await?;
                info!(group, desired, "desired capacity raised");
                self.world().fleet.raised(desired);
            }
            Step::Protect(ids) => {
                if !self.permit(Kind::Scale).await {
                    return Ok(());
                }
                self.cloud.groups.protect(group, &ids).await?;
                info!(group, instances = ids.join(","), "protected from scale-in");
            }
            Step::Drain(arns) => {
                if !self.permit(Kind::Modify).await {
                    return Ok(());
                }
                self.cloud.instances.set_draining(cluster, &arns, true).await?;
                info!(instances = arns.join(","), "draining");
            }
            Step::Activate(arns) => {
                if !self.permit(Kind::Modify).await {
                    return Ok(());
                }
                self.cloud.instances.set_draining(cluster, &arns, false).await?;
                info!(instances = arns.join(","), "active again");
            }
            Step::Terminate(id) => {
                if !self.permit(Kind::Scale).await {
                    return Ok(());
                }
                self.cloud.groups.terminate(&id).await?;
                info!(group, instance = id, "terminated");
            }
        }
        Ok(())
    }

    /// Whether capacity is in motion, so that the sweep reads it often.
    pub(super) fn capacity_moves(&self) -> bool {
        let stirring = self.records.stirring();
        let world = self.world();
        let joining = world.fleet.whole().is_some_and(|(_, fleet)| joining::is_joining(fleet));
        !world.demand_of_the_group(&stirring, self.now()).waiting.is_empty() || world.is_removing() || joining
    }

    /// Hints that capacity may have changed.
    pub(super) fn schedule_capacity(&self) {
        self.due(Key::Capacity, Duration::ZERO);
    }
}

//! Looks for an instance that somebody waits for: often, since a wake waits for nothing else, and with one small call.

use super::Controller;
use dormouse_core::budget::Kind;
use dormouse_core::capacity::joining;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// Between two looks: a quarter of what ECS sustains in reads.
const LOOK: Duration = Duration::from_millis(200);
/// Reads that are left for what else is to be read.
const RESERVE: u32 = 20;

impl Controller {
    /// Until then; an instance that joins meanwhile is put to use at once.
    pub(super) async fn watch_for_instances(&self, until: Instant) {
        while self.awaits_instance() && Instant::now() + LOOK < until {
            sleep_until(Instant::now() + LOOK).await;
            self.look_for_instance().await;
        }
        sleep_until(until).await;
    }

    fn awaits_instance(&self) -> bool {
        let (stirring, now, world) = (self.records.stirring(), self.now(), self.world());
        let demand = world.demand_of_the_group(&stirring, now);
        world.fleet.whole().is_some_and(|(_, fleet)| joining::is_awaited(fleet, &demand, now))
    }

    /// Nothing is lost when it fails, or when no call is to spare: the next sweep reads everything.
    async fn look_for_instance(&self) {
        if self.pace.try_take(Kind::Read, 1, RESERVE).is_err() {
            return;
        }
        let Ok(listed) = self.cloud.instances.listed(&self.settings.service_cluster).await else { return };
        let joined = |(_, fleet): (_, _)| joining::has_joined(fleet, &listed);
        if !self.world().fleet.whole().is_some_and(joined) {
            return;
        }
        if let Err(error) = self.read_fleet().await {
            warn!(%error, "the instances could not be read");
            return;
        }
        let (stirring, now) = (self.records.stirring(), self.now());
        for want in self.world().demand_of_the_group(&stirring, now).waiting {
            self.schedule(&want.service);
        }
        self.schedule_capacity();
    }
}

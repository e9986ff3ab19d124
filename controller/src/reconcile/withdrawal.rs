//! A controller that ends: it leaves the wildcard record to the others first, and goes on answering until nobody is led
//! to it any more.

use super::replicas::Standby;
use super::{Controller, Key};
use crate::plane::{StandbyAnswer, StandbyReport};
use dormouse_core::dns::{self, withdrawal};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Between two looks.
const AGAIN: Duration = Duration::from_millis(500);

/// The newest change of the wildcard record that was made here.
#[derive(Debug, Clone)]
pub struct WildcardChange {
    /// Route 53's id of it.
    id: String,
    /// Since when every name server has it.
    everywhere_since: Option<Instant>,
}

impl WildcardChange {
    /// It was accepted just now.
    pub fn accepted(id: &str) -> WildcardChange {
        WildcardChange { id: id.to_owned(), everywhere_since: None }
    }
}

impl Controller {
    /// Has the wildcard record lead to the other controllers alone, and waits until nobody is led here any more; not
    /// longer than `within`. Where there is no other, or no record, there is nothing to wait for.
    pub async fn withdraw(&self, within: Duration) {
        if self.observe_only || self.settings.wildcard.is_none() || !self.has_others() {
            return;
        }
        self.leave();
        info!("leaving the wildcard record to the other controllers");
        self.due(Key::Dns, Duration::ZERO);
        let forgotten = async {
            while !self.is_forgotten() || self.is_waited_for() {
                tokio::time::sleep(AGAIN).await;
            }
        };
        match tokio::time::timeout(within, forgotten).await {
            Ok(()) => info!("nobody is led here any more"),
            Err(_) => warn!("some may still be led here: the time to end is near"),
        }
    }

    /// Whether somebody else takes requests.
    fn has_others(&self) -> bool {
        if !self.is_leader() {
            return self.is_following();
        }
        let world = self.world();
        let mut reports = world.standbys.values().map(|standby| &standby.report);
        reports.any(|report| !report.leaving && !report.addresses.is_empty())
    }

    fn is_forgotten(&self) -> bool {
        if !self.is_leader() {
            return self.leader_has_forgotten();
        }
        let own = self.settings.wildcard.iter().flatten();
        own.into_iter().all(|address| self.has_forgotten(address))
    }

    /// As the leader: whether another that ends has still to be told so. Who leads next could not tell: it has made no
    /// change.
    fn is_waited_for(&self) -> bool {
        let is_open = |standby: &Standby| standby.report.leaving && !standby.answer.forgotten;
        self.is_leader() && self.world().standbys.values().any(is_open)
    }

    /// As the leader: whether nobody is led to this address any more.
    fn has_forgotten(&self, address: &str) -> bool {
        let led = self.has_led_for();
        let world = self.world();
        let Some(zone) = world.zone.get() else { return false };
        let everywhere_for = match &world.wildcard_change {
            Some(change) => change.everywhere_since.map(|since| since.elapsed()),
            // A leader before has made it.
            None => led.checked_sub(dns::PROPAGATES_IN),
        };
        withdrawal::is_forgotten(&self.settings, zone, address, everywhere_for)
    }

    /// What a standby is told.
    pub(super) fn answer_to(&self, report: &StandbyReport) -> StandbyAnswer {
        let forgotten = report.leaving && report.left.iter().all(|address| self.has_forgotten(address));
        StandbyAnswer { forgotten }
    }

    /// Asks Route 53 about the newest change of the wildcard, while somebody waits for it; answers when to ask again.
    pub(super) async fn poll_wildcard(&self) -> Option<Duration> {
        let id = {
            let world = self.world();
            let waits = self.is_leaving() || world.standbys.values().any(|standby| standby.report.leaving);
            let open = world.wildcard_change.as_ref().filter(|change| change.everywhere_since.is_none());
            open.filter(|_| waits)?.id.clone()
        };
        if let Some(again) = self.not_insync(&id, AGAIN).await {
            return Some(again);
        }
        let mut world = self.world();
        if let Some(change) = world.wildcard_change.as_mut().filter(|change| change.id == id) {
            change.everywhere_since = Some(Instant::now());
        }
        None
    }
}

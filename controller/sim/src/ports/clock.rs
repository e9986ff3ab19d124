//! The wall clock of a controller, which may be wrong, and its way to proxies.

use super::Port;
use crate::check;
use crate::sim::WALL;
use crate::time::Time;
use async_trait::async_trait;
use dormouse::clock::Clock;
use dormouse::probe::Probe;
use dormouse_peer::wire::{Role, SidecarState};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that is wrong by so many milliseconds.
pub struct SimClock {
    time: Arc<Time>,
    /// How wrong.
    pub wrong_by: AtomicI64,
    /// By how many per mille it is too fast.
    drift: i64,
}

impl SimClock {
    /// A clock of a world with this time.
    pub fn new(time: Arc<Time>, wrong_by: i64, drift: i64) -> SimClock {
        SimClock { time, wrong_by: AtomicI64::new(wrong_by), drift }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.time.now()).unwrap_or(0);
        let wall = Timestamp::from_second(WALL).unwrap_or(Timestamp::UNIX_EPOCH);
        let passed = passed + passed * self.drift / 1000;
        let passed = SignedDuration::from_millis(passed + self.wrong_by.load(Ordering::Relaxed));
        wall.checked_add(passed).unwrap_or(wall)
    }
}

#[async_trait]
impl Probe for Port {
    async fn probe(&self, address: &str, _port: u16, host: &str) -> Result<(), String> {
        let takes = self.world.sim().rng.between(2, 100);
        super::pause(takes).await;
        let mut sim = self.world.sim();
        let fails = sim.profile.call_fails;
        if sim.rng.chance(fails) {
            return Err("it does not answer".to_owned());
        }
        let service = host.split('.').next().unwrap_or_default();
        let owner = sim.truth.network.public.get(address).cloned().unwrap_or_default();
        let is_proxy = sim.truth.tasks.get(&owner).is_some_and(|task| {
            task.role() == Some(Role::Proxy) && task.service() == Some(service) && task.runs()
        });
        if is_proxy && sim.state_of(&owner).is_some_and(|state| state != SidecarState::Draining) {
            check::probed(&mut sim, service, address);
            return Ok(());
        }
        Err("it does not serve yet".to_owned())
    }
}

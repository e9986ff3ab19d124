//! One world: what is true in it, what is to happen, and who watches over it.

use crate::check::Audit;
use crate::profile::{Ms, Profile};
use crate::queue::{Event, Queue};
use crate::rng::Rng;
use crate::trace::Trace;
use crate::truth::Truth;
use dormouse_core::settings::Settings;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Key of the sidecars' tokens.
pub const SECRET: &[u8] = b"a secret that is thirty-two bytes long";
/// Second 0 of a run on the wall: a Monday, so that windows of the week have a beginning.
pub const WALL: i64 = 1_767_571_200;

/// Everything but the controllers, in one place behind one lock.
pub struct Sim {
    /// Now.
    pub now: Ms,
    /// Everything random.
    pub rng: Rng,
    /// How bad it is.
    pub profile: Profile,
    /// Faults have ceased.
    pub calm: bool,
    /// What AWS, the network and the sidecars really are.
    pub truth: Truth,
    /// What is to happen.
    pub queue: Queue,
    /// What happened.
    pub trace: Trace,
    /// The invariants' memory.
    pub audit: Audit,
    /// What the installation is configured with.
    pub settings: Settings,
    /// Set: crash the controller around one effect.
    pub crash: Option<CrashAt>,
}

/// A crash around the n-th effect of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashAt {
    /// Effects, counted from 0, at which it crashes.
    pub effects: Vec<u64>,
    /// After the effect, so that its answer is lost; otherwise before, so that it never happens.
    pub after: bool,
    /// Effects so far.
    pub count: u64,
    /// Raised when a crash is due; the driver sees to it.
    pub due: bool,
}

impl Sim {
    /// Plans an event after some time.
    pub fn plan(&mut self, after: Ms, event: Event) {
        self.queue.plan(self.now + after, event);
    }

    /// A random span within a range.
    pub fn span(&mut self, range: (Ms, Ms)) -> Ms {
        self.rng.between(range.0, range.1)
    }

    /// How old a read is that may be up to `most` old.
    pub fn lag(&mut self, most: Ms) -> Ms {
        if most > 0 && self.rng.chance(self.profile.stale) { self.rng.below(most) } else { 0 }
    }
}

/// A handle of a world, for ports and drivers.
#[derive(Clone)]
pub struct World {
    sim: Arc<Mutex<Sim>>,
    /// Raised when something was planned that may be earlier than all else.
    pub planned: Arc<Notify>,
    start: Instant,
}

impl World {
    /// Wraps a world whose time begins now.
    pub fn new(sim: Sim) -> World {
        World { sim: Arc::new(Mutex::new(sim)), planned: Arc::new(Notify::new()), start: Instant::now() }
    }

    /// The world, at this moment. Held for as long as a statement takes, never across an await.
    pub fn sim(&self) -> MutexGuard<'_, Sim> {
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        sim.now = self.now();
        sim
    }

    /// Now.
    pub fn now(&self) -> Ms {
        self.start.elapsed().as_millis().try_into().unwrap_or(Ms::MAX)
    }

    /// The instant of a time of this world.
    pub fn instant(&self, at: Ms) -> Instant {
        self.start + std::time::Duration::from_millis(at)
    }
}

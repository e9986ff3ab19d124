//! One world: what is true in it, what is to happen, and who watches over it.

use crate::check::Audit;
use crate::ports::link::Peer;
use crate::profile::{MINUTE, Ms, Profile};
use crate::queue::{Event, Queue};
use crate::rng::Rng;
use crate::stroke::Strokes;
use crate::time::Time;
use crate::trace::Trace;
use crate::truth::Truth;
use dormouse_core::settings::Settings;
use std::collections::BTreeMap;
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
    /// Set: what befalls controllers at some effects.
    pub strokes: Option<Strokes>,
    /// Set: one read goes wrong.
    pub read: Option<ReadAt>,
    /// The read that is being answered is as old as a read can be.
    pub backward: bool,
}

/// What becomes of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Odd {
    /// It is not answered.
    Missed,
    /// It tells what was a minute ago.
    Stale,
}

/// The n-th read of a run, which goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadAt {
    /// Which, counted from 0; none of them beyond the last.
    pub nth: u64,
    /// How.
    pub odd: Odd,
    /// Reads are counted until this time only: later there is nothing to be seen.
    pub until: Ms,
    /// Reads so far.
    pub count: u64,
}

impl Sim {
    /// Plans an event after some time.
    pub fn plan(&mut self, after: Ms, event: Event) {
        self.queue.plan(self.now + after, event);
    }

    /// Something happens that needs no controller.
    pub fn happen(&mut self, event: Event) {
        match event {
            Event::Do(work) => work(self),
            Event::Task(arn, step) => self.step_task(&arn, step),
            Event::Dies(arn) => self.exit_task(&arn, "app", 1),
            Event::Instance(id, step) => self.step_instance(&id, step),
            Event::Group => self.group(),
            Event::Insync(id) => self.insync(&id),
            Event::Beat(arn) => self.beat(&arn),
            Event::Told(arn, answer) => self.told(&arn, answer),
            Event::Check(arn) => self.check(&arn),
            Event::Answered(id) => self.answered(id),
            Event::Forget(arn) => self.forget_task(&arn),
            _ => {}
        }
    }

    /// A random span within a range.
    pub fn span(&mut self, range: (Ms, Ms)) -> Ms {
        self.rng.between(range.0, range.1)
    }

    /// How old a read is that may be up to `most` old.
    pub fn lag(&mut self, most: Ms) -> Ms {
        if self.backward {
            return MINUTE;
        }
        if most > 0 && self.rng.chance(self.profile.stale) { self.rng.below(most) } else { 0 }
    }

    /// Whether what was true before is remembered, for reads that are to tell it.
    pub fn remembers(&self) -> bool {
        self.profile.stale > 0 || self.read.is_some_and(|read| read.odd == Odd::Stale)
    }

    /// Counts a read; answers how this one goes wrong, if it does.
    pub fn odd_read(&mut self, operation: &str) -> Option<Odd> {
        let now = self.now;
        let read = self.read.as_mut().filter(|read| now < read.until)?;
        let here = (read.count == read.nth).then_some(read.odd);
        read.count += 1;
        if let Some(odd) = here {
            self.trace.note(now, format_args!("{operation}: {odd:?}"));
        }
        here
    }

    /// Whether the service of AWS that an operation is of answers nobody now.
    pub fn is_out(&self, operation: &str) -> bool {
        self.truth.outages.iter().any(|(aws, until)| self.now < *until && aws.has(operation))
    }
}

/// A handle of a world, for ports and drivers.
#[derive(Clone)]
pub struct World {
    sim: Arc<Mutex<Sim>>,
    /// Raised when something was planned that may be earlier than all else.
    pub planned: Arc<Notify>,
    time: Arc<Time>,
    /// URL → the controller that is there.
    peers: Arc<Mutex<BTreeMap<String, Peer>>>,
}

impl World {
    /// Wraps a world whose time begins now.
    pub fn new(sim: Sim) -> World {
        World::within(sim, Arc::new(Time::begin(None)))
    }

    /// Wraps a world in its time.
    pub fn within(sim: Sim, time: Arc<Time>) -> World {
        World {
            sim: Arc::new(Mutex::new(sim)),
            planned: Arc::new(Notify::new()),
            time,
            peers: Arc::default(),
        }
    }

    /// The world, at this moment. Held for as long as a statement takes, never across an await.
    pub fn sim(&self) -> MutexGuard<'_, Sim> {
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        sim.now = self.now();
        sim
    }

    /// From now on a controller is found at this URL.
    pub fn meet(&self, url: String, peer: Peer) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(url, peer);
    }

    /// The controller at a URL.
    pub fn peer(&self, url: &str) -> Option<Peer> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    /// Controllers hold the world: it ends when it holds none of them any more.
    pub fn part(&self) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Now.
    pub fn now(&self) -> Ms {
        self.time.now()
    }

    /// The instant of a time of this world.
    pub fn instant(&self, at: Ms) -> Instant {
        self.time.instant(at)
    }
}

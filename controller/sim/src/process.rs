//! A controller as a process: the real one over simulated ports, which can be frozen and crash at any await.

use crate::ports::Port;
use crate::ports::clock::SimClock;
use crate::ports::link::{Peer, Way};
use crate::ports::store::SimStore;
use crate::sim::{SECRET, World};
use dormouse::reconcile::{Controller, ControllerPlane, Ended, Parts};
use dormouse::replicas::follow;
use dormouse_state::MemoryStore;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Length of the lease.
const LEASE: Duration = Duration::from_millis(crate::check::LEASE);

/// What may happen to a process from outside.
#[derive(Default)]
pub struct Fate {
    dead: AtomicBool,
    frozen: AtomicBool,
    /// It ended by itself.
    pub ended: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Fate {
    /// Whether it takes calls.
    pub fn answers(&self) -> bool {
        !self.dead.load(Ordering::Relaxed) && !self.frozen.load(Ordering::Relaxed)
    }

    /// Whether it stands still.
    pub fn is_frozen(&self) -> bool {
        !self.dead.load(Ordering::Relaxed) && self.frozen.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A future of a process: not polled while it is frozen, dropped once it is dead.
struct Gate<F> {
    fate: Arc<Fate>,
    inner: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ()>> Future for Gate<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.fate.dead.load(Ordering::Relaxed) {
            self.inner = None;
            return Poll::Ready(());
        }
        {
            // Woken by its death or by its thaw as well.
            let mut waiting = self.fate.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
        }
        if self.fate.frozen.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        match &mut self.inner {
            Some(inner) => inner.as_mut().poll(context),
            None => Poll::Ready(()),
        }
    }
}

/// A controller process.
pub struct Process {
    /// Which one.
    pub controller: usize,
    /// The controller as users' side sees it.
    pub plane: ControllerPlane,
    /// Its wall clock.
    pub clock: Arc<SimClock>,
    /// What happens to it.
    pub fate: Arc<Fate>,
    stop: CancellationToken,
}

impl Process {
    /// Starts one. `told`: somebody is told of what happens.
    pub fn start(
        world: &World,
        rows: &Arc<MemoryStore>,
        controller: usize,
        clock: Arc<SimClock>,
        told: bool,
    ) -> Process {
        let port = Port { world: world.clone(), controller };
        let settings = world.sim().settings.clone();
        let replica_url = format!("http://controller-{controller}:9070");
        let real = Controller::new(Parts {
            settings,
            secret: SECRET.to_vec(),
            cloud: port.cloud(),
            store: Arc::new(SimStore { rows: rows.clone(), port: port.clone() }),
            clock: clock.clone(),
            prober: Arc::new(port.clone()),
            lease: LEASE,
            api_budget: Some(0.5),
            observe_only: false,
            holder: format!("controller {controller}"),
            replica_url: replica_url.clone(),
            webhook: port.webhook().filter(|_| told),
        });
        let fate = Arc::new(Fate::default());
        let stop = CancellationToken::new();
        let process = Process {
            controller,
            plane: ControllerPlane(real.clone()),
            clock,
            fate: fate.clone(),
            stop: stop.clone(),
        };
        world.meet(replica_url, Peer { plane: process.plane.clone(), fate: fate.clone(), controller });
        let way = world.clone();
        process.spawn(follow(real.clone(), move |url| Way::to(&way, url), stop.clone()));
        let (planned, ended) = (world.planned.clone(), fate.clone());
        process.spawn(async move {
            let _: Ended = real.lead(&stop).await;
            ended.ended.store(true, Ordering::Relaxed);
            planned.notify_one();
        });
        process
    }

    /// Runs something inside the process.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(Gate { fate: self.fate.clone(), inner: Some(Box::pin(work)) });
    }

    /// Ends it without a word: whatever it is about to do does not happen.
    pub fn crash(&self) {
        self.fate.dead.store(true, Ordering::Relaxed);
        self.fate.wake();
    }

    /// Asks it to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops its time, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        self.fate.frozen.store(frozen, Ordering::Relaxed);
        if !frozen {
            self.fate.wake();
        }
    }
}

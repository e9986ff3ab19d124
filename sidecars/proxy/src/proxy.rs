//! What one proxy process knows: its service, its counters, and whether it drains.

use crate::activity::Activity;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sleepers::Sleepers;
use crate::upstream::Upstream;
use dormouse_peer::link::{Link, Report, Sidecar};
use dormouse_peer::wire::{Answer, Heartbeat, PeerHealth, SidecarState};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// What a client's connection takes until it has ended.
#[derive(Debug)]
pub struct Hold {
    /// A stop waits until the last of these is gone.
    pub running: mpsc::Sender<Infallible>,
    /// One of the places that `MAX_CONNECTIONS` allows.
    pub place: Option<OwnedSemaphorePermit>,
}

/// How far its end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not at all.
    Running = 0,
    /// Finishes what it has.
    Finishing,
    /// Whoever still waits for an answer gets a 503 now.
    Ending,
    /// About to exit.
    Leaving,
}

/// The state that connections, watch and link share.
#[derive(Debug)]
pub struct Proxy {
    /// What it was told at its start.
    pub settings: Settings,
    /// What it counts.
    pub activity: Arc<Activity>,
    /// What it counts besides.
    pub metrics: Metrics,
    /// Its service.
    pub upstream: Upstream,
    /// The controller wants a lame duck.
    drained: AtomicBool,
    drain: watch::Sender<bool>,
    stage: watch::Sender<Stage>,
    /// The same, for whoever looks often.
    now: AtomicU8,
    /// Connections, which a change of the stage wakes.
    pub sleepers: Sleepers,
    health: Mutex<Health>,
    link: OnceLock<Link>,
}

#[derive(Debug, Default)]
struct Health {
    peer: Option<PeerHealth>,
    error: Option<String>,
}

impl Proxy {
    /// A proxy that does nothing yet.
    pub fn new(settings: Settings) -> Proxy {
        Proxy {
            activity: Arc::new(Activity::new()),
            metrics: Metrics::default(),
            upstream: Upstream::new(settings.upstream.clone(), settings.hold, settings.connect_timeout),
            drained: AtomicBool::new(false),
            drain: watch::Sender::new(false),
            stage: watch::Sender::new(Stage::Running),
            now: AtomicU8::new(Stage::Running as u8),
            sleepers: Sleepers::default(),
            health: Mutex::default(),
            link: OnceLock::new(),
            settings,
        }
    }

    /// How far it is.
    pub fn state(&self) -> SidecarState {
        if self.stage() == Stage::Leaving {
            SidecarState::Stopping
        } else if self.is_draining() {
            SidecarState::Draining
        } else if self.peer_health().is_some_and(|peer| peer.ever_healthy) {
            SidecarState::Serving
        } else {
            SidecarState::Starting
        }
    }

    /// How far its end has come.
    pub fn stage(&self) -> Stage {
        match self.now.load(SeqCst) {
            0 => Stage::Running,
            1 => Stage::Finishing,
            2 => Stage::Ending,
            _ => Stage::Leaving,
        }
    }

    /// Whether clients should go elsewhere. What comes is served all the same.
    pub fn is_draining(&self) -> bool {
        self.drained.load(SeqCst) || self.stage() > Stage::Running
    }

    /// The watch over the service; `None` until it was checked.
    pub fn peer_health(&self) -> Option<PeerHealth> {
        self.health().peer
    }

    /// Tells the controller now.
    pub fn touch(&self) {
        if let Some(link) = self.link.get() {
            link.touch();
        }
    }

    /// The link to the controller, unless this stands alone.
    pub fn link(&self) -> Option<&Link> {
        self.link.get()
    }

    pub(crate) fn set_link(&self, link: Link) {
        // Only `serve` sets it, once.
        let _ = self.link.set(link);
    }

    pub(crate) fn checked(&self, peer: PeerHealth, error: Option<String>) {
        if peer.healthy {
            self.upstream.has_answered();
        }
        let before = std::mem::replace(&mut *self.health(), Health { peer: Some(peer), error }).peer;
        if before != Some(peer) {
            self.touch();
        }
    }

    /// Goes on to this stage; there is no way back.
    pub(crate) fn advance(&self, to: Stage) {
        self.now.fetch_max(to as u8, SeqCst);
        self.stage.send_modify(|stage| *stage = to.max(*stage));
        self.sleepers.wake();
        self.touch();
    }

    /// Waits for a stage.
    pub(crate) async fn reaches(&self, wanted: Stage) {
        // An error would say that the sender is gone, but `self` has it.
        let _ = self.stage.subscribe().wait_for(|stage| *stage >= wanted).await;
    }

    /// Waits until clients should go elsewhere.
    pub(crate) async fn drains(&self) {
        let mut drain = self.drain.subscribe();
        tokio::select! {
            _ = drain.wait_for(|drain| *drain) => {}
            () = self.reaches(Stage::Finishing) => {}
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sidecar for Proxy {
    fn report(&self) -> Report {
        let (peer, detail) = {
            let health = self.health();
            (health.peer, health.error.clone())
        };
        let activity = Some(self.activity.snapshot());
        Report { state: self.state(), peer, activity, sleep_requested: None, busy: None, detail }
    }

    fn heard(&self, _told: &Heartbeat, answer: Answer) {
        if let Some(peer) = answer.peer.filter(|_| self.settings.upstream.is_none()) {
            self.upstream.moved_to(peer);
        }
        if self.drained.swap(answer.drain, SeqCst) != answer.drain {
            self.drain.send_replace(answer.drain);
            tracing::info!("{}", if answer.drain { "drains" } else { "drains no more" });
            self.touch();
        }
    }
}

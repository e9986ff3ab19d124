//! What one service sidecar knows: its container, its proxy, and the wish to sleep.

use crate::wish::Wish;
use dormouse_peer::link::{Report, Sidecar as Speaker};
use dormouse_peer::wire::{Answer, Heartbeat, PeerAddress, PeerHealth, SidecarState};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// One failed check may be a hiccup; after so many in a row the container is said to be down.
const DOWN: u32 = 2;

/// The state that watches and link share.
#[derive(Debug)]
pub struct Sidecar {
    start: Instant,
    fixed_proxy: bool,
    proxy_address: watch::Sender<Option<PeerAddress>>,
    leaving: AtomicBool,
    known: Mutex<Known>,
    /// The controller heard the wish.
    pub heard: Notify,
    /// The controller should hear something.
    pub changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    container: Option<PeerHealth>,
    container_error: Option<String>,
    proxy: Option<PeerHealth>,
    proxy_error: Option<String>,
    busy: Option<bool>,
    wish: Wish,
}

impl Sidecar {
    /// Knows nothing yet, but perhaps where the proxy is.
    pub fn new(proxy: Option<PeerAddress>) -> Sidecar {
        Sidecar {
            start: Instant::now(),
            fixed_proxy: proxy.is_some(),
            proxy_address: watch::Sender::new(proxy),
            leaving: AtomicBool::new(false),
            known: Mutex::default(),
            heard: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// Where the proxy is, now and later.
    pub fn proxy_address(&self) -> watch::Receiver<Option<PeerAddress>> {
        self.proxy_address.subscribe()
    }

    /// The container was checked.
    pub fn checked_container(&self, health: PeerHealth, error: Option<String>) {
        let before = self.state();
        {
            let mut known = self.known();
            known.container = Some(health);
            known.container_error = error;
        }
        if before != self.state() {
            self.changed.notify_one();
        }
    }

    /// The proxy was checked.
    pub fn checked_proxy(&self, health: PeerHealth, error: Option<String>) {
        let mut known = self.known();
        known.proxy_error = error;
        if known.proxy.replace(health) != Some(health) {
            self.changed.notify_one();
        }
    }

    /// The container said whether it is busy.
    pub fn is_busy(&self, busy: bool) {
        if self.known().busy.replace(busy) != Some(busy) {
            tracing::info!(busy, "the container says whether it is busy");
            self.changed.notify_one();
        }
    }

    /// The container asks for its own sleep.
    pub fn wishes(&self, words: String) {
        let mut known = self.known();
        if !matches!(&known.wish, Wish::Asked(now) if *now == words) {
            tracing::info!(words, "the container asks for its own sleep");
            known.wish = Wish::Asked(words);
            self.changed.notify_one();
        }
    }

    /// Whether the container asks for its own sleep.
    pub fn is_wished(&self) -> bool {
        self.known().wish != Wish::None
    }

    /// Whether to end on the container's wish alone, with a controller that has been silent for so long.
    pub fn acts_alone(&self, silent: Duration) -> bool {
        let now = self.start.elapsed();
        self.known().wish.acts_alone(silent, now)
    }

    /// About to exit.
    pub fn leave(&self) {
        self.leaving.store(true, SeqCst);
    }

    /// How far it is. A container that answers no more is starting again, for all that others can see.
    pub fn state(&self) -> SidecarState {
        let container = self.known().container.unwrap_or_default();
        if self.leaving.load(SeqCst) {
            SidecarState::Stopping
        } else if container.ever_healthy && (container.healthy || container.failures < DOWN) {
            SidecarState::Serving
        } else {
            SidecarState::Starting
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Speaker for Sidecar {
    fn report(&self) -> Report {
        let (state, now) = (self.state(), self.start.elapsed());
        let known = self.known();
        Report {
            state,
            peer: known.proxy,
            activity: None,
            sleep_requested: known.wish.words(now).map(str::to_owned),
            busy: known.busy,
            detail: known.container_error.clone().or_else(|| known.proxy_error.clone()),
        }
    }

    fn heard(&self, told: &Heartbeat, answer: Answer) {
        if let Some(words) = &told.sleep_requested
            && self.known().wish.heard(words, self.start.elapsed())
        {
            self.heard.notify_one();
        }
        if let Some(peer) = answer.peer.filter(|_| !self.fixed_proxy) {
            self.proxy_address.send_if_modified(|now| {
                let moved = now.as_ref() != Some(&peer);
                if moved {
                    tracing::info!("the proxy is at {}:{}", peer.host, peer.port);
                    *now = Some(peer);
                }
                moved
            });
        }
    }
}

//! The control plane's shell: it schedules, reads, applies what the core planned, and logs.
//!
//! # Layout
//!
//! - [`scheduler`], [`runner`]: when, and one at a time; generic
//! - [`records`]: everything remembered, read from memory and written through; `cache`: what is in memory; `form`,
//!   `packed`: what is kept of one that is sound asleep; `dependents`: who depends on whom
//! - `backends`: where containers answer, for those who wait
//! - [`world`]: everything observed; `known_zone`, `known_fleet`: a zone and the instances among it; [`refused`]: what
//!   is tried again later; `conflicts`: names that are somebody else's
//! - `sweep`: the one reader of the cloud, fast while something moves, slow otherwise; `agenda`: when it reads what
//! - `joining`: looks for an instance that somebody waits for
//! - `lifecycle`, `dns`, `capacity`: the three reconcilers' shells
//! - `leader`: the lease, and the session of one that leads
//! - [`pace`]: the budget of calls
//! - `replicas`: controllers beside each other: what a standby hears and tells; `withdrawal`: one of them ends
//! - `seek`: a name that a standby does not know yet
//! - `plane`: what users' side asks of it ([`crate::plane::Plane`])
//! - `templates`: services that are made when somebody asks for them
//! - `views`: what those who watch were told last
//! - `metrics`: its own numbers
//! - `probe`: the path that users take, tried
//! - `webhook`: who tells others

mod agenda;
mod backends;
mod cache;
mod capacity;
mod conflicts;
mod dependents;
mod dns;
mod form;
mod joining;
mod known_fleet;
mod known_zone;
mod leader;
mod lifecycle;
mod metrics;
pub mod pace;
mod packed;
mod plane;
mod probe;
pub mod records;
pub mod refused;
pub mod replicas;
pub mod runner;
pub mod scheduler;
mod seek;
mod sweep;
mod templates;
mod views;
mod webhook;
mod withdrawal;
pub mod world;

use crate::clock::Clock;
use crate::probe::Probe;
use crate::webhook::Webhook;
use dormouse_aws::Cloud;
use dormouse_core::budget::Kind;
use dormouse_core::capacity::Room;
use dormouse_core::keepers;
use dormouse_core::lifecycle::View;
use dormouse_core::settings::Settings;
use dormouse_core::sound::is_sound;
use dormouse_core::view::{self, ServiceView};
use dormouse_state::{Counted, ServiceRecord, Store, planted};
use jiff::{SignedDuration, Timestamp};
use records::Records;
use scheduler::Scheduler;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use views::Views;
use world::World;

pub use leader::Ended;
pub use plane::ControllerPlane;

/// What is reconciled on its own, one at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A service's pairs.
    Service(String),
    /// The zones.
    Dns,
    /// The Auto Scaling group.
    Capacity,
}

impl Key {
    /// Its kind, in one word.
    const fn word(&self) -> &'static str {
        match self {
            Key::Service(_) => "service",
            Key::Dns => "dns",
            Key::Capacity => "capacity",
        }
    }
}

/// What the control plane is started with.
pub struct Parts {
    /// Settings, all resolved.
    pub settings: Settings,
    /// Key of the sidecars' tokens.
    pub secret: Vec<u8>,
    /// The cloud.
    pub cloud: Cloud,
    /// The table.
    pub store: Arc<dyn Store>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The way to a proxy.
    pub prober: Arc<dyn Probe>,
    /// Length of the lease.
    pub lease: Duration,
    /// Share of AWS's sustained rates that it may use; `None` = no limit.
    pub api_budget: Option<f64>,
    /// Plan and report, change nothing.
    pub observe_only: bool,
    /// Who this is, in words, for the lease.
    pub holder: String,
    /// Where other controllers find this one's API: `http://host:port`.
    pub replica_url: String,
    /// Who is told of what happens to services.
    pub webhook: Option<Webhook>,
}

/// The control plane.
pub struct Controller {
    settings: Settings,
    secret: Vec<u8>,
    cloud: Cloud,
    store: Arc<dyn Store>,
    /// The same store, as what was asked of it is counted.
    accesses: Arc<Counted>,
    numbers: Arc<metrics::Numbers>,
    clock: Arc<dyn Clock>,
    /// By how much the leader's clock is ahead of one's own, while one stands by.
    ahead: Mutex<SignedDuration>,
    prober: Arc<dyn Probe>,
    lease: Duration,
    observe_only: bool,
    holder: String,
    replica_url: String,
    pace: pace::Pace,
    records: Records,
    templates: templates::Known,
    world: Mutex<World>,
    /// The services' keys.
    services: Scheduler<Key>,
    /// The zone's and the group's. All services wait for them, so that they wait for no service's calls.
    shared: Scheduler<Key>,
    nudge: Notify,
    /// Whether what is declared has been read.
    readiness: watch::Sender<bool>,
    /// Lease epoch while leading; 0 otherwise.
    epoch: AtomicU64,
    /// Until when effects may be applied, on the monotonic clock.
    may_act_until: Mutex<Option<Instant>>,
    views: Mutex<Views>,
    changes: broadcast::Sender<Arc<ServiceView>>,
    backends: backends::Backends,
    replicas: replicas::Replicas,
    seeking: seek::Seeking,
    webhook: webhook::Telling,
}

/// How many changes a slow reader may lag behind.
const CHANGES: usize = 4096;

impl Controller {
    /// A control plane that does nothing yet; see [`Controller::lead`].
    pub fn new(parts: Parts) -> Arc<Controller> {
        let accesses = Arc::new(Counted::new(parts.store));
        let store: Arc<dyn Store> = accesses.clone();
        let numbers = Arc::new(metrics::Numbers::new(parts.webhook.is_some()));
        Arc::new(Controller {
            pace: pace::Pace::new(parts.api_budget),
            records: Records::new(store.clone(), numbers.clone()),
            templates: templates::Known::default(),
            settings: parts.settings,
            secret: parts.secret,
            cloud: parts.cloud,
            store,
            accesses,
            numbers,
            clock: parts.clock,
            ahead: Mutex::default(),
            prober: parts.prober,
            lease: parts.lease,
            observe_only: parts.observe_only,
            holder: parts.holder,
            replica_url: parts.replica_url,
            world: Mutex::default(),
            services: Scheduler::default(),
            shared: Scheduler::default(),
            nudge: Notify::new(),
            readiness: watch::Sender::new(false),
            epoch: AtomicU64::new(0),
            may_act_until: Mutex::new(None),
            views: Mutex::default(),
            changes: broadcast::channel(CHANGES).0,
            backends: backends::Backends::default(),
            replicas: replicas::Replicas::default(),
            seeking: seek::Seeking::default(),
            webhook: webhook::Telling::new(parts.webhook),
        })
    }

    /// Now, by the leader's clock.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(*self.ahead.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or(now)
    }

    /// From here on it dates what it writes by a clock that shows `now`; `None`: by its own.
    fn date_by(&self, now: Option<Timestamp>) {
        let ahead = now.map(|now| now.duration_since(self.clock.now())).unwrap_or_default();
        let before =
            std::mem::replace(&mut *self.ahead.lock().unwrap_or_else(PoisonError::into_inner), ahead);
        self.world().use_is_later(ahead.checked_sub(before).unwrap_or_default());
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Planners do not panic half-way through a change of the world: it is whole.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fence of the leader's writes.
    fn fence(&self) -> Option<u64> {
        Some(self.epoch.load(Ordering::Acquire)).filter(|_| !planted!(Unfenced))
    }

    /// Whether an effect may be applied now: it leads, its lease holds, and it is not only to observe.
    fn may_act(&self) -> bool {
        let until = *self.may_act_until.lock().unwrap_or_else(PoisonError::into_inner);
        !self.observe_only && until.is_some_and(|until| Instant::now() < until || planted!(ActsWithoutLease))
    }

    /// Waits for the budget of a call that changes something; `false`: it may not be made any more.
    async fn permit(&self, kind: Kind) -> bool {
        self.pace.take(kind, 1).await;
        self.may_act()
    }

    /// Has a key reconciled in `after`, or earlier if it is due earlier.
    fn due(&self, key: Key, after: Duration) {
        match key {
            Key::Service(_) => self.services.schedule(key, after),
            Key::Dns | Key::Capacity => self.shared.schedule(key, after),
        }
    }

    fn schedule(&self, name: &str) {
        self.due(Key::Service(name.to_owned()), Duration::ZERO);
    }

    /// Runs `see` with one service's view of the world, as far as it is told without looking for room.
    fn with_view<T>(&self, record: &ServiceRecord, see: impl FnOnce(&View<'_>) -> T) -> T {
        let (dependents_awake, compared) = (self.dependents_awake(record), self.records.is_compared(record));
        see(&self.world().view(record, &Room::unknown(), dependents_awake, compared))
    }

    /// The same for a service whose task is to be placed: where everybody else's tasks are, and are to be, matters.
    fn with_room<T>(&self, record: &ServiceRecord, now: Timestamp, see: impl FnOnce(&View<'_>) -> T) -> T {
        let (dependents_awake, compared) = (self.dependents_awake(record), self.records.is_compared(record));
        let stirring = self.records.stirring();
        let mut world = self.world();
        let room = world.room(&self.settings, &stirring, record, now);
        see(&world.view(record, &room, dependents_awake, compared))
    }

    fn dependents_awake(&self, record: &ServiceRecord) -> bool {
        self.records.any_dependent(&record.name, |other| keepers::needs(other, record))
    }

    /// What users see of a service now.
    fn view(&self, record: &ServiceRecord) -> Arc<ServiceView> {
        let now = self.now();
        let view = self.with_view(record, |view| view::service(&self.settings, record, view, now));
        Arc::new(self.replicas.as_the_leader_says(view))
    }

    /// Brings what users see of a service up to date, and tells those who watch.
    fn publish(&self, name: &str) {
        // Who comes to watch later begins with what is then. What a standby knows, it knows from the leader.
        if self.changes.receiver_count() == 0 && self.is_leader() && self.records.contains(name) {
            // Of one that is sound asleep nothing answers.
            let answers = |record| self.with_view(record, |view| view::backend(record, view));
            return self.backends.set(name, self.records.stirs(name).as_deref().and_then(answers));
        }
        let Some(known) = self.records.get(name) else {
            self.backends.set(name, None);
            // A last word, so that who watches it learns that it is gone.
            if let Some(mut last) = self.lock_views().take(name) {
                last.metadata.deleting = true;
                let _ = self.changes.send(Arc::new(last));
            }
            return;
        };
        let record = &known.record;
        let view = self.view(record);
        self.backends.set(name, view.status.backend);
        let mut views = self.lock_views();
        if views.tell(&view, is_sound(record)) {
            // Nobody listens: nobody to tell.
            let _ = self.changes.send(view);
        }
    }

    /// What changes from now on.
    fn watch(&self) -> broadcast::Receiver<Arc<ServiceView>> {
        let first = self.changes.receiver_count() == 0;
        let changes = self.changes.subscribe();
        if first {
            // Nobody watched, so nothing was kept to tell changes by.
            let mut views = Views::default();
            for known in self.records.names().iter().filter_map(|name| self.records.get(name)) {
                views.tell(&self.view(&known.record), is_sound(&known.record));
            }
            *self.lock_views() = views;
        }
        changes
    }

    fn lock_views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

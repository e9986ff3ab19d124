//! Controllers beside each other: one leads; the others stand by, answer too, and tell it what they are asked.
//!
//! A standby writes the rows that its callers change, as the leader does, and names them to the leader. What it shows
//! of services that are awake is what the leader says of them: only the leader hears their sidecars.

use super::{Controller, Key};
use crate::plane::{StandbyAnswer, StandbyReport};
use dormouse_core::dns::{Group, WILDCARD, withdrawal};
use dormouse_core::settings::Settings;
use dormouse_core::view::ServiceView;
use dormouse_state::{Lease, planted};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{debug, info};

/// A standby says that it is there at least this often.
pub const REPORT_EVERY: Duration = Duration::from_secs(2);
/// One that has not for so long is gone. So long a new leader waits for those that it has not heard of.
const GONE_AFTER: Duration = Duration::from_secs(8);

/// A controller that stands by.
#[derive(Debug, Clone)]
pub struct Standby {
    at: Instant,
    /// What it said last.
    pub report: StandbyReport,
    /// What it was answered.
    pub answer: StandbyAnswer,
}

/// What a controller knows of the others.
#[derive(Debug)]
pub(super) struct Replicas {
    /// The leader's API, as the lease says.
    leader: watch::Sender<Option<String>>,
    /// The same, while it tells what changes.
    followed: watch::Sender<Option<String>>,
    /// What the leader said of each service.
    said: Mutex<BTreeMap<String, ServiceView>>,
    /// Rows that were changed here, and of which the leader does not know.
    untold: Mutex<BTreeSet<String>>,
    /// Templates were changed here, and the leader does not know.
    untold_templates: AtomicBool,
    news: Notify,
    leads_since: Mutex<Option<Instant>>,
    /// It ends.
    leaving: AtomicBool,
    /// The leader said that nobody is led here any more.
    forgotten: AtomicBool,
}

impl Default for Replicas {
    fn default() -> Replicas {
        Replicas {
            leader: watch::Sender::new(None),
            followed: watch::Sender::new(None),
            said: Mutex::default(),
            untold: Mutex::default(),
            untold_templates: AtomicBool::new(false),
            news: Notify::new(),
            leads_since: Mutex::default(),
            leaving: AtomicBool::new(false),
            forgotten: AtomicBool::new(false),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is a single insert or removal.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replicas {
    /// The leader's words about a service, unless they are about another intention than the row has.
    pub(super) fn as_the_leader_says(&self, own: ServiceView) -> ServiceView {
        let of = |view: &ServiceView| {
            let (metadata, status) = (&view.metadata, &view.status);
            (metadata.generation, metadata.deleting, status.epoch, status.desired)
        };
        match lock(&self.said).get(&own.metadata.name) {
            Some(said) if of(said) == of(&own) => said.clone(),
            _ => own,
        }
    }
}

/// As a standby.
impl Controller {
    /// Where the lease says that the leader is.
    pub fn leader(&self) -> watch::Receiver<Option<String>> {
        self.replicas.leader.subscribe()
    }

    /// The leader, while [`Controller::follows`] it.
    pub(super) fn followed(&self) -> watch::Receiver<Option<String>> {
        self.replicas.followed.subscribe()
    }

    pub(super) fn is_following(&self) -> bool {
        self.replicas.followed.borrow().is_some()
    }

    /// From now on the leader at this URL tells what changes; `None`: it has fallen silent. What it said last stays:
    /// the services that it spoke of are still there.
    pub fn follows(&self, url: Option<String>) {
        self.replicas.followed.send_if_modified(|known| {
            let changed = *known != url;
            *known = url;
            changed
        });
    }

    /// The lease as it was just read.
    pub(super) fn is_led_by(&self, lease: Option<&Lease>) {
        let held = lease.filter(|lease| !lease.nonce.is_empty());
        let url = held.and_then(|lease| lease.url.clone()).filter(|url| *url != self.replica_url);
        self.replicas.leader.send_if_modified(|known| {
            let changed = *known != url;
            *known = url;
            changed
        });
    }

    /// It leads now: nobody else's words count.
    pub(super) fn leads(&self) {
        *lock(&self.replicas.leads_since) = Some(Instant::now());
        self.replicas.leader.send_replace(None);
        self.follows(None);
        lock(&self.replicas.said).clear();
    }

    /// The leader says how a service is.
    pub async fn hear_leader(&self, view: ServiceView) {
        let name = view.metadata.name.clone();
        let is_known = self.records.get(&name).is_some_and(|known| {
            let (record, status) = (&known.record, &view.status);
            (record.generation, record.epoch, record.desired, record.phase)
                == (view.metadata.generation, status.epoch, status.desired, status.phase)
        });
        lock(&self.replicas.said).insert(name.clone(), view);
        if !is_known {
            self.reread(&name).await;
        }
        self.publish(&name);
    }

    /// The leader says that a service is gone.
    pub async fn hear_gone(&self, name: &str) {
        lock(&self.replicas.said).remove(name);
        self.reread(name).await;
        self.publish(name);
    }

    pub(super) async fn reread(&self, name: &str) {
        if let Err(error) = self.records.reread(name).await {
            // The whole table is read again soon.
            debug!(service = name, %error, "a row could not be read");
        }
    }

    /// A row was changed here.
    pub(super) fn tell(&self, name: &str) {
        if !self.is_leader() && !planted!(StandbysUntold) {
            lock(&self.replicas.untold).insert(name.to_owned());
            self.replicas.news.notify_one();
        }
    }

    /// Templates were changed here.
    pub(super) fn tell_templates(&self) {
        if !self.is_leader() {
            self.replicas.untold_templates.store(true, Ordering::Release);
            self.replicas.news.notify_one();
        }
    }

    /// The use of a service began or ended here.
    pub(super) fn tell_use(&self) {
        if !self.is_leader() {
            self.replicas.news.notify_one();
        }
    }

    /// From now on nobody is to be led here.
    pub(super) fn leave(&self) {
        self.replicas.leaving.store(true, Ordering::Release);
        self.replicas.news.notify_one();
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.replicas.leaving.load(Ordering::Acquire)
    }

    /// The leader's answer to a report.
    pub fn hear_answer(&self, answer: StandbyAnswer) {
        self.replicas.forgotten.store(answer.forgotten, Ordering::Release);
    }

    /// For how long it has led; zero when it never did.
    pub(super) fn has_led_for(&self) -> Duration {
        lock(&self.replicas.leads_since).map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(super) fn leader_has_forgotten(&self) -> bool {
        self.replicas.forgotten.load(Ordering::Acquire)
    }

    /// Waits until there is something to tell the leader.
    pub async fn news(&self) {
        self.replicas.news.notified().await;
    }

    /// What to tell the leader now.
    pub fn report(&self) -> StandbyReport {
        let changed = std::mem::take(&mut *lock(&self.replicas.untold));
        let world = self.world();
        let used = world.activator.iter().filter(|(_, at)| at.in_flight > 0);
        let leaving = self.is_leaving();
        let own = self.settings.wildcard.clone().unwrap_or_default();
        let (addresses, left) = if leaving { (Vec::new(), own) } else { (own, Vec::new()) };
        StandbyReport {
            replica: self.holder.clone(),
            url: self.replica_url.clone(),
            leaving,
            addresses,
            left,
            changed: changed.into_iter().collect(),
            templates: self.replicas.untold_templates.swap(false, Ordering::AcqRel),
            in_use: used.map(|(name, at)| (name.clone(), at.in_flight)).collect(),
        }
    }

    /// The leader did not hear this report: what it names is told again.
    pub fn untold(&self, report: StandbyReport) {
        lock(&self.replicas.untold).extend(report.changed);
        self.replicas.untold_templates.fetch_or(report.templates, Ordering::AcqRel);
    }
}

/// As the leader.
impl Controller {
    pub(super) fn is_leader(&self) -> bool {
        self.epoch.load(Ordering::Acquire) != 0
    }

    /// A standby says what it was asked. `None`: this one does not lead.
    pub(super) async fn hear_standby(&self, report: StandbyReport) -> Option<StandbyAnswer> {
        if !self.is_leader() {
            return None;
        }
        if report.templates {
            self.refresh_templates().await;
        }
        for name in &report.changed {
            self.reread(name).await;
            self.schedule(name);
            self.publish(name);
        }
        if !report.changed.is_empty() {
            self.due(Key::Capacity, Duration::ZERO);
        }
        let replica = report.replica.clone();
        let before = self.world().standbys.get(&replica).map(|known| known.report.clone());
        if before.is_none() {
            info!(replica, url = report.url, "a controller stands by");
        }
        let answer = self.answer_to(&report);
        let now = Standby { at: Instant::now(), report, answer };
        self.standby_changed(&replica, before, Some(now));
        Some(answer)
    }

    /// Forgets the standbys that have fallen silent.
    pub(super) fn expire_standbys(&self) {
        let gone: Vec<(String, StandbyReport)> = {
            let world = self.world();
            let silent = world.standbys.iter().filter(|(_, standby)| standby.at.elapsed() >= GONE_AFTER);
            silent.map(|(replica, standby)| (replica.clone(), standby.report.clone())).collect()
        };
        for (replica, report) in gone {
            info!(replica, "a controller stands by no more");
            self.standby_changed(&replica, Some(report), None);
        }
    }

    fn standby_changed(&self, replica: &str, before: Option<StandbyReport>, now: Option<Standby>) {
        let before = before.unwrap_or_default();
        let after = now.as_ref().map(|standby| standby.report.clone()).unwrap_or_default();
        let at = self.now();
        let mut world = self.world();
        match now {
            Some(standby) => world.standbys.insert(replica.to_owned(), standby),
            None => world.standbys.remove(replica),
        };
        let ended: Vec<&String> =
            before.in_use.keys().filter(|name| !after.in_use.contains_key(*name)).collect();
        for name in &ended {
            world.activator.entry((*name).clone()).or_default().last = Some(at);
        }
        drop(world);
        let began = after.in_use.keys().filter(|name| !before.in_use.contains_key(*name));
        began.chain(ended).for_each(|name| self.schedule(name));
        if before.addresses != after.addresses {
            self.due(Key::Dns, Duration::ZERO);
        }
    }

    /// Every controller that takes heartbeats, the one that leads first.
    pub(super) fn controllers(&self) -> Vec<String> {
        let own = self.replica_url.clone();
        let leader = self.replicas.leader.borrow().clone();
        let world = self.world();
        let others = world.standbys.values().filter(|standby| !standby.report.leaving);
        let others = others.map(|standby| standby.report.url.clone());
        leader.into_iter().chain([own]).chain(others).collect()
    }

    /// The settings, with the addresses of every controller.
    pub(super) fn settings_of_all(&self) -> Cow<'_, Settings> {
        let world = self.world();
        if world.standbys.is_empty() {
            return Cow::Borrowed(&self.settings);
        }
        let mut settings = self.settings.clone();
        let stays = |report: &&StandbyReport| !report.leaving;
        let reports = || world.standbys.values().map(|standby| &standby.report).filter(stays);
        if let Some(own) = &mut settings.wildcard {
            let mut all: BTreeSet<String> =
                reports().flat_map(|report| report.addresses.iter().cloned()).collect();
            // Who ends leaves it to the others, when there are any.
            if !self.is_leaving() || all.is_empty() {
                all.extend(own.drain(..));
            }
            *own = all.into_iter().collect();
        }
        for url in reports().map(|report| &report.url).filter(|url| **url != self.replica_url) {
            settings.controller_url.push(',');
            settings.controller_url.push_str(url);
        }
        Cow::Owned(settings)
    }

    /// A new leader leaves the addresses of other controllers alone until they had the time to say that they are there.
    /// Answers how long that is still.
    pub(super) fn awaits_standbys(&self, groups: &mut Vec<Group>) -> Option<Duration> {
        let since = (*lock(&self.replicas.leads_since))?;
        let left = GONE_AFTER.checked_sub(since.elapsed()).filter(|left| !left.is_zero())?;
        let own = self.settings.wildcard.clone().unwrap_or_default();
        let before = groups.len();
        groups
            .retain(|group| group.owner != WILDCARD || !withdrawal::takes_out_another(&group.changes, &own));
        (groups.len() != before).then_some(left)
    }
}

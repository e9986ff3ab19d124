//! The lease, and the session of one that leads.

use super::{Controller, Key, runner};
use dormouse_core::intent;
use dormouse_core::lease::{self, Move};
use dormouse_core::redate;
use dormouse_state::{Lease, StoreError, planted};
use futures::stream::{self, StreamExt as _};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Reconciles of different keys at the same time.
const AT_ONCE: usize = 64;
/// After a write that failed, on which all else waits.
const AGAIN: Duration = Duration::from_secs(1);
/// Another controller that stands by has taken a lease that was given back long before this.
const TAKEN_OVER_IN: Duration = Duration::from_secs(20);
/// Tasks without a row are looked at again after this, in case the row is only late.
const ORPHAN_GRACE: Duration = Duration::from_secs(60);

/// Why leading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop; the lease is released.
    Asked,
    /// Another leads, or the lease could not be renewed in time: the process must end.
    Lost,
}

impl Controller {
    /// Waits for the lease, then works until `stop` or until the lease is lost.
    pub async fn lead(&self, stop: &CancellationToken) -> Ended {
        if self.observe_only {
            return self.observe(stop).await;
        }
        let Some(mut held) = self.acquire(stop).await else { return Ended::Asked };
        self.leads_under(held.epoch);
        if self.reread_capacity().await != Some(Duration::ZERO) {
            warn!("the capacity row will be read again when it is written");
        }
        let ended = tokio::select! {
            biased;
            ended = self.keep(&mut held, stop) => ended,
            () = self.records.overtaken() => {
                warn!("a later leader has written the table");
                Ended::Lost
            }
            () = self.take_over(stop) => Ended::Asked,
        };
        // Nothing that is under way may act any more.
        *self.may_act_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if ended == Ended::Asked {
            self.release(&held).await;
        }
        ended
    }

    /// Stands by for those who are held here, and takes the lease no more. Answers when nobody has led for so long that
    /// none of them is helped by waiting.
    pub async fn linger(&self) {
        self.leads_under(0);
        self.leave();
        let mut led = Instant::now();
        while led.elapsed() < TAKEN_OVER_IN {
            if !self.is_following()
                && let Ok(changed) = self.records.refresh().await
            {
                changed.iter().for_each(|name| self.publish(name));
            }
            if let Ok((current, _)) = self.look_at_lease().await {
                self.is_led_by(current.as_ref());
                if current.is_some_and(|lease| !lease.nonce.is_empty()) {
                    led = Instant::now();
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        info!("nobody has taken over");
    }

    /// Plans and reports beside whoever leads: takes no lease, changes nothing.
    async fn observe(&self, stop: &CancellationToken) -> Ended {
        self.reread_capacity().await;
        self.work(stop).await;
        Ended::Asked
    }

    /// Works, once what the leader before has dated is dated by one's own clock.
    async fn take_over(&self, stop: &CancellationToken) {
        // One after the other gets through, however many of its writes a table refuses.
        let mut dated = BTreeSet::new();
        while let Err(error) = self.redate(&mut dated).await {
            warn!(%error, "what is under way could not be dated anew");
            tokio::time::sleep(AGAIN).await;
        }
        self.work(stop).await;
    }

    /// Dates every row that is not among those `dated` yet.
    async fn redate(&self, dated: &mut BTreeSet<String>) -> Result<(), StoreError> {
        if planted!(TrustsOtherClocks) {
            return Ok(());
        }
        self.records.refresh().await?;
        let now = self.now();
        let update = |name: String| async move {
            let written = self.records.update(&name, self.fence(), |known| redate::taken_over(known?, now));
            (written.await.map(drop), name)
        };
        let open: Vec<String> =
            self.records.names().into_iter().filter(|name| !dated.contains(name)).collect();
        let mut written = stream::iter(open).map(update).buffer_unordered(AT_ONCE);
        let mut failed = Ok(());
        while let Some((result, name)) = written.next().await {
            match result {
                Ok(()) => drop(dated.insert(name)),
                // It fits the table no more: nothing that is planned of it can be written either.
                Err(error @ StoreError::Corrupt { .. }) => {
                    warn!(service = name, %error, "its row stays dated by another clock");
                    dated.insert(name);
                }
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    /// Reads and reconciles until `stop`.
    async fn work(&self, stop: &CancellationToken) {
        self.records.unsettle();
        let reconcile = |key: Key| async move {
            let began = Instant::now();
            let word = key.word();
            // The runner moves what it runs about: large futures stay where they are.
            let again = match key {
                Key::Service(name) => self.reconcile_service(&name).await,
                Key::Dns => Box::pin(self.reconcile_dns()).await,
                Key::Capacity => Box::pin(self.reconcile_capacity()).await,
            };
            self.numbers.reconciled(word, began.elapsed());
            again
        };
        tokio::select! {
            biased;
            () = self.sweep_forever(stop) => {}
            () = runner::run(&self.services, AT_ONCE, stop, reconcile) => {}
            () = runner::run(&self.shared, AT_ONCE, stop, reconcile) => {}
            () = self.tell_others(stop) => {}
        }
    }

    /// Takes the lease as soon as it may. While another holds it, the table is followed for readers.
    async fn acquire(&self, stop: &CancellationToken) -> Option<Lease> {
        let mut seen: (Option<Lease>, Instant) = (None, Instant::now());
        let mut told = false;
        // Taken, and not answered.
        let mut unanswered: Option<(Lease, Instant)> = None;
        let mut read_at: Option<Instant> = None;
        loop {
            let began = Instant::now();
            // A leader that is followed tells every change as it happens.
            let slow = self.settings.poll_slow;
            let again =
                if self.is_following() { slow } else { slow.min(lease::read_again(self.records.len())) };
            if read_at.is_none_or(|read_at| began.duration_since(read_at) >= again) {
                read_at = Some(began);
                if let Ok(changed) = self.records.refresh().await {
                    changed.iter().for_each(|name| self.publish(name));
                    self.refresh_templates().await;
                    // What is remembered is enough to answer from, and to wake.
                    self.readiness.send_replace(true);
                }
            }
            match self.look_at_lease().await {
                Ok((current, newest_epoch)) => {
                    let own = unanswered.take().filter(|(lease, _)| current.as_ref() == Some(lease));
                    if let Some((lease, began)) = own
                        && lease::may_lead(began.elapsed(), self.lease)
                    {
                        return Some(self.has_taken(lease, began));
                    }
                    if current != seen.0 {
                        // It was written just now.
                        if let (Some(_), Some(lease)) = (&seen.0, &current) {
                            self.date_by(lease.at);
                        }
                        // Its holder may have begun to write it while this look was under way.
                        seen = (current.clone(), Instant::now());
                    }
                    self.is_led_by(current.as_ref());
                    let unchanged = began.duration_since(seen.1);
                    if let Move::Take { expected, epoch } =
                        lease::candidate(current.as_ref(), newest_epoch, unchanged, self.lease)
                    {
                        let url = Some(self.replica_url.clone());
                        let (holder, at) = (self.holder.clone(), Some(self.clock.now()));
                        let next = Lease { holder, nonce: nonce(), epoch, url, at };
                        match self.store.put_lease(&next, expected.as_deref()).await {
                            Ok(()) => return Some(self.has_taken(next, began)),
                            Err(StoreError::Conflict { .. }) => {}
                            Err(error) => {
                                warn!(%error, "whether the lease was taken is not known");
                                unanswered = Some((next, began));
                            }
                        }
                    } else if !told {
                        told = true;
                        let holder = current.map(|lease| lease.holder).unwrap_or_default();
                        info!(holder, "another leads; waiting");
                    }
                }
                Err(_) if planted!(LeaseFailsOpen) => {
                    self.extend(began);
                    let holder = self.holder.clone();
                    let lease = Lease { holder, nonce: nonce(), epoch: 1, url: None, at: None };
                    return Some(lease);
                }
                Err(error) => warn!(%error, "the lease could not be read"),
            }
            let again = lease::watch_again(seen.1.elapsed(), self.lease);
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(again) => {}
            }
        }
    }

    /// 0: it leads no more.
    fn leads_under(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Release);
        self.records.read_for(self.fence().filter(|_| epoch != 0));
    }

    fn has_taken(&self, lease: Lease, began: Instant) -> Lease {
        info!(epoch = lease.epoch, "leading");
        self.extend(began);
        self.date_by(None);
        self.leads();
        lease
    }

    /// The lease; and when there is none, the newest epoch that anybody led under.
    async fn look_at_lease(&self) -> Result<(Option<Lease>, u64), StoreError> {
        match self.store.lease().await? {
            Some(lease) => Ok((Some(lease), 0)),
            None => Ok((None, self.store.newest_epoch().await?)),
        }
    }

    /// Renews until told to stop, or until the lease is not one's own any more.
    async fn keep(&self, held: &mut Lease, stop: &CancellationToken) -> Ended {
        let mut renewed = Instant::now();
        let mut unanswered = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Asked,
                () = tokio::time::sleep(lease::renew_every(self.lease)) => {}
            }
            self.expire_standbys();
            let began = Instant::now();
            let left = self.lease.saturating_sub(began.duration_since(renewed));
            match tokio::time::timeout(left, self.renew(held, &mut unanswered)).await {
                Ok(Ok(())) => {
                    renewed = began;
                    self.extend(began);
                }
                Ok(Err(StoreError::Conflict { .. })) if planted!(LeaseHasNoOwner) => {
                    if let Ok(Some(current)) = self.store.lease().await {
                        *held = current;
                        renewed = began;
                        self.extend(began);
                    }
                }
                Ok(Err(StoreError::Conflict { .. })) => {
                    warn!("another took the lease");
                    return Ended::Lost;
                }
                Ok(Err(error)) => warn!(%error, "the lease could not be renewed"),
                Err(_) => warn!("the lease was not renewed in time"),
            }
            if !lease::may_lead(renewed.elapsed(), self.lease) && !planted!(ActsWithoutLease) {
                return Ended::Lost;
            }
        }
    }

    /// Renews it. What was tried before and not answered may stand there: that is no other's.
    async fn renew(&self, held: &mut Lease, unanswered: &mut Vec<Lease>) -> Result<(), StoreError> {
        loop {
            let next = Lease { nonce: nonce(), at: Some(self.clock.now()), ..held.clone() };
            match self.store.put_lease(&next, Some(&held.nonce)).await {
                Ok(()) => {
                    unanswered.clear();
                    *held = next;
                    return Ok(());
                }
                Err(conflict @ StoreError::Conflict { .. }) => {
                    let stands = self.store.lease().await?;
                    *held = stands.filter(|lease| unanswered.contains(lease)).ok_or(conflict)?;
                    unanswered.clear();
                }
                Err(error) => {
                    unanswered.push(next);
                    return Err(error);
                }
            }
        }
    }

    fn extend(&self, from: Instant) {
        let mut until = self.may_act_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(from + self.lease);
    }

    async fn release(&self, held: &Lease) {
        let free = Lease { nonce: String::new(), at: Some(self.clock.now()), ..held.clone() };
        match self.store.put_lease(&free, Some(&held.nonce)).await {
            Ok(()) => info!("lease released"),
            Err(error) => warn!(%error, "the lease could not be released; it runs out by itself"),
        }
    }

    /// Tasks that carry our mark and whose service has no row: the row was removed by somebody else. They get
    /// one that is being deleted, and go the way of everything that is deleted.
    pub(super) fn orphans(&self) {
        // A row that cannot be read is not a row that is gone.
        let unreadable = self.store.unreadable();
        let world = self.world();
        let names: BTreeSet<String> = world
            .tasks
            .by_arn
            .values()
            .filter(|task| !task.is_ending())
            .filter_map(|task| Some(task.identity.as_ref()?.service.clone()))
            .filter(|name| !self.records.contains(name) && !unreadable.contains(name))
            .collect();
        drop(world);
        for name in names {
            warn!(service = name, "tasks without a row");
            self.due(Key::Service(name), ORPHAN_GRACE);
        }
    }

    /// The tombstone of an orphan, when it is one.
    pub(super) async fn bury(&self, name: &str) -> bool {
        let now = self.now();
        let lives = self.world().tasks.by_arn.of(name).any(|task| !task.is_ending());
        if !lives
            || planted!(OrphansStay)
            || !self.may_act()
            || self.store.unreadable().iter().any(|row| row == name)
        {
            return false;
        }
        let written = self
            .records
            .update(name, self.fence(), |known| match known {
                Some(_) => None,
                None => intent::bury(name, now),
            })
            .await;
        if let Err(error) = &written {
            warn!(service = name, %error, "an orphan's row could not be written");
        }
        written.is_ok()
    }
}

/// A word that no other process says.
fn nonce() -> String {
    format!("{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2))
}

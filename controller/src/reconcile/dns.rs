//! The dns reconciler's shell: one zone at a time, one batch at a time.

use super::withdrawal::WildcardChange;
use super::{Controller, Key};
use dormouse_aws::ports::{ChangeAnswer, CloudError};
use dormouse_core::budget::Kind;
use dormouse_core::dns::owner::claimed;
use dormouse_core::dns::{self, Change, Group, Plan, WILDCARD, Wanted, batch, wanted};
use dormouse_core::settings::PrivateZone;
use dormouse_state::{ServiceRecord, planted};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// While Route 53 is busy with the batch before, and between two looks at a change.
const AGAIN: Duration = Duration::from_millis(500);
/// Calls to Route 53 that are kept for changes.
const ZONE_RESERVE: u32 = 2;
/// Others of the account use Route 53's quota up: users may wait for this change.
const THROTTLED: Duration = Duration::from_secs(1);
/// After a refusal: the zone was read anew, and is not asked more often than this.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);

impl Controller {
    /// Reconciles the zones; answers when they are due again.
    pub(super) async fn reconcile_dns(&self) -> Option<Duration> {
        let public = self.reconcile_public().await;
        let private = match &self.settings.private_zone {
            Some(zone) => self.reconcile_private(zone).await,
            None => None,
        };
        [public, private].into_iter().flatten().min()
    }

    async fn reconcile_public(&self) -> Option<Duration> {
        let now = self.now();
        let records = self.with_records();
        let by_name: BTreeMap<String, Arc<ServiceRecord>> =
            records.iter().map(|record| (record.name.clone(), record.clone())).collect();
        let settings = self.settings_of_all();
        let plan = {
            let wants = self.wanted(&records, |record, view| wanted::public(&self.settings, record, view));
            let world = self.world();
            let (Some(zone), Some(_)) = (world.zone.get(), world.tasks.listed_at) else { return None };
            dns::plan(&settings, &by_name, &wants, zone, now)
        };
        self.note_conflicts(&self.settings.zone, &plan.conflicts);
        if self.observe_only {
            if !plan.groups.is_empty() {
                info!(changes = ?plan.groups, "would change the zone; the policy is to observe");
            }
            return plan.requeue;
        }
        let Plan { mut groups, polls, memories, requeue, .. } = plan;
        // A row that cannot be read is not a service that is gone.
        let unreadable = self.store.unreadable();
        groups.retain(|group| !unreadable.contains(&group.owner));
        for (name, memory) in memories {
            if !self.may_act() {
                return Some(AGAIN);
            }
            let Some(base) = self.records.get(&name) else { continue };
            // Decided from another record than this: decide again.
            let same = by_name.get(&name).is_some_and(|record| *record == base.record);
            let mut next = (*base.record).clone();
            next.dns = memory;
            if !same || self.records.replace(base.version, next, self.fence()).await.is_err() {
                groups.retain(|group| group.owner != name);
                self.due(Key::Dns, Duration::ZERO);
            }
            self.schedule(&name);
        }
        let zone = self.settings.zone.clone();
        let mut again = sooner(requeue, self.awaits_standbys(&mut groups));
        let (mut wildcard, mut groups): (Vec<Group>, _) =
            groups.into_iter().partition(|group| group.owner == WILDCARD);
        let withheld = self.withhold(&zone, &mut wildcard);
        again = sooner(again, withheld.into_values().min());
        groups.extend(wildcard);
        again = sooner(again, self.change_all(&zone, groups, now).await);
        again = sooner(again, self.poll_wildcard().await);
        for (id, names) in polls {
            again = sooner(again, self.poll(&id, &names).await);
        }
        again
    }

    async fn reconcile_private(&self, zone: &PrivateZone) -> Option<Duration> {
        let records = self.records.stirring().records;
        let plan = {
            let wants = self.wanted(&records, |record, view| wanted::private(&zone.name, record, view));
            let world = self.world();
            let (Some(known), Some(_)) = (world.private_zone.get(), world.tasks.listed_at) else {
                return None;
            };
            dns::plan_private(&self.settings, &zone.name, &wants, known)
        };
        let Plan { mut groups, mut conflicts, requeue, .. } = plan;
        let withheld = self.withhold(&zone.id, &mut groups);
        let told =
            |name: &String| (name.clone(), "somebody takes its records out again and again".to_owned());
        conflicts.extend(withheld.keys().map(told));
        self.note_conflicts(&zone.id, &conflicts);
        if self.observe_only {
            return None;
        }
        let unreadable = self.store.unreadable();
        groups.retain(|group| !unreadable.contains(&group.owner));
        let again = sooner(requeue, withheld.into_values().min());
        sooner(again, self.change_all(&zone.id, groups, self.now()).await)
    }

    /// Takes out what was put back lately; answers when it may be again, by owner.
    fn withhold(&self, zone: &str, groups: &mut Vec<Group>) -> BTreeMap<String, Duration> {
        let now = self.now();
        let world = self.world();
        world.restored.get(zone).map(|restored| restored.withhold(groups, now)).unwrap_or_default()
    }

    /// The services whose records are looked at: all but those that are sound asleep, and have none.
    fn with_records(&self) -> Vec<Arc<ServiceRecord>> {
        let mut records = self.records.stirring().records;
        let known: BTreeSet<&str> = records.iter().map(|record| record.name.as_str()).collect();
        let world = self.world();
        let claimed = world.zone.get().into_iter().flat_map(|zone| claimed(&self.settings.domain, zone));
        let claimed = claimed.filter(|name| !known.contains(name)).filter_map(|name| self.records.get(name));
        let claimed: Vec<_> = claimed.map(|known| known.record).collect();
        drop(world);
        records.extend(claimed);
        records
    }

    /// Applies groups that were planned at a time, in as few batches as there can be; those that were refused before come
    /// last, each on its own.
    async fn change_all(&self, zone: &str, groups: Vec<Group>, planned_at: Timestamp) -> Option<Duration> {
        let (others, alone, mut again) = {
            let world = self.world();
            batch::set_apart(groups, |owner| world.refused.records_of(zone, owner), self.now())
        };
        for groups in batch::batches(others).into_iter().chain(alone.into_iter().map(|group| vec![group])) {
            again = sooner(again, self.change(zone, groups, planned_at).await);
        }
        again
    }

    fn wanted(
        &self,
        records: &[Arc<ServiceRecord>],
        want: impl Fn(&ServiceRecord, &dormouse_core::lifecycle::View<'_>) -> Option<Wanted>,
    ) -> BTreeMap<String, Wanted> {
        // Room and dependents play no part in what a name leads to.
        let room = dormouse_core::capacity::Room::unknown();
        let world = self.world();
        // Without a pair there is nothing to lead to.
        let paired = records.iter().filter(|record| record.pair.is_some());
        paired
            .filter_map(|record| {
                Some((record.name.clone(), want(record, &world.view(record, &room, false, false))?))
            })
            .collect()
    }

    /// Applies a batch; a refused one is bisected, so that one poisoned owner delays no other.
    async fn change(&self, zone: &str, groups: Vec<Group>, planned_at: Timestamp) -> Option<Duration> {
        let mut open = vec![groups];
        let mut again = None;
        while let Some(groups) = open.pop() {
            if !self.permit(Kind::Zone).await {
                return Some(AGAIN);
            }
            let changes: Vec<Change> = groups.iter().flat_map(|group| group.changes.clone()).collect();
            let owners = groups.iter().map(|group| group.owner.as_str()).collect::<Vec<_>>().join(",");
            match self
                .cloud
                .zones
                .change(zone, &changes, &format!("dormouse {}", self.settings.install))
                .await
            {
                Ok(ChangeAnswer::Accepted { change_id }) => {
                    self.accepted(zone, &groups, &changes, &change_id).await;
                    // On to whether it is INSYNC.
                    again = sooner(again, Some(AGAIN));
                }
                Ok(ChangeAnswer::Busy) => {
                    self.not_made(zone, &groups, planned_at).await;
                    again = sooner(again, Some(AGAIN));
                }
                Ok(ChangeAnswer::Refused(why)) => match batch::halves(groups) {
                    Some((first, second)) => open.extend([second, first]),
                    None => {
                        let why = why.join("; ");
                        warn!(owner = owners, why, "records refused: the zone is not as it was");
                        self.world().refused.refuse_records(zone, &owners, why, self.now());
                        again = sooner(again, self.reread_zone(zone).await);
                    }
                },
                // It may have happened: the zone tells.
                Err(CloudError::Unknown { message, .. }) => {
                    warn!(owner = owners, message, "the change was not answered");
                    again = sooner(again, self.reread_zone(zone).await);
                }
                Err(error) => {
                    warn!(owner = owners, %error, "records could not be changed");
                    self.not_made(zone, &groups, planned_at).await;
                    let is_throttled = matches!(error, CloudError::Throttled { .. });
                    again = sooner(again, Some(if is_throttled { THROTTLED } else { AFTER_REFUSAL }));
                }
            }
        }
        again
    }

    /// A batch that was planned then was certainly not applied.
    async fn not_made(&self, zone: &str, groups: &[Group], planned_at: Timestamp) {
        let owners = groups.iter().map(|group| &group.owner).filter(|_| *zone == self.settings.zone);
        for owner in owners {
            let given_back = self.records.update(owner, self.fence(), |record| {
                let mut next = record?.clone();
                dns::not_made(&mut next.dns, planned_at);
                Some(next).filter(|next| Some(next) != record)
            });
            if let Err(error) = given_back.await {
                warn!(service = owner, %error, "that its record was not put back could not be remembered");
            }
        }
    }

    async fn accepted(&self, zone: &str, groups: &[Group], changes: &[Change], id: &str) {
        for group in groups {
            for change in group.changes.iter().filter(|change| change.set().kind == "A") {
                let (verb, set) = match change {
                    Change::Create(set) => ("created", set),
                    Change::Delete(set) => ("deleted", set),
                };
                info!(record = set.name, address = set.values.join(","), "record {verb}");
            }
        }
        let now = self.now();
        {
            let mut world = self.world();
            groups.iter().for_each(|group| world.refused.accept_records(zone, &group.owner));
            let public = *zone == self.settings.zone;
            let known = if public { &mut world.zone } else { &mut world.private_zone };
            known.changed(changes);
            let unremembered = groups.iter().filter(|group| !public || group.owner == WILDCARD);
            let restored = world.restored.entry(zone.to_owned()).or_default();
            unremembered.for_each(|group| restored.accepted(group, now));
            if !public {
                return;
            }
            if groups.iter().any(|group| group.owner == WILDCARD) {
                world.wildcard_change = Some(WildcardChange::accepted(id));
            }
        }
        for group in groups {
            let result = self
                .records
                .update(&group.owner, self.fence(), |record| {
                    let mut next = record?.clone();
                    dns::accepted(&mut next.dns, id);
                    Some(next).filter(|next| Some(next) != record)
                })
                .await;
            if let Err(error) = result {
                warn!(service = group.owner, %error, "the change's id could not be remembered");
            }
            self.schedule(&group.owner);
        }
    }

    async fn poll(&self, id: &str, names: &[String]) -> Option<Duration> {
        if let Some(again) = self.not_insync(id, AFTER_REFUSAL).await {
            return Some(again);
        }
        let now = self.now();
        for name in names {
            let result = self
                .records
                .update(name, self.fence(), |record| {
                    let mut next = record?.clone();
                    let pending = next.dns.pending.as_ref()?;
                    (pending.change_id.as_deref() == Some(id)).then(|| {
                        dns::settled(&mut next.dns, now);
                        next
                    })
                })
                .await;
            if let Err(error) = result {
                warn!(service = name, %error, "INSYNC could not be remembered");
            }
            self.schedule(name);
        }
        None
    }

    /// Asks whether a change is on every name server; if that is not known, answers when to ask again: after
    /// `unanswered` when there was no answer.
    pub(super) async fn not_insync(&self, id: &str, unanswered: Duration) -> Option<Duration> {
        // A look at a change may wait; the changes of wakes go first.
        if let Err(wait) = self.pace.try_take(Kind::Zone, 1, ZONE_RESERVE) {
            return Some(wait);
        }
        match self.cloud.zones.is_insync(id).await.map(|arrived| arrived || planted!(BelievesInsync)) {
            Ok(true) => None,
            Ok(false) => Some(AGAIN),
            Err(error) => {
                warn!(change = id, %error, "the change could not be asked about");
                Some(unanswered)
            }
        }
    }

    async fn reread_zone(&self, zone: &str) -> Option<Duration> {
        if let Err(error) = self.read_zone(zone).await {
            warn!(zone, %error, "the zone could not be read");
            return Some(AFTER_REFUSAL);
        }
        Some(AGAIN)
    }

    /// What of services' names is not ours in a zone.
    fn note_conflicts(&self, zone: &str, conflicts: &BTreeMap<String, String>) {
        let touched = self.world().conflicts.note(zone, conflicts);
        touched.iter().for_each(|name| self.schedule(name));
    }
}

fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    [a, b].into_iter().flatten().min()
}

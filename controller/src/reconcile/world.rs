//! Everything observed, in one place behind one short lock: tasks, fleet, zones, heartbeats, refusals.

use super::conflicts::Conflicts;
use super::known_fleet::KnownFleet;
use super::known_zone::KnownZone;
use super::records::Stirring;
use super::refused::Refused;
use super::replicas::Standby;
use super::withdrawal::WildcardChange;
use dormouse_core::capacity::{self, Demand, Full, Room, Want};
use dormouse_core::definition::service_resources;
use dormouse_core::dns::restored::Restored;
use dormouse_core::idle::AtActivator;
use dormouse_core::intent::since;
use dormouse_core::lifecycle::{View, pools};
use dormouse_core::observed::{Beat, Beats, Resources, Task, Tasks};
use dormouse_core::settings::Settings;
use dormouse_manifests::Architecture;
use dormouse_peer::token::Identity;
use dormouse_state::{CapacityMemory, ServiceRecord, planted};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// ECS said an instance has no room although it looked so: believed for this long.
const FULL_FOR: Duration = Duration::from_secs(60);

/// A new task stands in a listing after this.
const LISTED_WITHIN: Duration = Duration::from_secs(60);

/// What ECS has known and answers MISSING for so long is gone: no answer of its is older. Stopped tasks stay visible
/// for an hour, so that one that ended while ECS could not be asked may never be seen STOPPED.
const UNSEEN_FOR: Duration = Duration::from_secs(90);

/// A heartbeat with what tells an old one from a new one.
#[derive(Debug, Clone)]
struct Heard {
    boot: String,
    seq: u64,
}

/// What is observed. Plain data; [`super::Controller`] holds it behind a lock.
#[derive(Debug, Default)]
pub struct World {
    /// Tasks of this installation.
    pub tasks: Tasks,
    /// Cluster → when its last complete listing began.
    listings: BTreeMap<String, Timestamp>,
    /// When RunTask answered with a task, lately.
    ran: BTreeMap<String, Timestamp>,
    /// Known tasks that ECS answers MISSING, since when.
    unseen: BTreeMap<String, Timestamp>,
    /// Instances and their group.
    pub fleet: KnownFleet,
    /// Processor of the instances that the group launches, and when it was looked up last; before that, as at the start.
    pub launches: Option<(Timestamp, Option<Architecture>)>,
    /// The group's remembered side.
    pub capacity: CapacityMemory,
    /// Its row's version.
    pub capacity_version: u64,
    /// The public zone.
    pub zone: KnownZone,
    /// The private zone.
    pub private_zone: KnownZone,
    /// Heartbeats.
    pub beats: Beats,
    heard: BTreeMap<Identity, Heard>,
    /// Service → last successful probe and its address.
    pub probes: BTreeMap<String, (Timestamp, String)>,
    /// What was refused, or not answered.
    pub refused: Refused,
    /// Service → what of its name is not ours.
    pub conflicts: Conflicts,
    /// Zone id → what was made there, and put back, that no row remembers.
    pub restored: BTreeMap<String, Restored>,
    /// Container instance → since when ECS says it is full, with how many tasks, and for which size.
    full: BTreeMap<String, (Timestamp, u32, Resources)>,
    /// When Fargate Spot last had no capacity for a task.
    spot_short_at: Option<Timestamp>,
    /// Services whose service task RunTask is being called for.
    pub in_flight: BTreeSet<String>,
    /// Requests at the activator.
    pub activator: BTreeMap<String, AtActivator>,
    /// Controllers that stand by, and the requests at theirs.
    pub standbys: BTreeMap<String, Standby>,
    /// The newest change of the wildcard record that was made here.
    pub wildcard_change: Option<WildcardChange>,
}

impl World {
    /// Requests for a service at every activator.
    fn at_activators(&self, name: &str) -> AtActivator {
        let own = self.activator.get(name).copied().unwrap_or_default();
        if planted!(StandbysUseForgotten) {
            return own;
        }
        let others: u64 = self.standbys.values().filter_map(|standby| standby.report.in_use.get(name)).sum();
        AtActivator { in_flight: own.in_flight.saturating_add(others), ..own }
    }

    /// From here on the clock shows so much more: what the activator saw ended when it ended.
    pub fn use_is_later(&mut self, by: SignedDuration) {
        let ended = self.activator.values_mut().filter_map(|at| at.last.as_mut());
        ended.for_each(|last| *last = last.checked_add(by).unwrap_or(*last));
    }

    /// Merges described tasks in. A task's life has one direction: an answer that is older than what is known
    /// takes nothing back. Answers the services of which something is known now that was not before.
    pub fn merge(
        &mut self,
        tasks: Vec<Task>,
        missing: &BTreeSet<String>,
        now: Timestamp,
    ) -> BTreeSet<String> {
        let mut news = BTreeSet::new();
        for mut task in tasks {
            self.unseen.remove(&task.arn);
            let was_missing = self.tasks.missing.remove(&task.arn);
            if let Some(known) = self.tasks.by_arn.get(&task.arn) {
                if known.status > task.status {
                    continue;
                }
                task.stopping |= known.stopping;
                task.public_address = task.public_address.or_else(|| known.public_address.clone());
                if *known == task && !was_missing {
                    continue;
                }
            }
            news.extend(task.identity.as_ref().map(|own| own.service.clone()));
            self.tasks.by_arn.insert(task.arn.clone(), task);
        }
        for arn in missing {
            if let Some(known) = self.tasks.by_arn.get(arn) {
                let unseen_since = *self.unseen.entry(arn.clone()).or_insert(now);
                if since(now, unseen_since) < UNSEEN_FOR {
                    continue;
                }
                news.extend(known.identity.as_ref().map(|own| own.service.clone()));
                self.tasks.by_arn.remove(arn);
            }
            self.tasks.missing.insert(arn.clone());
        }
        news
    }

    /// RunTask answered with a task.
    pub fn started(&mut self, task: Task, now: Timestamp) {
        self.ran.insert(task.arn.clone(), now);
        self.merge(vec![task], &BTreeSet::new(), now);
    }

    /// Closes a complete listing of a cluster that began at `began`: what nobody intends there and ECS does not list is
    /// forgotten, unless RunTask has made it too lately to be listed. `intended` are those of every cluster.
    pub fn listed(
        &mut self,
        cluster: &str,
        began: Timestamp,
        listed: &BTreeSet<String>,
        intended: &BTreeSet<String>,
        clusters: &BTreeSet<&str>,
    ) {
        self.ran.retain(|_, at| since(began, *at) < LISTED_WITHIN);
        let ran = &self.ran;
        self.tasks.by_arn.retain(|arn, task| {
            task.cluster != cluster || listed.contains(arn) || intended.contains(arn) || ran.contains_key(arn)
        });
        self.tasks.missing.retain(|arn| intended.contains(arn));
        self.unseen.retain(|arn, _| self.tasks.by_arn.contains_key(arn));
        self.listings.insert(cluster.to_owned(), began);
        // What is known of all of them is as old as the oldest.
        let known: Option<Vec<Timestamp>> =
            clusters.iter().map(|cluster| self.listings.get(*cluster).copied()).collect();
        self.tasks.listed_at = known.and_then(|known| known.into_iter().min());
        if self.tasks.listed_at.is_none() {
            return;
        }
        let alive: BTreeSet<Identity> =
            self.tasks.by_arn.values().filter_map(|task| task.identity.clone()).collect();
        self.beats.retain(|identity| alive.contains(identity));
        self.heard.retain(|identity, _| alive.contains(identity));
    }

    /// Takes a heartbeat in; `false` when a newer one of the same process was heard before.
    pub fn hear(&mut self, identity: &Identity, boot: &str, seq: u64, beat: Beat) -> bool {
        if self.heard.get(identity).is_some_and(|heard| heard.boot == boot && heard.seq >= seq) {
            return false;
        }
        self.heard.insert(identity.clone(), Heard { boot: boot.to_owned(), seq });
        let beat = beat.after(self.beats.get(identity));
        self.beats.insert(identity.clone(), beat);
        true
    }

    /// ECS found no room on any instance for a task of this size: those that looked free are believed full for a while,
    /// for whatever is at least as large.
    pub fn believe_full(&mut self, size: Resources, now: Timestamp) {
        let known = self.full(now);
        let least = |arn: &String| known.get(arn).copied().filter(|known| size.fits(*known)).unwrap_or(size);
        let instances = self.fleet.places().map(|(_, fleet)| &fleet.instances).into_iter().flatten();
        let full = instances.filter(|instance| instance.active);
        let full: Vec<_> =
            full.map(|found| (found.arn.clone(), (now, found.tasks, least(&found.arn)))).collect();
        self.full.extend(full);
    }

    /// Fargate Spot had no capacity then: whoever needs a proxy is on demand for a while.
    pub fn spot_was_short(&mut self, at: Timestamp) {
        self.spot_short_at = self.spot_short_at.max(Some(at));
    }

    /// The instances that are believed full.
    pub fn full(&mut self, now: Timestamp) -> Full {
        let Some((_, fleet)) = self.fleet.places() else { return Full::new() };
        // One task fewer is room for another.
        self.full.retain(|arn, (at, tasks, _)| {
            let instance = fleet.instances.iter().find(|instance| instance.arn == *arn);
            since(now, *at) < FULL_FOR && instance.is_some_and(|instance| instance.tasks >= *tasks)
        });
        self.full.iter().map(|(arn, (.., size))| (arn.clone(), *size)).collect()
    }

    /// Whether an instance is on its way out. Removals that are done stay remembered for the budget.
    pub fn is_removing(&self) -> bool {
        let Some((_, fleet)) = self.fleet.whole() else { return false };
        let members = &fleet.group.members;
        members.iter().any(|member| self.capacity.removals.contains_key(&member.ec2_id))
    }

    /// What the records want of the fleet, as it was read at a time.
    fn demand(&self, stirring: &Stirring, at: Option<Timestamp>, now: Timestamp) -> Demand {
        let records = stirring.records.iter().map(|record| &**record);
        let mut demand = capacity::demand(records, &self.tasks, at);
        demand.slot = demand.slot.map(|slot| slot.max(stirring.others_take));
        demand.put_behind(|name| self.refused.call(name).is_some_and(|refusal| now < refusal.retry_at()));
        demand
    }

    /// The same, for the group.
    pub fn demand_of_the_group(&self, stirring: &Stirring, now: Timestamp) -> Demand {
        self.demand_of_a_fleet(stirring, self.fleet.whole().map(|(at, _)| at), now)
    }

    /// The same, for instances that were read at `at`: tasks that are being started right now come last, since the fleet
    /// may have been read with them in it, and would then make others look homeless.
    pub fn demand_of_a_fleet(&self, stirring: &Stirring, at: Option<Timestamp>, now: Timestamp) -> Demand {
        let mut demand = self.demand(stirring, at, now);
        for want in &mut demand.waiting {
            want.in_flight = self.in_flight.contains(&want.service);
        }
        demand.waiting.sort_by_key(|want| want.in_flight);
        demand
    }

    /// Whether there is room for a service's task.
    pub fn room(
        &mut self,
        settings: &Settings,
        stirring: &Stirring,
        record: &ServiceRecord,
        now: Timestamp,
    ) -> Room {
        let full = self.full(now);
        // Before every plan, as what is believed full is.
        self.spot_short_at = self.spot_short_at.filter(|at| since(now, *at) < pools::SPOT_IS_SHORT_FOR);
        let Some((at, fleet)) = self.fleet.places() else { return Room::unknown() };
        let mut demand = self.demand(stirring, Some(at), now);
        // Its pair may be intended in this very plan: it queues behind those that wait already.
        if demand.waiting.iter().all(|want| want.service != record.name) {
            let resources = service_resources(&record.spec);
            demand.waiting.push(Want {
                service: record.name.clone(),
                resources,
                architecture: record.spec.architecture,
                since: now,
                in_flight: false,
            });
        }
        let placement = capacity::place(settings, &demand, fleet, &self.capacity, &full);
        let room = placement.rooms.get(&record.name).cloned();
        // How many instances there may be, and whether one is coming, the group says.
        let is_known = |room: &Room| *room == Room::Yes || self.fleet.whole().is_some();
        room.filter(is_known).unwrap_or_else(Room::unknown)
    }

    /// The services of which anything is observed that a plan of theirs would see: one that is sound asleep is planned
    /// for it.
    pub fn seen(&self) -> BTreeSet<&str> {
        let tasks =
            self.tasks.by_arn.values().filter_map(|task| Some(task.identity.as_ref()?.service.as_str()));
        let used = self.activator.iter().filter(|(_, at)| at.in_flight > 0).map(|(name, _)| name.as_str());
        let elsewhere = self.standbys.values().flat_map(|standby| standby.report.in_use.keys());
        let others = elsewhere.chain(self.refused.services()).map(String::as_str);
        let others = others.chain(self.conflicts.services());
        tasks.chain(used).chain(others).collect()
    }

    /// Whether anything is, of one service.
    pub fn has_seen(&self, name: &str) -> bool {
        self.tasks.by_arn.of(name).next().is_some()
            || self.at_activators(name).in_flight > 0
            || self.refused.any(name)
            || self.conflicts.of(name).is_some()
    }

    /// One service's view. The rest of it is not observed: what others want, and what was compared before.
    pub fn view<'a>(
        &'a self,
        record: &ServiceRecord,
        room: &'a Room,
        dependents_awake: bool,
        compared: bool,
    ) -> View<'a> {
        View {
            tasks: &self.tasks,
            beats: self.beats.of(&record.name),
            activator: self.at_activators(&record.name),
            room,
            dependents_awake,
            probed: self.probes.get(&record.name).map(|(at, address)| (*at, address.as_str())),
            conflict: self.conflicts.of(&record.name),
            refusal: self.refused.call(&record.name),
            stop_refusal: self.refused.stop(&record.name),
            unanswered: self.refused.unanswered(&record.name),
            spot_is_short: self.spot_short_at.is_some(),
            compared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_peer::wire::{Role, SidecarState};

    /// Its intent could not be written, so that nothing but the answer says that it is there.
    #[test]
    fn a_listing_from_before_a_task_was_made_does_not_take_it_away() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut world = World::default();
        world.started(Task::made("task/1", "services", None), at(100));
        for (began, known) in [(90, true), (100, true), (159, true), (160, false)] {
            world.listed("services", at(began), &BTreeSet::new(), &BTreeSet::new(), &["services"].into());
            assert_eq!(world.tasks.by_arn.contains_key("task/1"), known, "listed from second {began} on");
        }
    }

    /// Nobody could ask ECS for more than an hour, and what ran then is over and forgotten.
    #[test]
    fn what_ecs_has_known_and_knows_no_more_is_gone() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let own = Identity { service: "a".into(), role: Role::Proxy, epoch: 1, attempt: 1 };
        let task = || Task::made("task/1", "proxies", Some(own.clone()));
        let missing: BTreeSet<String> = ["task/1".to_owned()].into();
        let mut world = World::default();
        world.started(task(), at(0));
        for (second, is_known) in [(5000, true), (5089, true), (5090, false), (5100, false)] {
            let news = world.merge(Vec::new(), &missing, at(second));
            let known = world.tasks.by_arn.contains_key("task/1");
            assert_eq!((known, world.tasks.missing.contains("task/1")), (is_known, !is_known), "{second}");
            assert_eq!(news.len(), usize::from(second == 5090), "{second}");
        }
        // A reading that does show it: what was missing before says nothing.
        world.merge(vec![task()], &BTreeSet::new(), at(5110));
        world.merge(Vec::new(), &missing, at(5120));
        world.merge(vec![task()], &BTreeSet::new(), at(5130));
        world.merge(Vec::new(), &missing, at(5215));
        assert!(world.tasks.by_arn.contains_key("task/1") && world.tasks.missing.is_empty());
    }

    #[test]
    fn whatever_is_observed_of_a_service_is_seen() {
        let now = Timestamp::UNIX_EPOCH;
        let identity = || Identity { service: "a".into(), role: Role::Proxy, epoch: 1, attempt: 1 };
        type Case = (&'static str, fn(&mut World, Identity, Timestamp));
        let cases: [Case; 6] = [
            ("task", |world, own, now| world.started(Task::made("task/1", "services", Some(own)), now)),
            ("request", |world, own, _| world.activator.entry(own.service).or_default().in_flight = 1),
            ("refusal", |world, own, now| world.refused.refuse(&own.service, "an outage".into(), now)),
            ("stop", |world, own, now| world.refused.refuse_stop(&own.service, "an outage".into(), now)),
            ("run", |world, own, now| {
                world.refused.refuse_run(&own.service, own.role, "an outage".into(), now)
            }),
            ("conflict", |world, own, _| {
                drop(world.conflicts.note("Z1", &[(own.service, "taken".into())].into()))
            }),
        ];
        for (what, happens) in cases {
            let mut world = World::default();
            world.activator.entry("b".into()).or_default().last = Some(now);
            assert!(world.seen().is_empty() && !world.has_seen("a"), "{what}");
            happens(&mut world, identity(), now);
            assert_eq!(world.seen(), ["a"].into(), "{what}");
            assert!(world.has_seen("a") && !world.has_seen("b"), "{what}");
        }
    }

    /// A standby dates by the leader's clock, and by its own once it leads: its last request ended no later for that.
    #[test]
    fn the_last_use_is_dated_by_the_clock_that_is_used() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (by, expected) in [(-300, 700), (0, 1000), (300, 1300)] {
            let mut world = World::default();
            world.activator.entry("a".into()).or_default().last = Some(at(1000));
            world.activator.entry("b".into()).or_default().in_flight = 1;
            world.use_is_later(SignedDuration::from_secs(by));
            assert_eq!((world.activator["a"].last, world.activator["b"].last), (Some(at(expected)), None));
        }
    }

    /// Each cluster's listing stands by itself; nothing is concluded before all of them were listed.
    #[test]
    fn a_cluster_s_listing_tells_nothing_of_another() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let own = |role| Identity { service: "a".into(), role, epoch: 1, attempt: 1 };
        let mut world = World::default();
        let arns = |world: &World| world.tasks.by_arn.keys().cloned().collect::<Vec<_>>();
        let listed = |world: &mut World, cluster, began, arns: &[&str]| {
            let arns = arns.iter().map(|arn| (*arn).to_owned()).collect();
            world.listed(cluster, at(began), &arns, &BTreeSet::new(), &["proxies", "services"].into());
        };
        let beat = Beat::new(at(0), SidecarState::Serving);
        world.hear(&own(Role::Proxy), "boot", 1, beat.clone());
        world.hear(&own(Role::Service), "boot", 1, beat);
        let made = [("1", "services", Role::Service), ("2", "proxies", Role::Proxy)];
        world.merge(
            made.map(|(arn, on, role)| Task::made(arn, on, Some(own(role)))).into(),
            &BTreeSet::new(),
            at(0),
        );
        listed(&mut world, "services", 100, &["1"]);
        assert_eq!((world.tasks.listed_at, arns(&world).len(), world.beats.of("a").len()), (None, 2, 2));
        listed(&mut world, "proxies", 101, &[]);
        assert_eq!((world.tasks.listed_at, arns(&world)), (Some(at(100)), vec!["1".to_owned()]));
        assert_eq!(world.beats.of("a").len(), 1, "what ran in the other is over");
        listed(&mut world, "services", 102, &["1"]);
        assert_eq!(world.tasks.listed_at, Some(at(101)));
    }
}

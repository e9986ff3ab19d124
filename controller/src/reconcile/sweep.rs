//! The one reader of the cloud: all pages of everything when it is due, only what moves in between.
//!
//! What it costs follows the services that are awake, not those that are declared.

use super::agenda::{Agenda, Part};
use super::{Controller, Key};
use dormouse_aws::ports::CloudError;
use dormouse_core::budget::Kind;
use dormouse_core::capacity;
use dormouse_core::capacity::processor::is_in_doubt;
use dormouse_core::intent::since;
use dormouse_core::naming;
use dormouse_core::observed::{Fleet, Group, Task, TaskStatus};
use dormouse_manifests::Architecture;
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Phase, ServiceRecord, planted};
use futures::future::join_all;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Ids that one Describe call takes.
const DESCRIBE_CHUNK: usize = 100;
/// Between two reads that were nudged: a burst of hints is one read.
const NUDGE_GAP: Duration = Duration::from_millis(50);
/// What the group launches is read anew no sooner than this.
const LAUNCHES_AGAIN: Duration = Duration::from_secs(10);
/// While nothing is awake and no instance runs, the slow interval is stretched by this.
const ASLEEP_STRETCH: u32 = 4;

impl Controller {
    /// Reads until `stop`.
    pub(super) async fn sweep_forever(&self, stop: &CancellationToken) {
        let mut fleet_due = Instant::now();
        let mut agenda = Agenda::new(self.parts(), fleet_due);
        loop {
            let due = agenda.due(Instant::now(), self.slow_interval() / 4);
            if !due.is_empty() {
                self.read_all(&due, &mut agenda).await;
            }
            // A listing of all clusters tells of what moves as well.
            if due.iter().filter(|part| is_of_tasks(part)).count() < self.clusters().len() {
                self.sweep_moving(&mut fleet_due).await;
            }
            let now = Instant::now();
            // What has just begun to move shortens the wait of what was planned while all slept.
            let full_due = now + self.slow_interval();
            agenda.no_later_than(full_due);
            let full_due = agenda.next().unwrap_or(full_due);
            let next = if self.is_moving() { now + self.settings.poll_fast } else { full_due };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.nudge.notified() => tokio::time::sleep(NUDGE_GAP).await,
                () = self.watch_for_instances(next.min(full_due)) => {}
            }
        }
    }

    /// All that a full look reads.
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Table, Part::Fleet, Part::Zone(self.settings.zone.clone())];
        parts.extend(self.clusters().into_iter().map(|cluster| Part::Tasks(cluster.to_owned())));
        parts.extend(self.settings.private_zone.iter().map(|private| Part::Zone(private.id.clone())));
        parts
    }

    fn slow_interval(&self) -> Duration {
        let slow = self.settings.poll_slow;
        let quiet = !self.records.any_stirring(|record| record.phase != Phase::Asleep);
        let empty = self
            .world()
            .fleet
            .whole()
            .is_some_and(|(_, fleet)| fleet.group.members.is_empty() && fleet.instances.is_empty());
        if quiet && empty { slow * ASLEEP_STRETCH } else { slow }
    }

    /// Whether anything is in transition.
    fn is_moving(&self) -> bool {
        self.records.any_stirring(is_in_transition) || self.capacity_moves()
    }

    /// These parts, all pages. Each is whole or concludes nothing; one that fails does not hold up the others.
    async fn read_all(&self, parts: &[Part], agenda: &mut Agenda) {
        let began = Instant::now();
        let read = join_all(parts.iter().map(|part| self.read_part(part))).await;
        for (part, read) in parts.iter().zip(read) {
            match read {
                Ok(()) => agenda.was_read(part, began + self.slow_interval()),
                Err(error) => {
                    warn!(?part, %error, "it could not be read whole; nothing is concluded from it");
                    let soon = self.settings.poll_fast.max(Duration::from_secs(1));
                    agenda.put(part, Instant::now() + soon);
                }
            }
        }
        if parts.iter().any(is_of_tasks) {
            self.orphans();
            or_none(self.public_addresses().await);
        }
        self.to_be_looked_at().iter().for_each(|name| self.schedule(name));
        self.due(Key::Dns, Duration::ZERO);
        self.due(Key::Capacity, Duration::ZERO);
        if agenda.is_complete() && !self.readiness.send_replace(true) {
            debug!("first complete snapshot");
        }
    }

    async fn read_part(&self, part: &Part) -> Result<(), CloudError> {
        match part {
            Part::Table => {
                self.read_tables().await;
                Ok(())
            }
            Part::Tasks(cluster) => self.list_tasks(cluster).await,
            Part::Fleet => self.read_fleet().await,
            Part::Zone(zone) => self.read_zone(zone).await,
        }
    }

    /// What was remembered elsewhere. Its own writes are known: a reading that fails is not made again any sooner.
    async fn read_tables(&self) {
        match self.records.refresh().await {
            Ok(changed) => changed.iter().for_each(|name| self.schedule(name)),
            Err(error) => warn!(%error, "the table could not be read"),
        }
        self.refresh_templates().await;
    }

    /// Whatever a plan might find something to do for: of the services that are sound asleep, and that the last plan
    /// left as they are, only those of which something is observed, and those that others need.
    fn to_be_looked_at(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.records.unsettled().into_iter().collect();
        let stirring = self.records.stirring().records;
        let needed = stirring.iter().flat_map(|record| &record.spec.depends_on).map(String::as_str);
        let world = self.world();
        let seen = world.seen().into_iter().chain(needed).filter(|name| self.records.contains(name));
        names.extend(seen.map(str::to_owned));
        names
    }

    /// Every task of ours in a cluster.
    async fn list_tasks(&self, cluster: &str) -> Result<(), CloudError> {
        let began = self.now();
        let mark = naming::started_by(&self.settings.install);
        let intended = self.intended(|_| true);
        let arns = match self.pace.read(Kind::Read, 1, || self.cloud.tasks.list(cluster, &mark)).await {
            Err(_) if planted!(FailedListIsEmpty) => Vec::new(),
            listed => listed?,
        };
        let listed: BTreeSet<String> = arns.into_iter().collect();
        let here = intended.get(cluster).into_iter().flatten();
        self.describe(cluster, listed.iter().chain(here).cloned().collect()).await?;
        let intended = intended.into_values().flatten().collect();
        self.world().listed(cluster, began, &listed, &intended, &self.clusters());
        Ok(())
    }

    /// Only tasks in transition, and the fleet while it is. Hints are about tasks: however many come, the fleet is
    /// not read more often than without them, so that they leave calls for those that change it. What cannot be read
    /// holds up nothing else.
    async fn sweep_moving(&self, fleet_due: &mut Instant) {
        let short = {
            let world = self.world();
            world.fleet.places().map(|(_, fleet)| capacity::short_of(fleet, &world.tasks)).unwrap_or_default()
        };
        let on_short = |task: &Task| task.container_instance.as_ref().is_some_and(|on| short.contains(on));
        let moving = self.intended(|task| task.is_none_or(|task| is_moving(task) || on_short(task)));
        let describe =
            |(cluster, arns): (String, _)| async move { or_none(self.describe(&cluster, arns).await) };
        let described = join_all(moving.into_iter().map(describe)).await;
        let news: BTreeSet<String> = described.into_iter().flatten().collect();
        self.has_moved(&news);
        let addresses = async {
            if or_none(self.public_addresses().await) {
                self.has_moved(&BTreeSet::new());
                self.due(Key::Dns, Duration::ZERO);
            }
        };
        let fleet = async {
            if self.capacity_moves() && Instant::now() >= *fleet_due {
                *fleet_due = Instant::now() + self.settings.poll_fast;
                or_none(self.read_fleet().await);
                self.schedule_capacity();
                // A place may have become free for whoever waits for one.
                self.has_moved(&BTreeSet::new());
            }
        };
        tokio::join!(addresses, fleet);
    }

    /// Plans what is in transition, and the services of which something new was seen.
    fn has_moved(&self, news: &BTreeSet<String>) {
        // What is known of nobody's tasks is for the next full look.
        news.iter().filter(|name| self.records.contains(name)).for_each(|name| self.schedule(name));
        for record in self.records.stirring().records {
            if is_in_transition(&record) {
                self.schedule(&record.name);
            }
        }
        if !news.is_empty() {
            self.due(Key::Dns, Duration::ZERO);
        }
    }

    fn clusters(&self) -> BTreeSet<&str> {
        [self.settings.proxy_cluster.as_str(), self.settings.service_cluster.as_str()].into()
    }

    /// ARNs of intended tasks that are not known to be over, by cluster.
    fn intended(&self, wanted: impl Fn(Option<&Task>) -> bool) -> BTreeMap<String, BTreeSet<String>> {
        let mut intended: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let world = self.world();
        for record in self.records.stirring().records {
            for pair in record.pairs() {
                for role in Role::ALL {
                    let intent = pair.task(role);
                    let Some(arn) = intent.task_arn.as_ref().filter(|_| intent.is_open()) else { continue };
                    let leaving = pair.condemned.is_some() || record.rest.is_some();
                    if leaving || wanted(world.tasks.by_arn.get(arn)) {
                        intended.entry(intent.parameters.cluster.clone()).or_default().insert(arn.clone());
                    }
                }
            }
            for (arn, cluster) in &record.strays {
                intended.entry(cluster.clone()).or_default().insert(arn.clone());
            }
        }
        intended
    }

    /// Answers of which services something new was seen.
    async fn describe(&self, cluster: &str, arns: BTreeSet<String>) -> Result<BTreeSet<String>, CloudError> {
        if arns.is_empty() {
            return Ok(BTreeSet::new());
        }
        let arns: Vec<String> = arns.into_iter().collect();
        let mark = naming::started_by(&self.settings.install);
        let calls = arns.len().div_ceil(DESCRIBE_CHUNK);
        let describe = || self.cloud.tasks.describe(cluster, &mark, &arns);
        let described = self.pace.read(Kind::Read, calls, describe).await?;
        let now = self.now();
        Ok(self.world().merge(described.tasks, &described.missing, now))
    }

    /// Looks up the public addresses of proxies that have an interface and no address yet; answers whether one was
    /// found.
    async fn public_addresses(&self) -> Result<bool, CloudError> {
        let open: BTreeMap<String, String> = {
            let world = self.world();
            let proxies = world.tasks.by_arn.values().filter(|task| {
                task.public_address.is_none()
                    && !task.is_ending()
                    && task.identity.as_ref().is_some_and(|identity| identity.role == Role::Proxy)
            });
            proxies.filter_map(|task| Some((task.interface.clone()?, task.arn.clone()))).collect()
        };
        if open.is_empty() {
            return Ok(false);
        }
        let ids: Vec<String> = open.keys().cloned().collect();
        let calls = ids.len().div_ceil(DESCRIBE_CHUNK);
        let look_up = || self.cloud.interfaces.public_addresses(&ids);
        let found = self.pace.read(Kind::Network, calls, look_up).await?;
        let mut world = self.world();
        for (interface, arn) in open {
            if let (Some(address), Some(task)) = (found.get(&interface), world.tasks.by_arn.get_mut(&arn)) {
                task.public_address = Some(address.clone());
            }
        }
        Ok(!found.is_empty())
    }

    pub(super) async fn read_fleet(&self) -> Result<(), CloudError> {
        let at = self.now();
        let (instances, cluster) = (&self.cloud.instances, &self.settings.service_cluster);
        let group = self.read_group().await;
        let instances = match self.pace.read(Kind::Read, 2, || instances.instances(cluster)).await {
            Ok(instances) => instances,
            Err(error) => {
                if let Ok((group, _)) = group {
                    self.world().fleet.read_without_instances(at, group);
                }
                return Err(error);
            }
        };
        let (group, launch_failure) = match group {
            Ok(group) => group,
            Err(error) => {
                self.world().fleet.read_without_group(at, instances);
                return Err(error);
            }
        };
        let launches = self.launched();
        let mut fleet = Fleet { instances, group, launch_failure, launches };
        if self.is_in_doubt(&fleet, at) {
            fleet.launches = self.read_launched(at).await;
        }
        self.numbers.saw(&fleet);
        self.world().fleet.read(at, fleet);
        Ok(())
    }

    /// The group, and why its last launch failed, when it did.
    async fn read_group(&self) -> Result<(Group, Option<String>), CloudError> {
        let (groups, name) = (&self.cloud.groups, &self.settings.group);
        let group = self.pace.read(Kind::Scale, 1, || groups.group(name)).await?;
        let short = usize::try_from(group.desired).unwrap_or(usize::MAX) > group.members.len();
        let launch_failure = if short { groups.launch_failure(name).await? } else { None };
        Ok((group, launch_failure))
    }

    /// Processor of the instances that the group launches, as it was last read.
    fn launched(&self) -> Option<Architecture> {
        self.world().launches.map_or(self.settings.launches, |(_, launched)| launched)
    }

    /// Whether that would decide something, and was not looked up just now.
    fn is_in_doubt(&self, fleet: &Fleet, at: Timestamp) -> bool {
        let stirring = self.records.stirring();
        let world = self.world();
        let is_fresh = world.launches.is_some_and(|(read, _)| since(at, read) < LAUNCHES_AGAIN);
        !is_fresh && is_in_doubt(&self.settings, &world.demand_of_the_group(&stirring, at), fleet)
    }

    async fn read_launched(&self, at: Timestamp) -> Option<Architecture> {
        let (groups, group, before) = (&self.cloud.groups, &self.settings.group, self.launched());
        let launched = match self.pace.read(Kind::Scale, 3, || groups.launches(group)).await {
            Ok(launched) => launched,
            Err(error) => {
                warn!(%error, "what the group launches could not be read");
                before
            }
        };
        if launched != before {
            info!(group, ?launched, ?before, "the group launches instances of another processor");
        }
        self.world().launches = Some((at, launched));
        launched
    }

    pub(super) async fn read_zone(&self, zone: &str) -> Result<(), CloudError> {
        let began = Instant::now();
        let sets = self.pace.read(Kind::Zone, 1, || self.cloud.zones.records(zone)).await?;
        let mut world = self.world();
        let known = if zone == self.settings.zone { &mut world.zone } else { &mut world.private_zone };
        known.read(began, sets);
        Ok(())
    }
}

/// What was read; nothing is concluded from what could not be.
fn or_none<T: Default>(read: Result<T, CloudError>) -> T {
    read.unwrap_or_else(|error| {
        warn!(%error, "the sweep was cut short; nothing is concluded from it");
        T::default()
    })
}

fn is_of_tasks(part: &Part) -> bool {
    matches!(part, Part::Tasks(_))
}

/// Whether a service is between two states, or has something to clear away.
fn is_in_transition(record: &ServiceRecord) -> bool {
    matches!(record.phase, Phase::Waking | Phase::Draining)
        || !record.retiring.is_empty()
        || record.successor.is_some()
        || !record.strays.is_empty()
        || (record.desired == Desired::Awake) != (record.phase == Phase::Awake)
}

/// Whether a task is still to change by itself.
fn is_moving(task: &Task) -> bool {
    task.is_ending() && task.status != TaskStatus::Stopped
        || task.status < TaskStatus::Running
        || task.private_address.is_none()
}

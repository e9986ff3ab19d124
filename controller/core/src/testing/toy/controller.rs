//! What is remembered and what is seen, and the planners between the two.

use super::Cloud;
use crate::capacity::{self, Room};
use crate::dns::{self, Zone, batch, wanted};
use crate::idle::AtActivator;
use crate::lifecycle::{self, Refusal, Step, View, outcome};
use crate::observed::{Beat, Beats, Fleet, Task, TaskStatus, Tasks};
use crate::settings::Settings;
use crate::testing::secs;
use crate::{intent, peering};
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_peer::wire::Role;
use dormouse_state::{CapacityMemory, ConditionType, ServiceRecord};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What goes wrong while steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The controller dies when it has written its intent and taken so many steps.
    Crash(usize),
    /// Every step is taken, and no answer arrives.
    Deaf,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last listing was older than it said.
    behind: bool,
    tasks: Tasks,
    beats: Beats,
    zone: Option<Zone>,
    fleet: Option<(Timestamp, Fleet)>,
    probes: BTreeMap<String, (Timestamp, String)>,
    refusals: BTreeMap<String, Refusal>,
}

/// A controller, its table, and the cloud.
#[derive(Debug)]
pub(crate) struct Toy {
    pub settings: Settings,
    pub cloud: Cloud,
    pub records: BTreeMap<String, ServiceRecord>,
    pub capacity: CapacityMemory,
    /// Older truths, for listings that are behind.
    past: Vec<BTreeMap<String, Task>>,
    seen: Seen,
}

impl Toy {
    pub fn new(names: &[&str]) -> Toy {
        let mut toy = Toy {
            settings: Settings::example(),
            records: BTreeMap::new(),
            cloud: Cloud::new(),
            capacity: CapacityMemory::default(),
            past: Vec::new(),
            seen: Seen::default(),
        };
        names.iter().for_each(|name| toy.declare_anew(name));
        toy
    }

    /// A service is declared that has no row, or no longer one.
    pub fn declare_anew(&mut self, name: &str) {
        let mut spec = ServiceSpec::defaults_for("demo");
        spec.idle_after = crate::testing::idle_after(120);
        let record = intent::declare(None, &Service::new(name, spec), self.cloud.now).unwrap();
        self.records.insert(name.to_owned(), record);
    }

    /// The controller starts anew and knows nothing but its table.
    pub fn restart(&mut self) {
        self.seen = Seen::default();
    }

    fn view<'a>(seen: &'a Seen, name: &str, room: &'a Room) -> View<'a> {
        View {
            tasks: &seen.tasks,
            beats: seen.beats.of(name),
            activator: AtActivator::default(),
            room,
            dependents_awake: false,
            probed: seen.probes.get(name).map(|(at, address)| (*at, address.as_str())),
            conflict: None,
            refusal: seen.refusals.get(name),
            stop_refusal: None,
            unanswered: None,
            spot_is_short: false,
            compared: false,
        }
    }

    /// Reads everything. `behind`: the listing is as old as ECS may be.
    pub fn sweep(&mut self, behind: bool) {
        let truth: BTreeMap<String, Task> = self
            .cloud
            .lives
            .iter()
            .filter(|(_, life)| life.task.identity.is_some())
            .map(|(arn, life)| (arn.clone(), life.task.clone()))
            .collect();
        self.past.push(truth.clone());
        let excess = self.past.len().saturating_sub(3);
        self.past.drain(..excess);
        let read = if behind { self.past[0].clone() } else { truth };
        let tasks = &mut self.seen.tasks;
        let intended: BTreeSet<String> = self
            .records
            .values()
            .flat_map(|record| record.pairs())
            .flat_map(|pair| Role::ALL.map(|role| pair.task(role).task_arn.clone()))
            .flatten()
            .collect();
        tasks.missing = intended.iter().filter(|arn| !read.contains_key(*arn)).cloned().collect();
        tasks.by_arn.retain(|arn, _| read.contains_key(arn) || intended.contains(arn));
        for (arn, task) in read {
            // A task's life has one direction.
            if tasks.by_arn.get(&arn).is_none_or(|known| known.status <= task.status) {
                tasks.by_arn.insert(arn, task);
            }
        }
        tasks.missing.retain(|arn| !tasks.by_arn.contains_key(arn));
        tasks.listed_at = Some(self.cloud.now);
        self.seen.behind = behind;
        self.read_fleet();
        self.seen.zone = Some(self.cloud.names.zone.clone());
    }

    fn read_fleet(&mut self) {
        self.seen.fleet = Some((self.cloud.now, self.cloud.fleet()));
    }

    /// Every sidecar reports and hears the answer.
    pub fn beats(&mut self) {
        let now = self.cloud.now;
        for arn in self.cloud.lives.keys().cloned().collect::<Vec<_>>() {
            let life = &self.cloud.lives[&arn];
            let (Some(state), Some(identity)) = (self.cloud.sidecar(life), life.task.identity.clone()) else {
                continue;
            };
            let activity = (identity.role == Role::Proxy).then(|| self.cloud.activity(life));
            let peer = self.cloud.peer(life);
            let beat = Beat { peer, activity, ..Beat::new(now, state) };
            let beat = beat.after(self.seen.beats.get(&identity));
            self.seen.beats.insert(identity.clone(), beat);
            let record = &self.records[&identity.service];
            if let Some(answer) = peering::answer(record, &self.seen.tasks, &identity, None) {
                self.cloud.lives.get_mut(&arn).unwrap().drain = answer.drain;
            }
        }
    }

    /// A user asks for a service by name, and is led wherever resolvers lead.
    pub fn request(&mut self, name: &str, seconds: u64) {
        let now = self.cloud.now;
        let end = intent::later(now, secs(seconds));
        let address = self.cloud.names.record(name).cloned();
        let proxy = self
            .cloud
            .lives
            .values_mut()
            .find(|life| address.is_some() && life.task.public_address == address);
        match proxy {
            Some(life) if life.task.status == TaskStatus::Running && !life.drain => {
                life.requests += 1;
                life.open.push(end);
                life.last_use = end;
            }
            _ => self.wake(name),
        }
    }

    pub fn wake(&mut self, name: &str) {
        let record = &self.records[name];
        if let Ok(Some(next)) = intent::wake(record, "request", "", None, self.cloud.now) {
            self.records.insert(name.to_owned(), next);
        }
    }

    pub fn sleep(&mut self, name: &str) {
        if let Some(next) = intent::sleep(&self.records[name], "api", "", None, self.cloud.now) {
            self.records.insert(name.to_owned(), next);
        }
    }

    pub fn delete(&mut self, name: &str) {
        if let Some(next) = intent::delete(&self.records[name], self.cloud.now) {
            self.records.insert(name.to_owned(), next);
        }
    }

    pub fn redeclare(&mut self, name: &str, memory: u32) {
        let mut spec = self.records[name].spec.clone().into_inner();
        spec.memory = memory;
        if let Some(next) = intent::declare(self.records.get(name), &Service::new(name, spec), self.cloud.now)
        {
            self.records.insert(name.to_owned(), next);
        }
    }

    fn room(&self, record: &ServiceRecord) -> Room {
        let Some((at, fleet)) = &self.seen.fleet else { return Room::unknown() };
        let demand = capacity::demand(self.records.values(), &self.seen.tasks, Some(*at));
        let placement = capacity::place(&self.settings, &demand, fleet, &self.capacity, &Default::default());
        placement.rooms.get(&record.name).cloned().unwrap_or_else(Room::unknown)
    }

    /// Plans one service, remembers, and takes the steps.
    pub fn reconcile(&mut self, name: &str, fault: Fault) {
        let now = self.cloud.now;
        let before = self.records[name].clone();
        let room = self.room(&before);
        let view = Self::view(&self.seen, name, &room);
        let plan = lifecycle::plan(&self.settings, &before, &view, now);
        assert!(view.tasks.listed_at.is_some() || plan.steps.is_empty(), "S13");
        check_plan(&self.settings, &view, &before, &plan, now);
        self.records.insert(name.to_owned(), plan.record);
        for (taken, step) in plan.steps.into_iter().enumerate() {
            if fault == Fault::Crash(taken) {
                return self.restart();
            }
            self.take(name, &step, fault == Fault::Deaf);
        }
    }

    fn take(&mut self, name: &str, step: &Step, deaf: bool) {
        let now = self.cloud.now;
        let record = self.records.get_mut(name).unwrap();
        match step {
            Step::Run { identity, parameters } => match self.cloud.run(record, identity, parameters) {
                _ if deaf => {}
                Some(task) => {
                    outcome::started(record, identity, &task.arn, now);
                    if !self.seen.tasks.by_arn.contains_key(&task.arn) {
                        self.seen.tasks.by_arn.insert(task.arn.clone(), task);
                    }
                    self.seen.refusals.remove(name);
                }
                None => {
                    let tries = self.seen.refusals.get(name).map_or(0, |known| known.tries) + 1;
                    self.seen
                        .refusals
                        .insert(name.into(), Refusal { at: now, tries, why: "RESOURCE:CPU".into() });
                }
            },
            Step::Stop { arn, .. } => {
                self.cloud.stop(record, arn);
                if let Some(task) = self.seen.tasks.by_arn.get_mut(arn).filter(|_| !deaf) {
                    task.stopping = true;
                }
            }
            Step::Probe { address } => {
                let proxy =
                    self.cloud.lives.values().find(|life| life.task.public_address.as_ref() == Some(address));
                let serves = proxy.and_then(|life| self.cloud.sidecar(life));
                if serves == Some(dormouse_peer::wire::SidecarState::Serving) && !deaf {
                    self.seen.probes.insert(name.into(), (now, address.clone()));
                }
            }
            Step::Register { role, content } => {
                let arn = self.cloud.define(record, step).unwrap();
                if !deaf {
                    outcome::registered(record, *role, &content.hash(), &arn);
                }
            }
            Step::Deregister { .. } => {
                let arn = self.cloud.define(record, step).unwrap();
                if !deaf {
                    outcome::deregistered(record, &arn);
                }
            }
            Step::Remove => {
                let left = Role::ALL.iter().map(|role| self.cloud.living(name, *role).len()).sum::<usize>();
                let behind = self.seen.behind || self.seen.tasks.listed_at < Some(now);
                assert!(left == 0 || behind, "a row is removed before its tasks");
                let stands = self.cloud.names.record(name).is_some();
                assert!(!stands || self.cloud.lost_rows, "a row is removed before its record");
                self.declare_anew(name);
            }
        }
    }

    /// Plans the zone, remembers, and changes it.
    pub fn reconcile_dns(&mut self, fault: Fault) {
        let now = self.cloud.now;
        let (Some(zone), Some(_)) = (&self.seen.zone, self.seen.tasks.listed_at) else { return };
        let room = Room::unknown();
        let wants = self
            .records
            .iter()
            .filter_map(|(name, record)| {
                let view = Self::view(&self.seen, name, &room);
                Some((name.clone(), wanted::public(&self.settings, record, &view)?))
            })
            .collect();
        let plan = dns::plan(&self.settings, &self.records, &wants, zone, now);
        for (name, memory) in plan.memories {
            self.records.get_mut(&name).unwrap().dns = memory;
        }
        if let Fault::Crash(_) = fault {
            return self.restart();
        }
        for groups in batch::batches(plan.groups) {
            let mut open = vec![groups];
            while let Some(groups) = open.pop() {
                self.change(groups, fault, &mut open);
            }
        }
        for (id, names) in plan.polls {
            if self.cloud.names.insync[&id] <= now {
                for name in names {
                    let dns = &mut self.records.get_mut(&name).unwrap().dns;
                    if dns.pending.as_ref().is_some_and(|pending| pending.change_id.as_ref() == Some(&id)) {
                        dns::settled(dns, now);
                    }
                }
            }
        }
    }

    fn change(&mut self, groups: Vec<dns::Group>, fault: Fault, open: &mut Vec<Vec<dns::Group>>) {
        let changes: Vec<_> = groups.iter().flat_map(|group| group.changes.clone()).collect();
        for group in groups.iter().filter(|group| group.owner != dns::WILDCARD) {
            let intended = self.records.get(&group.owner).is_none_or(|record| record.dns.pending.is_some());
            assert!(intended, "S15: {}", group.owner);
        }
        let id = self.cloud.names.change(&changes, self.cloud.now);
        if fault == Fault::Deaf {
            self.seen.zone = Some(self.cloud.names.zone.clone());
            return;
        }
        self.cloud.mutations += 1;
        match id {
            Some(id) => {
                let zone = self.seen.zone.as_mut().unwrap();
                changes.iter().for_each(|change| zone.apply(change));
                for group in groups {
                    if let Some(record) = self.records.get_mut(&group.owner) {
                        dns::accepted(&mut record.dns, &id);
                    }
                }
            }
            None => match batch::halves(groups) {
                Some((first, second)) => open.extend([second, first]),
                None => self.seen.zone = Some(self.cloud.names.zone.clone()),
            },
        }
    }

    /// Plans the group, remembers, and takes the steps. `behind`: the fleet is not read anew.
    pub fn reconcile_capacity(&mut self, fault: Fault) {
        if self.seen.tasks.listed_at.is_none() {
            return;
        }
        if !self.capacity.removals.is_empty() {
            self.read_fleet();
        }
        let now = self.cloud.now;
        let Some((at, fleet)) = &self.seen.fleet else { return };
        let demand = capacity::demand(self.records.values(), &self.seen.tasks, Some(*at));
        let plan = capacity::plan(&self.settings, &demand, fleet, &self.capacity, &Default::default(), now);
        self.capacity = plan.memory;
        for (taken, step) in plan.steps.into_iter().enumerate() {
            if fault == Fault::Crash(taken) {
                return self.restart();
            }
            if let capacity::Step::Terminate(id) = &step {
                assert!(!plan.placement.nominated.contains(id), "S7: {id} is nominated");
            }
            self.cloud.scale(&self.capacity, &step);
        }
        if fault != Fault::Deaf {
            self.read_fleet();
        }
    }

    /// Whether something is in transition, so that the sweep looks often.
    pub fn is_ready(&self, name: &str) -> bool {
        let ready = self.records[name].conditions.iter().find(|known| known.kind == ConditionType::Ready);
        ready.is_some_and(|ready| ready.status)
    }

    /// A second in which nothing fails.
    pub fn tick(&mut self) {
        self.stormy(|| Fault::None);
    }

    /// A second in which whatever is done may fail.
    pub fn stormy(&mut self, mut fault: impl FnMut() -> Fault) {
        self.cloud.pass(1);
        self.sweep(fault() != Fault::None);
        self.beats();
        for name in self.records.keys().cloned().collect::<Vec<_>>() {
            self.reconcile(&name, fault());
        }
        self.reconcile_dns(fault());
        self.reconcile_capacity(fault());
    }
}

/// What holds for every plan on its own: a second one adds nothing, and until it is due again time alone does not
/// change it.
fn check_plan(
    settings: &Settings,
    view: &View<'_>,
    before: &ServiceRecord,
    plan: &lifecycle::Plan,
    now: Timestamp,
) {
    let fresh = |pair: &&dormouse_state::Pair| {
        pair.condemned.as_ref().is_some_and(|(_, why)| why.starts_with("it sleeps"))
    };
    let was = |id| before.pairs().filter(fresh).any(|pair| pair.id == id);
    if plan.record.pairs().filter(fresh).any(|pair| !was(pair.id)) {
        assert_eq!(plan.record.desired, dormouse_state::Desired::Asleep, "S10");
    }
    let due = plan.requeue.unwrap_or(secs(3600));
    let moments = [secs(0), due / 2, due.saturating_sub(secs(1))];
    for later in moments.into_iter().map(|span| intent::later(now, span)) {
        let mut again = lifecycle::plan(settings, &plan.record, view, later).record;
        // Use goes on while a request is open.
        again.last_activity = plan.record.last_activity;
        assert!(again == plan.record, "changes {due:?} before it is due:\n{:#?}\n{:#?}", plan.record, again);
    }
}

//! The group of instances, planned by two controllers that both believe that they lead: the real planner of capacity, from
//! readings that are as old as they happen to be.

use crate::part::{Part, Print, Printer};
use crate::search::{Space, Wrong};
use dormouse_core::capacity::{self, Demand, Plan, Step, Want};
use dormouse_core::intent::{later, since};
use dormouse_core::observed::{Fleet, Instance, Member, Resources};
use dormouse_core::redate;
use dormouse_core::settings::Settings;
use dormouse_state::{CapacityMemory, Version, admit};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings {
    max_tasks_per_instance: 1,
    scale_in_delay: Duration::from_secs(30),
    ..Settings::example()
});

/// What an instance has in all, and what a task takes.
const SIZE: Resources = Resources { cpu: 2048, memory: 4000 };
const TASK: Resources = Resources { cpu: 512, memory: 1000 };
/// Time passes in steps of this: longer than any call is under way, and than what an instance drains for.
const STEP: Duration = Duration::from_secs(30);

/// What is true.
#[derive(Debug, Clone)]
pub struct Truth {
    fleet: Fleet,
    /// Services that wait for an instance.
    waiting: BTreeSet<u8>,
    /// Service → the instance that its task runs on.
    on: BTreeMap<u8, String>,
    /// Instance → since when it drains.
    draining: BTreeMap<String, Timestamp>,
    /// Instances that there ever were.
    launched: u8,
    /// The group protects what it launches, as that of the guide does.
    protects: bool,
}

/// The row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    memory: CapacityMemory,
    version: Version,
    fence: u64,
}

/// A controller: what it has read, and the steps that it has yet to take.
#[derive(Debug, Clone, Default)]
pub struct Planner {
    epoch: Option<u64>,
    fleet: Option<Fleet>,
    demand: Demand,
    row: Option<(CapacityMemory, Version)>,
    steps: Vec<Step>,
}

/// How often what is rare may still happen.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Left {
    pub wants: u8,
    pub ends: u8,
    pub leads: u8,
    pub losses: u8,
    pub passes: u8,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Group {
    now: Timestamp,
    lease: u64,
    truth: Part<Truth>,
    row: Part<Row>,
    planners: [Part<Planner>; 2],
    pub left: Left,
}

impl Print for Truth {
    fn print(&self, to: &mut Printer) {
        to.add(&self.fleet);
        to.hash((&self.waiting, &self.on, &self.draining, self.launched));
    }
}

impl Print for Row {
    fn print(&self, to: &mut Printer) {
        to.add(&self.memory);
        to.hash((self.version, self.fence));
    }
}

impl Print for Planner {
    fn print(&self, to: &mut Printer) {
        to.add(&(&self.fleet, &self.demand, &self.row, &self.steps));
        to.hash(self.epoch);
    }
}

impl Print for Group {
    fn print(&self, to: &mut Printer) {
        to.part(&self.truth);
        to.part(&self.row);
        self.planners.iter().for_each(|planner| to.part(planner));
        to.hash((self.now, self.lease, self.left));
    }
}

/// Something that happens; `usize`: to which controller.
#[derive(Debug, Clone)]
pub enum Move {
    ReadFleet(usize),
    /// The table's rows and the tasks: who waits, and what runs where.
    ReadDemand(usize),
    ReadRow(usize),
    /// It plans, and writes what is to be remembered.
    Plan(usize),
    /// The next step; its answer arrives or is lost.
    Call(usize, bool),
    Lead(usize),
    /// One more service waits for an instance.
    Want,
    /// A service that waits gets its place.
    Place(u8),
    /// A task ends.
    End(u8),
    /// The group launches an instance, which joins.
    Launch,
    /// The group has more instances than are desired, and ends one that is not protected.
    ScaleIn(String),
    Pass,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| ["A", "B"][*who];
        match self {
            Move::ReadFleet(who) => write!(f, "{} reads the instances", name(who)),
            Move::ReadDemand(who) => write!(f, "{} reads the services and their tasks", name(who)),
            Move::ReadRow(who) => write!(f, "{} reads the group's row", name(who)),
            Move::Plan(who) => write!(f, "{} plans the capacity", name(who)),
            Move::Call(who, false) => write!(f, "{} takes its next step; the answer arrives", name(who)),
            Move::Call(who, true) => write!(f, "{} takes its next step; no answer arrives", name(who)),
            Move::Lead(who) => write!(f, "{} takes the lease", name(who)),
            Move::Want => f.write_str("one more service waits for an instance"),
            Move::Place(service) => write!(f, "service {service} gets its place"),
            Move::End(service) => write!(f, "the task of service {service} ends"),
            Move::Launch => f.write_str("the group launches an instance, which joins"),
            Move::ScaleIn(id) => write!(f, "the group ends {id}"),
            Move::Pass => f.write_str("time passes"),
        }
    }
}

impl Truth {
    fn is_part(&self, id: &str) -> bool {
        self.fleet.group.members.iter().any(|member| member.ec2_id == id && member.is_part())
    }

    fn there(&self) -> u32 {
        u32::try_from(self.fleet.group.members.len()).unwrap()
    }

    fn launch(&mut self) {
        self.launched += 1;
        let (id, arn) = (format!("i-{}", self.launched), format!("instance/{}", self.launched));
        self.fleet.group.members.push(Member {
            ec2_id: id.clone(),
            lifecycle: "InService".into(),
            protected: self.protects,
        });
        self.fleet.instances.push(Instance {
            arn,
            ec2_id: id,
            active: true,
            status: "ACTIVE".into(),
            connected: true,
            registered: SIZE,
            remaining: SIZE,
            architecture: None,
            tasks: 0,
        });
    }

    fn gone(&mut self, id: &str) {
        self.fleet.instances.retain(|instance| instance.ec2_id != id);
        self.fleet.group.members.retain(|member| member.ec2_id != id);
        self.draining.remove(id);
    }

    /// A task comes to an instance, or leaves it.
    fn load(&mut self, arn: &str, comes: bool) {
        for instance in self.fleet.instances.iter_mut().filter(|instance| instance.arn == arn) {
            instance.tasks = u32::from(comes);
            instance.remaining = if comes { SIZE.minus(TASK) } else { SIZE };
        }
    }

    /// An instance to which ECS would take one more task.
    fn free(&self) -> Option<&Instance> {
        self.fleet.instances.iter().find(|instance| instance.active && instance.tasks == 0)
    }

    fn busy(&self, id: &str) -> Option<u8> {
        let arn = &self.fleet.instances.iter().find(|instance| instance.ec2_id == id)?.arn;
        self.on.iter().find(|(_, on)| *on == arn).map(|(service, _)| *service)
    }

    fn demand(&self, now: Timestamp) -> Demand {
        let want = |service: &u8| Want {
            service: service.to_string(),
            resources: TASK,
            architecture: None,
            since: now,
            in_flight: false,
        };
        let mut occupied = BTreeMap::new();
        self.on.values().for_each(|on| *occupied.entry(on.clone()).or_default() += 1);
        Demand { waiting: self.waiting.iter().map(want).collect(), occupied, ..Demand::default() }
    }
}

impl Group {
    /// An empty group of at most two instances; A leads, and nobody has read anything.
    pub fn empty(left: Left) -> Group {
        let mut fleet = Fleet::default();
        fleet.group.max = 2;
        let truth = Truth {
            fleet,
            waiting: BTreeSet::new(),
            on: BTreeMap::new(),
            draining: BTreeMap::new(),
            launched: 0,
            protects: true,
        };
        let row = Row { memory: CapacityMemory::default(), version: 1, fence: 0 };
        let planner = || Part::new(Planner::default());
        let mut group = Group {
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            lease: 0,
            truth: Part::new(truth),
            row: Part::new(row),
            planners: [planner(), planner()],
            left: Left { leads: 1, ..left },
        };
        group.go(Move::Lead(0));
        group.left.leads = left.leads;
        for who in [0, 1] {
            group.reads(who);
        }
        group
    }

    /// The same, and the group protects nothing by itself.
    pub fn bare(left: Left) -> Group {
        let mut group = Group::empty(left);
        group.truth.change(|truth| truth.protects = false);
        group
    }

    /// The same with so many instances, of which the first runs a task; both know it.
    pub fn of(instances: u8, left: Left) -> Group {
        let mut group = Group::empty(left);
        group.truth.change(|truth| {
            for _ in 0..instances {
                truth.launch();
            }
            truth.fleet.group.desired = u32::from(instances);
            truth.load("instance/1", true);
            truth.on.insert(0, "instance/1".into());
        });
        for who in [0, 1] {
            group.reads(who);
        }
        group
    }

    /// The same, and A has written that an instance of it is to go.
    pub fn shrinking(left: Left) -> Group {
        let mut group = Group::of(2, Left { passes: 1, ..left });
        group.go(Move::Plan(0)).go(Move::Pass).reads(0);
        group.go(Move::Plan(0)).reads(1);
        Group { left, ..group }
    }

    fn go(&mut self, one: Move) -> &mut Group {
        let (next, wrong) = self.tried(&one);
        assert_eq!(wrong, None, "{one}");
        *self = next;
        self
    }

    fn reads(&mut self, who: usize) {
        self.go(Move::ReadFleet(who)).go(Move::ReadDemand(who)).go(Move::ReadRow(who));
    }

    fn happens(&mut self, one: &Move) -> Option<Wrong> {
        match one {
            Move::ReadFleet(who) => {
                let fleet = self.truth.fleet.clone();
                self.planners[*who].change(|own| own.fleet = Some(fleet));
            }
            Move::ReadDemand(who) => {
                let demand = self.truth.demand(self.now);
                self.planners[*who].change(|own| own.demand = demand);
            }
            Move::ReadRow(who) => {
                let read = (redate::capacity(&self.row.memory, self.now), self.row.version);
                self.planners[*who].change(|own| own.row = Some(read));
            }
            Move::Plan(who) => return self.plan(*who),
            Move::Call(who, lost) => {
                self.left.losses -= u8::from(*lost);
                let step = self.planners[*who].change(|own| own.steps.remove(0));
                if *lost {
                    // What follows waits for the next plan.
                    self.planners[*who].change(|own| own.steps.clear());
                }
                return self.call(*who, step, *lost);
            }
            Move::Lead(who) => {
                self.left.leads -= 1;
                self.lease += 1;
                let epoch = self.lease;
                self.planners[*who].change(|own| own.epoch = Some(epoch));
            }
            Move::Want => {
                self.left.wants -= 1;
                self.truth.change(|truth| {
                    let service = u8::try_from(truth.waiting.len() + truth.on.len()).unwrap();
                    truth.waiting.insert(service);
                });
            }
            Move::Place(service) => self.truth.change(|truth| {
                if let Some(arn) = truth.free().map(|instance| instance.arn.clone()) {
                    truth.load(&arn, true);
                    truth.waiting.remove(service);
                    truth.on.insert(*service, arn);
                }
            }),
            Move::End(service) => {
                self.left.ends -= 1;
                self.truth.change(|truth| {
                    if let Some(arn) = truth.on.remove(service) {
                        truth.load(&arn, false);
                    }
                });
            }
            Move::Launch => self.truth.change(Truth::launch),
            Move::ScaleIn(id) => {
                let busy = self.truth.busy(id);
                self.truth.change(|truth| truth.gone(id));
                return busy
                    .map(|service| ("S9", format!("the group ends {id}, which runs service {service}")));
            }
            Move::Pass => {
                self.left.passes -= 1;
                self.now = later(self.now, STEP);
                // No call is under way for so long.
                for planner in self.planners.iter_mut().filter(|own| !own.steps.is_empty()) {
                    planner.change(|own| own.steps.clear());
                }
            }
        }
        None
    }

    fn plan(&mut self, who: usize) -> Option<Wrong> {
        let (memory, version) = self.planners[who].row.clone()?;
        // What is on its way out is looked at anew, right before the next step.
        if !memory.removals.is_empty() {
            let fleet = self.truth.fleet.clone();
            self.planners[who].change(|own| own.fleet = Some(fleet));
        }
        let own = &self.planners[who];
        let fleet = own.fleet.as_ref()?;
        let plan = capacity::plan(&SETTINGS, &own.demand, fleet, &memory, &BTreeSet::new(), self.now);
        let wrong = leaves_bare(fleet, &plan);
        if plan.memory != memory {
            let held = (self.row.version, self.row.fence);
            match admit("group", held, version, own.epoch) {
                Ok(fence) => {
                    let version = held.0 + 1;
                    let memory = plan.memory;
                    self.row = Part::new(Row { memory: memory.clone(), version, fence });
                    self.planners[who].change(|own| own.row = Some((memory, version)));
                }
                Err(_) => return self.happens(&Move::ReadRow(who)),
            }
        }
        if !plan.steps.is_empty() {
            self.planners[who].change(|own| own.steps = plan.steps);
        }
        wrong
    }

    fn call(&mut self, who: usize, step: Step, lost: bool) -> Option<Wrong> {
        let wrong = match &step {
            Step::SetDesired(desired) => self.desires(*desired),
            Step::Terminate(id) => self.terminates(id),
            _ => None,
        };
        let now = self.now;
        self.truth.change(|truth| match &step {
            Step::SetDesired(desired) => truth.fleet.group.desired = *desired,
            Step::Protect(ids) => {
                for member in truth.fleet.group.members.iter_mut().filter(|it| ids.contains(&it.ec2_id)) {
                    member.protected = true;
                }
            }
            Step::Drain(arns) | Step::Activate(arns) => {
                let active = matches!(step, Step::Activate(_));
                for instance in truth.fleet.instances.iter_mut().filter(|it| arns.contains(&it.arn)) {
                    instance.active = active;
                    instance.status = if active { "ACTIVE" } else { "DRAINING" }.into();
                    if active {
                        truth.draining.remove(&instance.ec2_id);
                    } else {
                        truth.draining.entry(instance.ec2_id.clone()).or_insert(now);
                    }
                }
            }
            Step::Terminate(id) => {
                if truth.is_part(id) {
                    truth.gone(id);
                    truth.fleet.group.desired = truth.fleet.group.desired.saturating_sub(1);
                }
            }
        });
        if let (Step::SetDesired(desired), false) = (&step, lost) {
            self.planners[who].change(|own| {
                let group = own.fleet.as_mut().map(|fleet| &mut fleet.group);
                group.into_iter().for_each(|group| group.desired = group.desired.max(*desired));
            });
        }
        wrong
    }

    /// S8: no capacity above the maximum is asked for; and none below what is desired, unless it is soon asked for again,
    /// by whoever plans then: a call that another's overtook cannot be held back.
    fn desires(&self, desired: u32) -> Option<Wrong> {
        let group = &self.truth.fleet.group;
        if desired > group.max {
            return Some(("S8", format!("{desired} are desired, and there may be {}", group.max)));
        }
        let is_needed = !self.truth.waiting.is_empty() || self.truth.there() >= group.desired;
        if desired >= group.desired || !is_needed {
            return None;
        }
        let mut fleet = self.truth.fleet.clone();
        fleet.group.desired = desired;
        let (mut memory, mut now) = (self.row.memory.clone(), self.now);
        // At once; or when what was asked for is looked up no more, and what runs is.
        for _ in 0..3 {
            let demand = self.truth.demand(now);
            let plan = capacity::plan(&SETTINGS, &demand, &fleet, &memory, &BTreeSet::new(), now);
            let asked = plan.steps.iter().rev().find_map(|step| match step {
                Step::SetDesired(again) => Some(*again),
                _ => None,
            });
            if asked >= Some(group.desired) {
                return None;
            }
            // Only what is protected counts as what is to run.
            fleet.group.members.iter_mut().for_each(|member| member.protected = true);
            memory = plan.memory;
            now = later(now, STEP * 2);
        }
        Some(("S8", format!("{desired} are desired instead of {}, for good", group.desired)))
    }

    /// S7: what is terminated has drained for long enough, and nothing runs there.
    fn terminates(&self, id: &str) -> Option<Wrong> {
        if !self.truth.is_part(id) {
            return None;
        }
        let drained =
            self.truth.draining.get(id).is_some_and(|at| since(self.now, *at) >= SETTINGS.drain_wait);
        if !drained {
            return Some(("S7", format!("{id} is terminated and has not drained")));
        }
        let service = self.truth.busy(id)?;
        Some(("S7", format!("{id} is terminated and runs service {service}")))
    }
}

/// S9: what is seen in service, and is not to go, gets its protection.
fn leaves_bare(fleet: &Fleet, plan: &Plan) -> Option<Wrong> {
    let protected = plan.steps.iter().flat_map(|step| match step {
        Step::Protect(ids) => ids.as_slice(),
        _ => &[],
    });
    let protected: BTreeSet<&String> = protected.collect();
    let stays = |id: &String| !plan.memory.removals.contains_key(id);
    let mut members = fleet.group.members.iter().filter(|member| member.lifecycle == "InService");
    let bare = members.find(|it| !it.protected && stays(&it.ec2_id) && !protected.contains(&it.ec2_id))?;
    Some(("S9", format!("{} is in service, and is not protected", bare.ec2_id)))
}

impl Space for Group {
    type Move = Move;

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let (truth, left) = (&self.truth, &self.left);
        let mut add = |may: bool, one: Move| moves.extend(may.then_some(one));
        for (who, own) in self.planners.iter().enumerate() {
            if own.epoch.is_none() && left.leads == 0 {
                continue;
            }
            add(true, Move::ReadFleet(who));
            add(true, Move::ReadDemand(who));
            add(true, Move::ReadRow(who));
            add(left.leads > 0, Move::Lead(who));
            if own.epoch.is_none() {
                continue;
            }
            add(own.steps.is_empty() && own.fleet.is_some() && own.row.is_some(), Move::Plan(who));
            add(!own.steps.is_empty(), Move::Call(who, false));
            add(!own.steps.is_empty() && left.losses > 0, Move::Call(who, true));
        }
        add(left.wants > 0, Move::Want);
        truth.waiting.iter().for_each(|service| add(truth.free().is_some(), Move::Place(*service)));
        truth.on.keys().for_each(|service| add(left.ends > 0, Move::End(*service)));
        let group = &truth.fleet.group;
        add(truth.there() < group.desired, Move::Launch);
        if truth.there() > group.desired {
            let bare = group.members.iter().filter(|member| !member.protected);
            bare.for_each(|member| add(true, Move::ScaleIn(member.ec2_id.clone())));
        }
        add(left.passes > 0, Move::Pass);
        moves
    }

    fn tried(&self, one: &Move) -> (Group, Option<Wrong>) {
        let mut next = self.clone();
        let wrong = next.happens(one);
        (next, wrong)
    }
}

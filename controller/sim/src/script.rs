//! What people, machines and bad luck do in a run: drawn from the seed, as a list that can be made shorter.

use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::rng::Rng;
use dormouse_peer::wire::Role;

/// From this index on services are declared by nobody: a template makes them.
pub const MADE: usize = 1_000_000;

/// Names of services by index. One begins another: nothing may be taken for its neighbour's.
pub fn name_of(index: usize) -> String {
    match index {
        0 => "shop".to_owned(),
        1 => "shop2".to_owned(),
        MADE.. => format!("preview-{}", index - MADE),
        _ => format!("shop2-{index}"),
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// An operator declares a service, again or anew, with another environment.
    Declare(usize),
    /// An operator deletes it.
    Delete(usize),
    /// An operator wakes it.
    Wake(usize),
    /// An operator puts it to sleep.
    Sleep(usize),
    /// Clients ask it.
    Ask {
        /// Which service.
        service: usize,
        /// How often.
        count: u64,
        /// Time between two.
        gap: Ms,
        /// How long an answer takes.
        takes: Ms,
    },
    /// Its container wishes to sleep.
    Wish(usize),
    /// A task of it dies.
    Kill(usize, Role),
    /// Somebody stops a task of it by hand.
    Stop(usize, Role),
    /// A task of it stays in the state it is in.
    Hang(usize, Role, Ms),
    /// The user's container does not answer for a while.
    Deaf(usize, Ms),
    /// An instance breaks.
    Break(u64),
    /// An instance's agent is disconnected for a while.
    Disconnect(u64, Ms),
    /// Somebody runs a task of their own on an instance.
    Stranger(Ms),
    /// From now on nothing of it works: its container ends soon after its start, and Route 53 refuses its records.
    Poison(usize),
    /// Somebody sets, or with `false` removes, a record of its name.
    Record(usize, bool),
    /// Somebody takes its record out of the zone, so often, and every so often.
    Undo(usize, u64, Ms),
    /// A controller crashes, and is back after a while.
    Crash(usize, Ms),
    /// A controller stops for a while, and goes on.
    Freeze(usize, Ms),
    /// A controller is asked to end, and another takes its place.
    Replace(usize),
    /// A controller's clock jumps.
    Jump(usize, i64),
    /// One service of AWS answers nobody for a while.
    Outage(Aws, Ms),
    /// Somebody deletes its row from the table.
    LoseRow(usize),
    /// For so long each controller sees of the lease only what it wrote itself: more than one leads.
    Split(Ms),
    /// For so long controllers do not reach each other.
    Part(Ms),
    /// Somebody deletes the lease's row.
    LoseLease,
    /// The group moves an instance to another zone.
    Rebalance,
    /// Fargate Spot takes its proxy back, two minutes after it said so.
    Spot(usize),
    /// Somebody sets, or with `false` removes, a record of its name in the private zone.
    PrivateRecord(usize, bool),
    /// An operator declares the template, again or anew, with another environment and other limits.
    DeclareTemplate,
    /// An operator deletes it.
    DeleteTemplate,
    /// No instance of the group's types is to be had for so long.
    Barren(Ms),
    /// Fargate has no capacity for so long; with `true`, only Spot has none.
    Scarce(bool, Ms),
    /// Somebody raises the group's smallest size to this, for so long.
    Least(u32, Ms),
    /// Another installation in the same account does something.
    Other(Other),
}

/// What another installation does, in the same clusters and zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// It comes: with an instance of another group, a service that is awake, and its records.
    SetsUp,
    /// An instance of its group joins the cluster, and is terminated after a while.
    Instance(Ms),
    /// A task of it runs for so long.
    Task(Role, Ms),
    /// It has a service of the same name as ours, and claims that name in the zones for so long, if it is free.
    Claims(usize, Ms),
}

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aws {
    /// ECS.
    Ecs,
    /// EC2 Auto Scaling.
    Scaling,
    /// Route 53.
    Zone,
    /// EC2.
    Ec2,
    /// DynamoDB.
    Table,
}

impl Aws {
    /// Every one.
    pub const ALL: [Aws; 5] = [Aws::Ecs, Aws::Scaling, Aws::Zone, Aws::Ec2, Aws::Table];

    /// Whether an operation is one of its.
    pub fn has(self, operation: &str) -> bool {
        let prefix = match self {
            Aws::Ecs => "ecs:",
            Aws::Scaling => "autoscaling:",
            Aws::Zone => "route53:",
            Aws::Ec2 => "ec2:",
            Aws::Table => "dynamodb:",
        };
        operation.starts_with(prefix)
    }
}

impl Act {
    /// Whether whom it is about is there, among so many.
    pub fn fits(&self, services: usize, controllers: usize) -> bool {
        match self {
            Act::Declare(service)
            | Act::Delete(service)
            | Act::Wake(service)
            | Act::Sleep(service)
            | Act::Ask { service, .. }
            | Act::Wish(service)
            | Act::Kill(service, _)
            | Act::Stop(service, _)
            | Act::Hang(service, ..)
            | Act::Deaf(service, _)
            | Act::LoseRow(service)
            | Act::Spot(service)
            | Act::Poison(service)
            | Act::PrivateRecord(service, _)
            | Act::Record(service, _)
            | Act::Other(Other::Claims(service, _))
            | Act::Undo(service, ..) => *service < services || *service >= MADE,
            Act::Crash(controller, _)
            | Act::Freeze(controller, _)
            | Act::Replace(controller)
            | Act::Jump(controller, _) => *controller < controllers,
            Act::LoseLease
            | Act::DeclareTemplate
            | Act::DeleteTemplate
            | Act::Split(_)
            | Act::Part(_)
            | Act::Break(_)
            | Act::Disconnect(..)
            | Act::Stranger(_)
            | Act::Outage(..)
            | Act::Rebalance
            | Act::Scarce(..)
            | Act::Other(_)
            | Act::Least(..)
            | Act::Barren(_) => true,
        }
    }
}

/// A run: who is there, and what happens when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Seed of everything that is drawn while it runs.
    pub seed: u64,
    /// Fault rates until the calm.
    pub profile: Profile,
    /// How many services are declared at the start.
    pub services: usize,
    /// For how many names beside them there is a template.
    pub made: usize,
    /// How many controllers there are.
    pub controllers: usize,
    /// Largest size of the group.
    pub max_instances: u32,
    /// Controllers' clocks are wrong by up to this.
    pub skew: u64,
    /// Controllers' clocks are too fast or too slow by up to so many per mille.
    pub drift: u64,
    /// There is a private zone, too.
    pub private: bool,
    /// Every service but the first depends on the first.
    pub chained: bool,
    /// Somebody is to be told of what happens.
    pub told: bool,
    /// What happens, in order.
    pub acts: Vec<(Ms, Act)>,
    /// When faults cease.
    pub calm_at: Ms,
    /// The end.
    pub end_at: Ms,
}

/// What a run is to be like; what is left open is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    /// Services.
    pub services: Option<usize>,
    /// Simulated hours at the least.
    pub hours: Option<u64>,
}

impl Script {
    /// The run of a seed: three in four have up to three services, one in fifty has twenty.
    pub fn draw(seed: u64) -> Script {
        Script::of(seed, Size::default())
    }

    /// The run of a seed, of a certain size.
    pub fn of(seed: u64, size: Size) -> Script {
        let mut rng = Rng::new(seed);
        let mut profile = Profile::draw(&mut rng);
        let drawn = match rng.below(100) {
            0..=74 => 1 + rng.index(3),
            75..=97 => 4 + rng.index(5),
            _ => 20,
        };
        let services = size.services.unwrap_or(drawn);
        let controllers = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3][rng.index(10)];
        let faults = rng.between(15 * MINUTE, 40 * MINUTE);
        let calm_at = faults.max(size.hours.unwrap_or(0).saturating_mul(60).saturating_sub(30) * MINUTE);
        let many = u64::try_from(services).unwrap_or(1) / 3;
        // A longer run, and one with more services, has more to it.
        let count = (rng.between(4, 24) + many * 4) * calm_at / faults;
        let mut acts: Vec<(Ms, Act)> = (0..count)
            .map(|_| {
                let at = rng.between(30 * SECOND, calm_at - MINUTE);
                (at, act(&mut rng, services, controllers))
            })
            .collect();
        let mut more = Vec::new();
        for (at, act) in &acts {
            match act {
                // Requests that are still under way when it is to sleep.
                Act::Sleep(service) => {
                    let (gap, takes) = (rng.between(500, 4 * SECOND), rng.between(2 * SECOND, 60 * SECOND));
                    let ask = Act::Ask { service: *service, count: 8, gap, takes };
                    more.push((at.saturating_sub(10 * SECOND), ask));
                }
                // A manifest that changes half-way through a wake.
                Act::Wake(service) if rng.chance(250) => {
                    more.push((at + rng.between(100, 90 * SECOND), Act::Declare(*service)));
                }
                _ => {}
            }
        }
        acts.append(&mut more);
        let mut late: Vec<(Ms, Act)> = Vec::new();
        // Drawn apart, so that what other seeds do stays as it is.
        let mut rare = Rng::new(seed ^ 0x1EA5E);
        if rare.chance(60) {
            acts.push((rare.between(MINUTE, calm_at - MINUTE), Act::LoseLease));
        }
        for _ in 0..if controllers > 1 { rare.below(3) } else { 0 } {
            let (at, span) = (rare.between(MINUTE, calm_at - MINUTE), rare.between(20 * SECOND, 3 * MINUTE));
            acts.push((at, Act::Split(span)));
        }
        if controllers > 1 {
            profile.link_fails = if rare.chance(400) { rare.between(1, 300) } else { 0 };
            profile.link_late = if rare.chance(400) { rare.between(1, 500) } else { 0 };
            for _ in 0..rare.below(3) {
                let span = rare.between(SECOND, 5 * MINUTE);
                acts.push((rare.between(MINUTE, calm_at - MINUTE), Act::Part(span)));
            }
        }
        if rare.chance(120) {
            let span = rare.between(MINUTE, 15 * MINUTE);
            acts.push((rare.between(SECOND, calm_at - MINUTE), Act::Barren(span)));
        }
        let mut apart = Rng::new(seed ^ 0x7042);
        profile.torn = if profile.stale > 0 && apart.chance(500) { 500 } else { 0 };
        profile.insync_slow = if apart.chance(100) { apart.between(50, 500) } else { 0 };
        let mut apart = Rng::new(seed ^ 0x5CA2CE);
        if apart.chance(150) {
            let span = apart.between(20 * SECOND, 12 * MINUTE);
            let (at, service) = (apart.between(SECOND, calm_at - MINUTE), apart.index(services));
            acts.push((at, Act::Scarce(apart.chance(500), span)));
            // Somebody who needs some.
            acts.push(((at + span / 3).min(calm_at - MINUTE), Act::Wake(service)));
        }
        if apart.chance(100) {
            let (least, span) = (if apart.chance(500) { 1 } else { 2 }, apart.between(MINUTE, 15 * MINUTE));
            let at = apart.between(5 * MINUTE, calm_at - MINUTE);
            acts.push((at, Act::Least(least, span)));
            // While an instance is on its way out.
            acts.extend((0..services).map(|service| (at - 4 * MINUTE, Act::Sleep(service))));
        }
        // Wishes of a world without faults, after one that had some: what these left behind would show.
        if apart.chance(250) {
            let service = apart.index(services);
            let ask = Act::Ask { service, count: 3, gap: 5 * SECOND, takes: 200 };
            let again = [(16, Act::Sleep(service)), (19, Act::Wake(service)), (22, ask)];
            late.extend(again.map(|(minutes, act)| (calm_at + minutes * MINUTE, act)));
        }
        let mut apart = Rng::new(seed ^ 0x7E_3A11);
        let made = if apart.chance(150) { 1 + apart.index(6) } else { 0 };
        for _ in 0..if made > 0 { apart.between(4, 16) } else { 0 } {
            acts.push((apart.between(MINUTE, calm_at - MINUTE), act_on_made(&mut apart, made)));
        }
        let mut apart = Rng::new(seed ^ 0x7E11);
        let told = apart.chance(150);
        if told {
            let mut rate = || if apart.chance(400) { apart.between(1, 600) } else { 0 };
            profile.receiver_refuses = rate();
            profile.receiver_unreached = rate();
            profile.receiver_lost = rate();
            profile.receiver_slow = rate();
        }
        let mut apart = Rng::new(seed ^ 0x5_74A6E);
        if apart.chance(250) {
            acts.push((SECOND, Act::Other(Other::SetsUp)));
            for _ in 0..apart.between(2, 10) {
                let at = apart.between(MINUTE, calm_at - MINUTE);
                acts.push((at, Act::Other(other(&mut apart, services))));
            }
        }
        // Something to serve in any case.
        acts.push((rng.between(10 * SECOND, 3 * MINUTE), Act::Wake(0)));
        acts.append(&mut late);
        acts.sort_by_key(|(at, _)| *at);
        let skew = match rng.below(10) {
            0..=5 => 0,
            6..=8 => rng.below(30 * SECOND),
            _ => rng.below(10 * MINUTE),
        };
        Script {
            seed,
            profile,
            services,
            made,
            controllers,
            max_instances: u32::try_from(rng.between(1, 4) + many).unwrap_or(1),
            skew,
            drift: if rng.chance(200) { rng.below(20) } else { 0 },
            private: rng.chance(300),
            chained: false,
            told,
            acts,
            calm_at,
            end_at: calm_at + 90 * MINUTE,
        }
    }
}

/// What people do with names that a template is for.
fn act_on_made(rng: &mut Rng, made: usize) -> Act {
    let service = MADE + rng.index(made);
    let role = if rng.chance(500) { Role::Proxy } else { Role::Service };
    match rng.below(20) {
        0..=9 => Act::Ask {
            service,
            count: rng.between(1, 10),
            gap: rng.between(200, 30 * SECOND),
            takes: rng.between(5, 5 * SECOND),
        },
        10 | 11 => Act::Wake(service),
        12 => Act::Sleep(service),
        13 => Act::Delete(service),
        14 => Act::Declare(service),
        15 => Act::Kill(service, role),
        16 => Act::LoseRow(service),
        17 => Act::DeleteTemplate,
        _ => Act::DeclareTemplate,
    }
}

/// What another installation does beside ours.
fn other(rng: &mut Rng, services: usize) -> Other {
    let span = rng.between(30 * SECOND, 20 * MINUTE);
    match rng.below(6) {
        0 => Other::Instance(span),
        1 => Other::Task(Role::Proxy, span),
        2 | 3 => Other::Task(Role::Service, span),
        _ => Other::Claims(rng.index(services), span),
    }
}

fn act(rng: &mut Rng, services: usize, controllers: usize) -> Act {
    let service = rng.index(services);
    let role = if rng.chance(500) { Role::Proxy } else { Role::Service };
    let controller = rng.index(controllers);
    match rng.below(32) {
        0 => Act::Declare(service),
        1 => Act::Delete(service),
        2..=4 => Act::Wake(service),
        5..=7 => Act::Sleep(service),
        8..=11 => Act::Ask {
            service,
            count: rng.between(1, 40),
            gap: rng.between(200, 30 * SECOND),
            takes: if rng.chance(200) { rng.between(5 * SECOND, 60 * SECOND) } else { rng.between(5, 500) },
        },
        12 => Act::Wish(service),
        13 | 14 => Act::Kill(service, role),
        15 => Act::Stop(service, role),
        16 => Act::Hang(service, role, rng.between(MINUTE, 30 * MINUTE)),
        17 => Act::Deaf(service, rng.between(5 * SECOND, 3 * MINUTE)),
        18 => Act::Break(rng.below(4)),
        19 => Act::Disconnect(rng.below(4), rng.between(10 * SECOND, 10 * MINUTE)),
        20 => Act::Stranger(rng.between(MINUTE, 20 * MINUTE)),
        21 => Act::Record(service, rng.chance(700)),
        22 => Act::Freeze(controller, rng.between(SECOND, 120 * SECOND)),
        23 => Act::Jump(controller, i64::try_from(rng.below(120 * SECOND)).unwrap_or(0) - 60_000),
        24 => Act::Replace(controller),
        25 => Act::Outage(Aws::ALL[rng.index(Aws::ALL.len())], rng.between(10 * SECOND, 10 * MINUTE)),
        26 if rng.chance(300) => Act::LoseRow(service),
        27 => Act::Rebalance,
        28 => Act::Spot(service),
        29 => Act::PrivateRecord(service, rng.chance(700)),
        30 => Act::Undo(service, rng.between(1, 5), rng.between(5 * SECOND, 3 * MINUTE)),
        _ => Act::Crash(controller, rng.between(SECOND, 60 * SECOND)),
    }
}

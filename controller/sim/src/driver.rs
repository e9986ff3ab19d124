//! One run from its first second to its last: the events of the world in order, and the controllers in between.

mod acts;

use crate::check;
use crate::client;
use crate::ports::clock::SimClock;
use crate::process::Process;
use crate::profile::{Ms, SECOND};
use crate::queue::{Event, Queue, Report};
use crate::rng::Rng;
use crate::script::{MADE, Script, name_of};
use crate::sim::{Odd, ReadAt, Sim, World};
use crate::stroke::{At, FROZEN_FOR, Strokes};
use crate::time::{Passed, Time};
use crate::trace::Trace;
use crate::truth::Truth;
use crate::truth::requests::Answers;
use dormouse::plane::Plane as _;
use dormouse_core::settings::{PrivateZone, Settings};
use dormouse_manifests::{Fallback, IdleAfter, Service, ServiceSpec, ServiceTemplate};
use dormouse_state::MemoryStore;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::sleep_until;

/// The one template.
const TEMPLATE: &str = "preview";
/// Time between two looks at what time alone can break.
const AUDIT: Ms = 15 * SECOND;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What must not be.
    pub violations: Vec<check::Violation>,
    /// The same for the same script, always.
    pub hash: u64,
    /// The timeline, when it was asked for.
    pub lines: Vec<String>,
    /// How long it was, in simulated milliseconds.
    pub simulated: Ms,
    /// What became of requests.
    pub answers: Answers,
    /// Effects that controllers had, rows included; counted when strokes were asked for.
    pub effects: u64,
    /// Reads that controllers made; counted when an odd one was asked for.
    pub reads: u64,
    /// Events of the world.
    pub events: u64,
    /// Calls that changed something.
    pub mutations: u64,
    /// Wakes of which it can be told how much was ours: service, our share, all of it, in milliseconds.
    pub wakes: Vec<(String, Ms, Ms)>,
}

/// What a run is asked for besides its script.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keep the timeline.
    pub trace: bool,
    /// What befalls controllers at these effects.
    pub strokes: Option<Vec<At>>,
    /// Let this read (counted from 0) go wrong.
    pub read: Option<(u64, Odd)>,
}

/// Reads are tried until so long after the last thing that happens: then the world is as it is to be.
const READS_FOR: Ms = 3 * 60 * SECOND;

/// Runs a script.
pub fn run(script: &Script, options: &Options) -> Outcome {
    let passed = Passed::default();
    let passes = passed.clone();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).on_thread_unpark(move || passes.store(true, Ordering::Relaxed));
    match runtime.build() {
        Ok(runtime) => runtime.block_on(Driver::run(script, options, passed)),
        // Without a runtime nothing was simulated: that must not look like success.
        Err(error) => Outcome {
            violations: vec![check::Violation { at: 0, id: "SIM", what: error.to_string() }],
            hash: 0,
            lines: Vec::new(),
            simulated: 0,
            answers: Answers::default(),
            effects: 0,
            reads: 0,
            events: 0,
            mutations: 0,
            wakes: Vec::new(),
        },
    }
}

/// By how much the clocks of two controllers may be apart, beside what they jump.
fn apart(script: &Script) -> Ms {
    if script.controllers > 1 { 2 * script.skew + script.end_at * 2 * script.drift / 1000 } else { 0 }
}

struct Driver {
    world: World,
    rows: Arc<MemoryStore>,
    processes: Vec<Option<Process>>,
    clocks: Vec<Arc<SimClock>>,
    script: Script,
    versions: BTreeMap<usize, u32>,
    template_version: u32,
    /// The world was left alone by everybody for long enough.
    rested: bool,
    events: u64,
    /// Effects may befall controllers.
    strikes: bool,
}

impl Driver {
    async fn run(script: &Script, options: &Options, passed: Passed) -> Outcome {
        let mut driver = Driver::new(script, options, Arc::new(Time::begin(Some(passed))));
        driver.drive().await;
        driver.processes.iter().flatten().for_each(Process::crash);
        driver.world.part();
        let mut sim = driver.world.sim();
        check::at_end(&mut sim);
        Outcome {
            violations: std::mem::take(&mut sim.audit.violations),
            hash: sim.trace.hash(),
            lines: sim.trace.take(),
            simulated: sim.now,
            answers: sim.audit.answers,
            effects: sim.strokes.as_ref().map_or(0, |strokes| strokes.count),
            reads: sim.read.map_or(0, |read| read.count),
            events: driver.events,
            mutations: sim.audit.mutations,
            wakes: std::mem::take(&mut sim.audit.wakes),
        }
    }

    fn new(script: &Script, options: &Options, time: Arc<Time>) -> Driver {
        let mut rng = Rng::new(script.seed ^ 0x5EED);
        let mut settings = Settings::example();
        if script.private {
            settings.private_zone = Some(PrivateZone { id: "Z2".to_owned(), name: "internal".to_owned() });
        }
        let mut truth = Truth {
            services: (0..script.services).map(name_of).collect(),
            made: (0..script.made).map(|nth| name_of(MADE + nth)).collect(),
            activator: settings.wildcard.clone().unwrap_or_default().concat(),
            ..Truth::default()
        };
        truth.fleet.max = script.max_instances;
        let skew = script.skew;
        let clocks: Vec<Arc<SimClock>> = (0..script.controllers)
            .map(|_| {
                let wrong =
                    i64::try_from(rng.below(2 * skew)).unwrap_or(0) - i64::try_from(skew).unwrap_or(0);
                let drift = i64::try_from(rng.below(2 * script.drift + 1)).unwrap_or(0)
                    - i64::try_from(script.drift).unwrap_or(0);
                Arc::new(SimClock::new(time.clone(), wrong, drift))
            })
            .collect();
        let mut sim = Sim {
            now: 0,
            rng,
            profile: script.profile.clone(),
            calm: false,
            truth,
            queue: Queue::default(),
            trace: Trace::new(options.trace),
            audit: check::Audit::new(script.drift, apart(script)),
            settings,
            strokes: options.strokes.clone().map(|at| Strokes { at, ..Strokes::default() }),
            read: options.read.map(|(nth, odd)| ReadAt {
                nth,
                odd,
                until: script.calm_at + READS_FOR,
                count: 0,
            }),
            backward: false,
        };
        for controller in 0..script.controllers {
            let after = sim.rng.below(2 * SECOND);
            sim.plan(after, Event::Start(controller));
        }
        for (index, (at, _)) in script.acts.iter().enumerate() {
            sim.queue.plan(*at, Event::Act(index));
        }
        sim.queue.plan(script.calm_at, Event::Calm);
        sim.plan(AUDIT, Event::Audit);
        Driver {
            world: World::within(sim, time),
            rows: Arc::new(MemoryStore::new()),
            processes: (0..script.controllers).map(|_| None).collect(),
            clocks,
            versions: BTreeMap::new(),
            template_version: 0,
            rested: false,
            events: 0,
            strikes: options.strokes.is_some(),
            script: script.clone(),
        }
    }

    async fn drive(&mut self) {
        let world = self.world.clone();
        // Made once: they are waited for at every event.
        let mut planned = pin!(world.planned.notified());
        let mut timer = pin!(sleep_until(world.instant(0)));
        while !self.rested {
            let (due, event) = {
                let mut sim = world.sim();
                let now = sim.now;
                if now >= self.script.end_at {
                    return;
                }
                match sim.queue.take(now) {
                    Some(event) => (now, Some(event)),
                    None => (sim.queue.due().unwrap_or(Ms::MAX).min(self.script.end_at), None),
                }
            };
            if let Some(event) = event {
                self.events += 1;
                self.happen(event);
                if self.strikes {
                    // Before its process hears of anything.
                    self.look_after_processes();
                }
                continue;
            }
            timer.as_mut().reset(world.instant(due));
            tokio::select! {
                biased;
                () = planned.as_mut() => {
                    planned.set(world.planned.notified());
                    self.look_after_processes();
                }
                () = timer.as_mut() => {}
            }
        }
    }

    /// Processes that ended by themselves, or that are struck down at this effect, are started anew.
    fn look_after_processes(&mut self) {
        let due = self.world.sim().strokes.as_mut().map(|strokes| std::mem::take(&mut strokes.due));
        let due = due.unwrap_or_default();
        for controller in 0..self.processes.len() {
            let ended = self.processes[controller]
                .as_ref()
                .is_some_and(|process| process.fate.ended.load(Ordering::Relaxed));
            let stroke = due.get(&controller);
            if stroke.is_some_and(|stroke| stroke.freezes()) {
                self.freeze(controller, FROZEN_FOR);
            } else if ended || stroke.is_some() {
                let after = self.world.sim().rng.between(SECOND, 20 * SECOND);
                let why = if stroke.is_some() { "crashes" } else { "ended by itself" };
                self.end_process(controller, after, why);
            }
        }
    }

    fn freeze(&self, controller: usize, span: Ms) {
        let Some(process) = &self.processes[controller] else { return };
        process.freeze(true);
        let mut sim = self.world.sim();
        check::down(&mut sim, controller);
        sim.plan(span, Event::Thaw(controller));
    }

    fn end_process(&mut self, controller: usize, back_after: Ms, why: &str) {
        let Some(process) = self.processes.get_mut(controller).and_then(Option::take) else { return };
        process.crash();
        let mut sim = self.world.sim();
        check::down(&mut sim, controller);
        let now = sim.now;
        sim.trace.note(now, format_args!("controller {controller} {why}, back after {back_after} ms"));
        sim.cut_activator(controller);
        sim.plan(back_after, Event::Start(controller));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Report(report) => return self.report(*report),
            Event::Ask { service, takes, left, gap } => {
                if left > 0 {
                    self.world.sim().plan(gap, Event::Ask { service, takes, left: left - 1, gap });
                }
                return self.ask(service, takes);
            }
            Event::Act(index) => return self.act(index),
            Event::Start(controller) => return self.start(controller),
            Event::Thaw(controller) => {
                if let Some(process) = &self.processes[controller] {
                    let mut sim = self.world.sim();
                    check::up(&mut sim, controller, false);
                    let now = sim.now;
                    sim.trace.note(now, format_args!("controller {controller} goes on"));
                    drop(sim);
                    process.freeze(false);
                }
                return;
            }
            Event::Calm => return self.calm(),
            _ => {}
        }
        let mut sim = self.world.sim();
        let sim = &mut *sim;
        match event {
            Event::Audit => {
                check::audit(sim);
                self.rested = check::is_at_rest(sim);
                sim.plan(AUDIT, Event::Audit);
            }
            event => sim.happen(event),
        }
    }

    fn start(&mut self, controller: usize) {
        if self.processes[controller].is_some() {
            return;
        }
        {
            let mut sim = self.world.sim();
            check::up(&mut sim, controller, true);
            let now = sim.now;
            sim.trace.note(now, format_args!("controller {controller} starts"));
        }
        let clock = self.clocks[controller].clone();
        let process = Process::start(&self.world, &self.rows, controller, clock, self.script.told);
        if self.versions.is_empty() {
            for index in 0..self.script.services {
                self.versions.insert(index, 1);
                client::declare(&self.world, &process, self.manifest(index));
            }
            if self.script.made > 0 {
                client::declare_template(&process, self.template());
            }
        }
        self.processes[controller] = Some(process);
    }

    /// What a service is declared as.
    fn manifest(&self, index: usize) -> Service {
        let mut spec = ServiceSpec::defaults_for("demo");
        let mut rng = Rng::new(self.script.seed.wrapping_add(u64::try_from(index).unwrap_or(0)));
        let idle = [2, 5, 10, 0][rng.index(4)];
        spec.idle_after =
            if idle == 0 { IdleAfter::Never } else { IdleAfter::After(Duration::from_secs(idle * 60)) };
        spec.drain = Duration::from_secs(rng.between(5, 30));
        if rng.chance(200) && self.script.services <= 3 {
            // It takes more than half of an instance.
            spec.cpu = 1200;
        }
        spec.proxy.spot = rng.chance(200);
        spec.env.insert("VERSION".to_owned(), self.versions.get(&index).copied().unwrap_or(0).to_string());
        if index > 0 && (self.script.chained || rng.chance(200)) {
            spec.depends_on = vec![name_of(0)];
        }
        // Drawn last, so that the rest stays as it is.
        if rng.chance(150) {
            spec.fallback = Fallback::Fargate;
        }
        let version = self.versions.get(&index).copied().unwrap_or(0);
        if version > 1 {
            let mut rng =
                Rng::new(self.script.seed ^ (u64::try_from(index).unwrap_or(0) << 32) ^ u64::from(version));
            match rng.below(6) {
                0 => spec.drain = Duration::from_secs(rng.between(1, 60)),
                1 => spec.idle_after = IdleAfter::After(Duration::from_secs(60 * rng.between(1, 10))),
                2 => spec.proxy.spot = !spec.proxy.spot,
                3 => spec.fallback = if rng.chance(500) { Fallback::Fargate } else { Fallback::None },
                _ => {}
            }
        }
        Service::new(name_of(index), spec)
    }

    /// What the template is declared as.
    fn template(&self) -> ServiceTemplate {
        let version = self.template_version;
        let mut spec = ServiceSpec::defaults_for("demo");
        spec.idle_after = IdleAfter::After(Duration::from_secs(120));
        spec.drain = Duration::from_secs(5);
        spec.env.insert("VERSION".to_owned(), version.to_string());
        let mut template = ServiceTemplate::new(TEMPLATE, "preview-*", spec);
        template.spec.expire_after = Duration::from_secs(60 * u64::from(3 + version % 3));
        template.spec.max = 2 + version % 2;
        template
    }

    /// The controller that answers: the leader as a rule.
    fn front(&self) -> Option<&Process> {
        let (leads, misrouted) = {
            let mut sim = self.world.sim();
            let rate = sim.profile.misrouted;
            (sim.truth.leader.map(|(controller, _)| controller), sim.rng.chance(rate))
        };
        let answers = |process: &&Process| process.fate.answers();
        let leader = leads.and_then(|leads| self.processes[leads].as_ref()).filter(answers);
        let other = self.processes.iter().enumerate().filter(|(index, _)| Some(*index) != leads);
        let other = other.filter_map(|(_, process)| process.as_ref()).find(answers);
        if misrouted { other.or(leader) } else { leader.or(other) }
    }

    fn report(&self, report: Report) {
        let Some(process) = self.front() else { return };
        // A standby passes it on to whom it follows; without anybody it hears nothing.
        let leader = if process.plane.hears() { None } else { Some(process.plane.leader().borrow().clone()) };
        let (plane, controller) = match leader {
            None => (process.plane.clone(), process.controller),
            Some(url) => match url.and_then(|url| self.world.peer(&url)).filter(|peer| peer.fate.answers()) {
                Some(peer) if peer.plane.hears() => (peer.plane, peer.controller),
                _ => return,
            },
        };
        let token = self.world.sim().token_of(&report);
        let answer = plane.heartbeat(&token, report.beat.clone());
        let mut sim = self.world.sim();
        if answer.is_some() && sim.audit.leader() == Some(controller) {
            check::heard(&mut sim, &report);
        }
        match answer {
            Some(_) if report.forged => {
                sim.violate("S6", format!("a forged heartbeat of {} is believed", report.identity))
            }
            Some(answer) => {
                let takes = sim.rng.between(1, 10);
                sim.plan(takes, Event::Told(report.arn, answer));
            }
            None => {}
        }
    }

    fn ask(&self, service: usize, takes: Ms) {
        let front = self.front();
        client::ask(&self.world, front, service, takes);
    }
}

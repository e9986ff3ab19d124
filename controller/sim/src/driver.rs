//! One run from its first second to its last: the events of the world in order, and the controllers in between.

use crate::check;
use crate::client;
use crate::ports::clock::SimClock;
use crate::process::Process;
use crate::profile::{MINUTE, Ms, Profile, SECOND};
use crate::queue::{Event, Queue, Report};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::sim::{CrashAt, Sim, World};
use crate::trace::Trace;
use crate::truth::Truth;
use crate::truth::requests::Answers;
use dormouse::plane::{Asked, Plane as _};
use dormouse_core::settings::Settings;
use dormouse_manifests::{IdleAfter, Service, ServiceSpec};
use dormouse_peer::wire::Role;
use dormouse_state::MemoryStore;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

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
    /// Effects that controllers had, rows included; counted when crashes were asked for.
    pub effects: u64,
    /// Calls that changed something.
    pub mutations: u64,
}

/// What a run is asked for besides its script.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keep the timeline.
    pub trace: bool,
    /// Crash at these effects (counted from 0), before or after each.
    pub crash: Option<(Vec<u64>, bool)>,
}

/// Runs a script.
pub fn run(script: &Script, options: &Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(Driver::run(script, options)),
        // Without a runtime nothing was simulated: that must not look like success.
        Err(error) => Outcome {
            violations: vec![check::Violation { at: 0, id: "SIM", what: error.to_string() }],
            hash: 0,
            lines: Vec::new(),
            simulated: 0,
            answers: Answers::default(),
            effects: 0,
            mutations: 0,
        },
    }
}

struct Driver {
    world: World,
    rows: Arc<MemoryStore>,
    processes: Vec<Option<Process>>,
    clocks: Vec<Arc<SimClock>>,
    script: Script,
    versions: Vec<u32>,
    /// The world was left alone by everybody for long enough.
    rested: bool,
}

impl Driver {
    async fn run(script: &Script, options: &Options) -> Outcome {
        let mut driver = Driver::new(script, options);
        driver.drive().await;
        driver.processes.iter().flatten().for_each(Process::crash);
        let mut sim = driver.world.sim();
        check::at_end(&mut sim);
        Outcome {
            violations: std::mem::take(&mut sim.audit.violations),
            hash: sim.trace.hash(),
            lines: sim.trace.take(),
            simulated: sim.now,
            answers: sim.audit.answers,
            effects: sim.crash.as_ref().map_or(0, |crash| crash.count),
            mutations: sim.audit.mutations,
        }
    }

    fn new(script: &Script, options: &Options) -> Driver {
        let mut rng = Rng::new(script.seed ^ 0x5EED);
        let settings = Settings::example();
        let mut truth = Truth {
            services: (0..script.services).map(|index| format!("svc{index}")).collect(),
            activator: settings.wildcard.clone().unwrap_or_default().concat(),
            ..Truth::default()
        };
        truth.fleet.max = script.max_instances;
        let start = Instant::now();
        let skew = script.skew;
        let clocks: Vec<Arc<SimClock>> = (0..script.controllers)
            .map(|_| {
                let wrong =
                    i64::try_from(rng.below(2 * skew)).unwrap_or(0) - i64::try_from(skew).unwrap_or(0);
                Arc::new(SimClock::new(start, wrong))
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
            audit: check::Audit::new(2 * skew),
            settings,
            crash: options.crash.clone().map(|(effects, after)| CrashAt {
                effects,
                after,
                count: 0,
                due: false,
            }),
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
            world: World::new(sim),
            rows: Arc::new(MemoryStore::new()),
            processes: (0..script.controllers).map(|_| None).collect(),
            clocks,
            versions: vec![0; script.services],
            rested: false,
            script: script.clone(),
        }
    }

    async fn drive(&mut self) {
        let world = self.world.clone();
        while !self.rested {
            let due = world.sim().queue.due().unwrap_or(Ms::MAX).min(self.script.end_at);
            if world.now() >= due {
                if world.now() >= self.script.end_at {
                    return;
                }
                let event = {
                    let mut sim = world.sim();
                    let now = sim.now;
                    sim.queue.take(now)
                };
                if let Some(event) = event {
                    self.happen(event);
                }
                continue;
            }
            tokio::select! {
                biased;
                () = world.planned.notified() => self.look_after_processes(),
                () = sleep_until(world.instant(due)) => {}
            }
        }
    }

    /// Processes that ended by themselves, or that are to crash at this effect, are started anew.
    fn look_after_processes(&mut self) {
        let due = self.world.sim().crash.as_mut().is_some_and(|crash| std::mem::take(&mut crash.due));
        for controller in 0..self.processes.len() {
            let ended = self.processes[controller]
                .as_ref()
                .is_some_and(|process| process.fate.ended.load(Ordering::Relaxed));
            if ended || due {
                let after = self.world.sim().rng.between(SECOND, 20 * SECOND);
                self.end_process(controller, after, if due { "crashes" } else { "ended by itself" });
            }
        }
    }

    fn end_process(&mut self, controller: usize, back_after: Ms, why: &str) {
        let Some(process) = self.processes.get_mut(controller).and_then(Option::take) else { return };
        process.crash();
        let mut sim = self.world.sim();
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
            Event::Do(work) => work(sim),
            Event::Task(arn, step) => sim.step_task(&arn, step),
            Event::Dies(arn) => sim.exit_task(&arn, "app", 1),
            Event::Instance(id, step) => sim.step_instance(&id, step),
            Event::Group => sim.group(),
            Event::Insync(id) => sim.insync(&id),
            Event::Beat(arn, plan) => sim.beat(&arn, plan),
            Event::Told(arn, answer) => sim.told(&arn, answer),
            Event::Check(arn) => sim.check(&arn),
            Event::Answered(id) => sim.answered(id),
            Event::Forget(arn) => sim.forget_task(&arn),
            Event::Audit => {
                check::audit(sim);
                self.rested = check::is_at_rest(sim);
                sim.plan(AUDIT, Event::Audit);
            }
            _ => {}
        }
    }

    fn start(&mut self, controller: usize) {
        if self.processes[controller].is_some() {
            return;
        }
        {
            let mut sim = self.world.sim();
            let now = sim.now;
            sim.trace.note(now, format_args!("controller {controller} starts"));
        }
        let process = Process::start(&self.world, &self.rows, controller, self.clocks[controller].clone());
        if self.versions.iter().all(|version| *version == 0) {
            for index in 0..self.versions.len() {
                self.versions[index] = 1;
                client::declare(&self.world, &process, self.manifest(index));
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
        spec.env.insert("VERSION".to_owned(), self.versions[index].to_string());
        if index > 0 && rng.chance(200) {
            spec.depends_on = vec!["svc0".to_owned()];
        }
        Service::new(format!("svc{index}"), spec)
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
        let token = self.world.sim().token_of(&report);
        let answer = process.plane.heartbeat(&token, report.beat);
        let mut sim = self.world.sim();
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

    fn act(&mut self, index: usize) {
        let Some((_, act)) = self.script.acts.get(index).cloned() else { return };
        {
            let mut sim = self.world.sim();
            let now = sim.now;
            sim.trace.note(now, format_args!("· {act:?}"));
        }
        match act {
            Act::Crash(controller, down) => return self.end_process(controller, down, "crashes"),
            Act::Freeze(controller, span) => {
                if let Some(process) = &self.processes[controller] {
                    process.freeze(true);
                    self.world.sim().plan(span, Event::Thaw(controller));
                }
                return;
            }
            Act::Replace(controller) => {
                if let Some(process) = &self.processes[controller] {
                    process.stop();
                }
                return;
            }
            Act::Jump(controller, by) => {
                self.clocks[controller].wrong_by.fetch_add(by, Ordering::Relaxed);
                self.world.sim().audit.slack += by.unsigned_abs();
                return;
            }
            Act::Declare(service) => {
                self.versions[service] += 1;
                let manifest = self.manifest(service);
                if let Some(process) = self.front() {
                    client::declare(&self.world, process, manifest);
                }
                return;
            }
            Act::Delete(service) | Act::Wake(service) | Act::Sleep(service) => {
                let name = format!("svc{service}");
                let Some(process) = self.front() else { return };
                let plane = process.plane.clone();
                process.spawn(async move {
                    let asked = Asked { origin: "api", reason: "an operator".to_owned() };
                    // Whatever comes of it: an operator would look, and try again.
                    match act {
                        Act::Delete(_) => drop(plane.delete(&name).await),
                        Act::Wake(_) => drop(plane.wake(&name, asked, None).await),
                        _ => drop(plane.sleep(&name, asked).await),
                    }
                });
                return;
            }
            _ => {}
        }
        let mut sim = self.world.sim();
        let sim = &mut *sim;
        match act {
            Act::Ask { service, count, gap, takes } => {
                sim.plan(0, Event::Ask { service, takes, left: count, gap })
            }
            Act::Wish(service) => {
                if let Some(arn) = sim.newest(service, Role::Service)
                    && let Some(task) = sim.truth.tasks.get_mut(&arn)
                {
                    task.sidecar.wish.get_or_insert(None);
                }
            }
            Act::Kill(service, role) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.exit_task(&arn, "app", 1);
                }
            }
            Act::Stop(service, role) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.stop_task(&arn, false, "by hand");
                }
            }
            Act::Hang(service, role, span) => {
                if let Some(arn) = sim.newest(service, role) {
                    sim.truth.hung.insert(arn, sim.now + span);
                }
            }
            Act::Deaf(service, span) => {
                if let Some(arn) = sim.newest(service, Role::Service)
                    && let Some(task) = sim.truth.tasks.get_mut(&arn)
                    && task.sidecar.answers_at < Ms::MAX
                {
                    task.sidecar.answers_at = sim.now + span;
                }
            }
            Act::Break(nth) => sim.kill_instance(nth),
            Act::Disconnect(nth, span) => sim.disconnect(nth, span),
            Act::Stranger(lives) => sim.stranger_task(lives),
            Act::Record(service, set) => {
                let name = dormouse_core::naming::record_name(
                    &format!("svc{service}"),
                    &sim.settings.domain.clone(),
                );
                sim.operator_record(&name, set.then_some("192.0.2.66"));
            }
            _ => {}
        }
    }

    /// Faults cease: what is broken is mended, and the world is left alone.
    fn calm(&mut self) {
        let mut sim = self.world.sim();
        sim.profile = Profile { stale: 0, ..Profile::CALM };
        sim.calm = true;
        sim.audit.calm_since = Some(sim.now);
        let now = sim.now;
        sim.trace.note(now, format_args!("CALM"));
        let domain = sim.settings.domain.clone();
        for name in sim.truth.services.clone() {
            let name = dormouse_core::naming::record_name(&name, &domain);
            if !sim.truth.zone.ours.contains(&(name.clone(), "A".to_owned())) {
                sim.operator_record(&name, None);
            }
        }
        let hung: Vec<String> = std::mem::take(&mut sim.truth.hung).into_keys().collect();
        for arn in hung {
            if let Some(step) = sim.truth.tasks.get(&arn).map(|task| task.step) {
                sim.plan(SECOND, Event::Task(arn, step));
            }
        }
        let strangers =
            sim.truth.tasks.values().filter(|task| task.is_there() && task.seen.identity.is_none());
        let strangers: Vec<String> = strangers.map(|task| task.seen.arn.clone()).collect();
        strangers.iter().for_each(|arn| sim.over(arn));
        sim.plan(MINUTE, Event::Group);
        drop(sim);
        for process in self.processes.iter().flatten() {
            process.freeze(false);
        }
    }
}

impl Sim {
    /// The newest task of a service's role that is there.
    fn newest(&self, service: usize, role: Role) -> Option<String> {
        let name = self.truth.services.get(service)?;
        let of_role = self.truth.tasks.values().filter(|task| task.is_there() && task.role() == Some(role));
        of_role
            .filter(|task| task.service() == Some(name))
            .max_by_key(|task| task.created)
            .map(|task| task.seen.arn.clone())
    }
}

//! ECS tasks: RunTask with idempotency tokens, a life with delays, StopTask, describe with lag.

use super::history::History;
use super::sidecar::Sidecar;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::queue::Event;
use crate::sim::Sim;
use dormouse_aws::ports::{CloudError, Described, RunAnswer, RunCall};
use dormouse_core::observed::{Resources, Task, TaskStatus};
use dormouse_peer::wire::Role;
use dormouse_state::Launch;
use std::collections::BTreeSet;

/// How long containers of a service last of which nothing works.
const POISONED_LIVES: Ms = 25 * SECOND;
/// Stopped tasks stay visible for so long.
const VISIBLE: Ms = 60 * MINUTE;
/// ECS gives a network interface up after this.
const ENI_TIMEOUT: Ms = 3 * MINUTE;
/// Interfaces of awsvpc tasks on one instance.
const INTERFACES: usize = 3;

/// A task as it really is.
#[derive(Debug)]
pub struct SimTask {
    /// What ECS shows of it.
    pub seen: Task,
    /// `startedBy`.
    pub started_by: String,
    /// Its client token.
    pub token: String,
    /// Which making of its row it is for.
    pub incarnation: String,
    /// What it takes of its instance.
    pub size: Resources,
    /// When RunTask made it.
    pub created: Ms,
    /// When somebody asked for its stop, and whether that was a controller of ours.
    pub stop_asked: Option<(Ms, bool)>,
    /// When its end began.
    pub ended_at: Option<Ms>,
    /// When it was over.
    pub stopped_at: Option<Ms>,
    /// Grows with each step of its life; what was planned for another step is void.
    pub step: u32,
    /// The address that it was given in public.
    pub public: Option<String>,
    /// What runs in it.
    pub sidecar: Sidecar,
    /// An end that its instance's agent has not told of yet, or was not told of.
    unheard: Option<End>,
    history: History<Task>,
}

/// Why a task ends.
#[derive(Debug, Clone)]
struct End {
    code: String,
    reason: String,
    /// The container that exited by itself, and its code.
    exit: Option<(String, i32)>,
}

impl SimTask {
    /// One that runs, of somebody whose sidecars tell us nothing.
    pub fn of_another(seen: Task, started_by: String, size: Resources, now: Ms) -> SimTask {
        SimTask {
            seen,
            started_by,
            token: String::new(),
            incarnation: String::new(),
            size,
            created: now,
            stop_asked: None,
            ended_at: None,
            stopped_at: None,
            step: 0,
            public: None,
            sidecar: Sidecar::new(0, now),
            unheard: None,
            history: History::default(),
        }
    }

    /// Whether it takes an interface of its instance, as every task of an installation does.
    fn has_interface(&self) -> bool {
        self.started_by.starts_with("dormouse/")
    }

    /// Whether it is not over.
    pub fn is_there(&self) -> bool {
        self.seen.status != TaskStatus::Stopped
    }

    /// Whether its containers run.
    pub fn runs(&self) -> bool {
        matches!(self.seen.status, TaskStatus::Running | TaskStatus::Stopping) && !self.sidecar.exited
    }

    /// Its service's name, when it is one of ours.
    pub fn service(&self) -> Option<&str> {
        self.seen.identity.as_ref().map(|identity| identity.service.as_str())
    }

    /// Its role, when it is one of ours.
    pub fn role(&self) -> Option<Role> {
        self.seen.identity.as_ref().map(|identity| identity.role)
    }
}

impl Sim {
    /// RunTask.
    pub fn run_task(&mut self, call: &RunCall) -> Result<RunAnswer, CloudError> {
        let fingerprint = format!(
            "{:?}{:?}{:?}{:?}{:?}",
            call.identity, call.started_by, call.parameters, call.env, call.tags
        );
        if let Some((known, arn)) = self.truth.tokens.get(&call.client_token) {
            return Ok(match self.truth.tasks.get(arn) {
                Some(task) if *known == fingerprint => RunAnswer::Started(Box::new(task.seen.clone())),
                _ => RunAnswer::TokenConflict(vec![arn.clone()]),
            });
        }
        let launch = call.parameters.launch;
        if self.rng.chance(self.profile.run_fails) {
            self.trace.note(self.now, format_args!("RunTask {} fails", call.identity));
            return Ok(RunAnswer::Failed("ATTRIBUTE".to_owned()));
        }
        let (fargate, spot) = self.truth.scarce_until;
        if self.now < fargate && launch != Launch::Ec2 || self.now < spot && launch == Launch::FargateSpot {
            self.trace.note(self.now, format_args!("RunTask {} fails: no capacity", call.identity));
            if launch == Launch::FargateSpot {
                self.truth.unplaced.insert(call.identity.clone());
            }
            return Ok(RunAnswer::NoCapacity("Capacity is unavailable at this time".to_owned()));
        }
        let definition = self.truth.definitions.get(&call.parameters.task_definition);
        let Some(size) = definition.filter(|known| known.active).map(|known| known.size) else {
            self.trace.note(self.now, format_args!("RunTask {} fails: inactive definition", call.identity));
            return Err(CloudError::Refused {
                operation: "ecs:RunTask",
                code: "InvalidParameterException".to_owned(),
                message: "TaskDefinition is inactive".to_owned(),
            });
        };
        let (size, on) = if call.parameters.launch == Launch::Ec2 {
            match self.place(size) {
                Ok(on) => (size, Some(on)),
                Err(why) => {
                    self.trace.note(self.now, format_args!("RunTask {}: {why}", call.identity));
                    return Ok(RunAnswer::NoRoom(why.to_owned()));
                }
            }
        } else {
            (Resources::default(), None)
        };
        let number = self.truth.number();
        let arn = format!("arn:task/{number}");
        let made = Task::made(&arn, &call.parameters.cluster, Some(call.identity.clone()));
        let seen = Task { container_instance: on.clone(), ..made };
        self.trace.note(
            self.now,
            format_args!("RunTask {} → {arn} {}", call.identity, on.as_deref().unwrap_or("fargate")),
        );
        self.truth.tokens.insert(call.client_token.clone(), (fingerprint, arn.clone()));
        let task = SimTask {
            seen: seen.clone(),
            started_by: call.started_by.clone(),
            token: call.client_token.clone(),
            incarnation: call.parameters.incarnation.clone(),
            size,
            created: self.now,
            stop_asked: None,
            ended_at: None,
            stopped_at: None,
            step: 0,
            public: None,
            sidecar: Sidecar::new(number, self.now),
            unheard: None,
            history: History::default(),
        };
        self.truth.tasks.insert(arn.clone(), task);
        self.changed(&arn);
        self.after_run(&arn);
        Ok(RunAnswer::Started(Box::new(seen)))
    }

    /// Chooses an instance, as ECS's placement does: any with room.
    pub fn place(&mut self, size: Resources) -> Result<String, &'static str> {
        let room = self.with_room(size)?;
        let index = self.rng.index(room.len());
        Ok(room[index].clone())
    }

    /// The instances with room, or why there is none.
    pub fn with_room(&self, size: Resources) -> Result<Vec<String>, &'static str> {
        if self.truth.fleet.in_cluster().next().is_none() {
            return Err("NO_INSTANCES");
        }
        let (mut room, mut why) = (Vec::new(), "RESOURCE:CPU");
        for member in self.truth.fleet.in_cluster().filter(|member| member.active && member.connected) {
            let on = || {
                self.truth.tasks.values().filter(|task| {
                    task.is_there() && task.seen.container_instance.as_ref() == Some(&member.arn)
                })
            };
            let free = on().fold(member.size, |free, task| free.minus(task.size));
            if free.cpu < size.cpu {
                why = "RESOURCE:CPU";
            } else if free.memory < size.memory {
                why = "RESOURCE:MEMORY";
            } else if on().filter(|task| task.has_interface()).count() >= INTERFACES {
                why = "RESOURCE:ENI";
            } else {
                room.push(member.arn.clone());
            }
        }
        if room.is_empty() { Err(why) } else { Ok(room) }
    }

    /// Its life goes on.
    pub fn step_task(&mut self, arn: &str, step: u32) {
        let heard = self.is_heard_of(arn);
        let Some(task) = self.truth.tasks.get_mut(arn).filter(|task| heard && task.step == step) else {
            return;
        };
        let hung = self.truth.hung.get(arn).copied().filter(|until| *until > self.now);
        if let Some(until) = hung.filter(|_| !self.calm) {
            let after = until - self.now;
            self.plan(after, Event::Task(arn.to_owned(), step));
            return;
        }
        let mut given = None;
        match task.seen.status {
            TaskStatus::Provisioning => {
                let fargate = task.seen.container_instance.is_none();
                let ours = task.service().map(str::to_owned);
                task.seen.status = TaskStatus::Pending;
                task.seen.interface = Some(format!("eni-{arn}"));
                task.seen.private_address = Some(self.truth.network.private(arn));
                if fargate {
                    let public = self.truth.network.public(arn);
                    task.public = Some(public.clone());
                    given = Some(public.clone()).zip(ours);
                    let late = self.profile.eni_late;
                    let shown =
                        self.now + if self.rng.chance(late) { self.rng.below(30 * SECOND) } else { 0 };
                    self.truth.network.interfaces.insert(format!("eni-{arn}"), (public, shown));
                }
                self.next_step(arn, (SECOND, 20 * SECOND));
            }
            TaskStatus::Pending => {
                task.seen.status = TaskStatus::Running;
                task.step += 1;
                let fails = task.service().is_some_and(|name| self.truth.poisoned.contains(name));
                self.start_sidecar(arn);
                if fails {
                    self.plan(POISONED_LIVES, Event::Dies(arn.to_owned()));
                }
            }
            TaskStatus::Stopping => {
                task.seen.status = TaskStatus::Deprovisioning;
                self.containers_end(arn);
                self.next_step(arn, (SECOND, 10 * SECOND));
                self.give_address_up(arn);
            }
            TaskStatus::Deprovisioning => self.over(arn),
            _ => return,
        }
        if let Some((address, service)) = given {
            crate::check::address_given(self, &service, &address);
        }
        self.changed(arn);
    }

    fn next_step(&mut self, arn: &str, delay: (Ms, Ms)) {
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        task.step += 1;
        let step = task.step;
        let after = self.span(delay);
        if self.rng.chance(self.profile.hangs) {
            let until = self.now + self.rng.between(MINUTE, 60 * MINUTE);
            self.trace.note(self.now, format_args!("{arn} hangs"));
            self.truth.hung.insert(arn.to_owned(), until);
        }
        self.plan(after, Event::Task(arn.to_owned(), step));
    }

    fn after_run(&mut self, arn: &str) {
        if self.rng.chance(self.profile.eni_fails) {
            let arn = arn.to_owned();
            return self.plan(ENI_TIMEOUT, Event::Do(Box::new(move |sim| sim.interface_fails(&arn))));
        }
        self.next_step(arn, (SECOND, 8 * SECOND));
        if self.rng.chance(self.profile.dies_early) {
            let after = self.rng.between(SECOND, 5 * MINUTE);
            self.plan(after, Event::Dies(arn.to_owned()));
        }
    }

    /// Its network interface did not come up.
    fn interface_fails(&mut self, arn: &str) {
        let waits = |task: &SimTask| task.seen.status == TaskStatus::Provisioning && !task.seen.stopping;
        if self.truth.tasks.get(arn).is_some_and(waits) {
            self.trace.note(self.now, format_args!("{arn} gets no network interface"));
            let reason = "Timeout waiting for network interface provisioning to complete.";
            self.end_task(arn, "TaskFailedToStart", reason, None);
        }
    }

    /// Fargate Spot takes a task back: SIGTERM at once, the end two minutes later at the latest.
    pub fn interrupt_task(&mut self, arn: &str) {
        let running = |task: &SimTask| task.seen.status == TaskStatus::Running && !task.seen.stopping;
        if self.truth.tasks.get(arn).is_some_and(running) {
            self.trace.note(self.now, format_args!("{arn} is taken back by Spot"));
            self.end_task(arn, "SpotInterruption", "Your Spot Task was interrupted.", None);
        }
    }

    /// Its interface goes while it is in DEPROVISIONING, and the public address with it: somebody else may have it before
    /// the task is STOPPED.
    ///
    /// Source: Amazon ECS Developer Guide, "Amazon ECS task lifecycle".
    fn give_address_up(&mut self, arn: &str) {
        let Some(address) = self.truth.tasks.get(arn).and_then(|task| task.public.clone()) else { return };
        if self.truth.network.public.get(&address).is_none_or(|owner| owner != arn) {
            return;
        }
        self.truth.network.interfaces.remove(&format!("eni-{arn}"));
        self.truth.network.release_public(&address);
        self.maybe_to_a_stranger();
    }

    /// The address that was just released may go to somebody else, who keeps it for a while.
    fn maybe_to_a_stranger(&mut self) {
        if !self.rng.chance(self.profile.strangers) {
            return;
        }
        let Some(address) = self.truth.network.to_a_stranger() else { return };
        self.trace.note(self.now, format_args!("a stranger gets {address}"));
        let keeps = self.rng.between(MINUTE, 20 * MINUTE);
        self.plan(keeps, Event::Do(Box::new(move |sim| sim.truth.network.release_public(&address))));
    }

    /// Whether StopTask finds a task: of one that was just made, or was forgotten, ECS knows nothing.
    pub fn find_to_stop(&mut self, arn: &str) -> Result<(), CloudError> {
        let lag = self.lag(self.profile.task_lag.min(20 * SECOND));
        let created = self.truth.tasks.get(arn).map(|task| task.created);
        if created.is_some_and(|created| created + lag <= self.now) {
            return Ok(());
        }
        self.trace.note(self.now, format_args!("StopTask {arn} fails: it is not found"));
        Err(CloudError::Refused {
            operation: "ecs:StopTask",
            code: "InvalidParameterException".to_owned(),
            message: "The referenced task was not found.".to_owned(),
        })
    }

    /// StopTask; `ours`: by a controller. One that is over already is left.
    pub fn stop_task(&mut self, arn: &str, ours: bool, reason: &str) {
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if !task.is_there() || task.seen.stopping {
            return;
        }
        self.trace.note(self.now, format_args!("StopTask {arn} ({reason})"));
        task.stop_asked.get_or_insert((self.now, ours));
        let code = if ours { "UserInitiated" } else { "ServiceSchedulerInitiated" };
        self.end_task(arn, code, reason, None);
    }

    /// A task ends by itself: a container of it exits with this code.
    pub fn exit_task(&mut self, arn: &str, container: &str, code: i32) {
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if task.seen.status > TaskStatus::Running || task.seen.stopping || task.sidecar.exited {
            return;
        }
        self.trace.note(self.now, format_args!("{arn} ends: {container} exits with {code}"));
        self.end_task(
            arn,
            "EssentialContainerExited",
            "Essential container in task exited",
            Some((container, code)),
        );
    }

    /// Whether the agent of its instance speaks with ECS. Fargate's always does.
    fn is_heard_of(&self, arn: &str) -> bool {
        let on = self.truth.tasks.get(arn).and_then(|task| task.seen.container_instance.as_ref());
        let member = on.and_then(|on| self.truth.fleet.members.values().find(|member| member.arn == *on));
        member.is_none_or(|member| member.connected || member.lifecycle == "Terminating")
    }

    /// Its instance's agent is back, or the instance goes: what was waited for happens.
    pub fn heard_of_again(&mut self, arn: &str) {
        let Some(task) = self.truth.tasks.get_mut(arn).filter(|task| task.is_there()) else { return };
        match task.unheard.take() {
            Some(End { code, reason, exit }) => {
                let exit = exit.as_ref().map(|(container, code)| (container.as_str(), *code));
                self.end_task(arn, &code, &reason, exit);
            }
            None => {
                let step = task.step;
                self.plan(SECOND, Event::Task(arn.to_owned(), step));
            }
        }
    }

    fn end_task(&mut self, arn: &str, code: &str, reason: &str, exit: Option<(&str, i32)>) {
        let heard = self.is_heard_of(arn);
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if !heard {
            // ECS shows it as it was: it knows nothing of an end there, and there nobody knows of a StopTask.
            let exit = exit.map(|(container, code)| (container.to_owned(), code));
            task.seen.stopping |= exit.is_none();
            let exited = exit.is_some();
            let end = End { code: code.to_owned(), reason: reason.to_owned(), exit };
            task.unheard.get_or_insert(end);
            if exited {
                task.ended_at.get_or_insert(self.now);
                self.containers_end(arn);
            }
            return self.changed(arn);
        }
        task.seen.stopping = true;
        task.ended_at.get_or_insert(self.now);
        task.seen.stop_code = Some(code.to_owned());
        task.seen.stopped_reason = Some(reason.to_owned());
        if let Some((container, code)) = exit {
            task.seen.exit_codes.insert(container.to_owned(), code);
        }
        if task.seen.status < TaskStatus::Running {
            task.seen.status = TaskStatus::Deprovisioning;
            task.sidecar.exited = true;
            self.next_step(arn, (SECOND, 5 * SECOND));
            self.give_address_up(arn);
        } else {
            task.seen.status = TaskStatus::Stopping;
            // One that ended by itself serves nobody any more; one that was told to ends what it has.
            let grace = match task.role() {
                Some(Role::Proxy) if exit.is_none() => self.drain_of(arn),
                _ => (200, 3 * SECOND),
            };
            if exit.is_some() {
                self.containers_end(arn);
            }
            self.next_step(arn, grace);
        }
        self.changed(arn);
    }

    /// It is over.
    pub fn over(&mut self, arn: &str) {
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if !task.is_there() {
            return;
        }
        task.seen.status = TaskStatus::Stopped;
        task.seen.stopping = true;
        task.ended_at.get_or_insert(self.now);
        task.stopped_at = Some(self.now);
        task.step += 1;
        self.trace.note(self.now, format_args!("{arn} is STOPPED"));
        self.containers_end(arn);
        let Some(task) = self.truth.tasks.get_mut(arn) else { return };
        if let Some(address) = task.seen.private_address.clone() {
            self.truth.network.release_private(&address);
        }
        self.give_address_up(arn);
        self.changed(arn);
        self.plan(VISIBLE, Event::Forget(arn.to_owned()));
    }

    /// An hour later, or a stranger's end.
    pub fn forget_task(&mut self, arn: &str) {
        let Some(task) = self.truth.tasks.get(arn) else { return };
        if task.is_there() {
            self.over(arn);
        } else {
            self.truth.tasks.remove(arn);
        }
    }

    /// Remembers what is shown of a task from now on, and has the invariants look.
    pub fn changed(&mut self, arn: &str) {
        let now = self.now;
        if let Some(task) = self.truth.tasks.get_mut(arn) {
            task.history.push(now, task.seen.clone());
            let on_instance = task.seen.container_instance.is_some();
            if on_instance {
                self.fleet_changed();
            }
        }
        crate::check::after_task(self, arn);
    }

    /// ListTasks by `startedBy` and desired status RUNNING, as of `lag` ago.
    pub fn list_tasks(&mut self, cluster: &str, started_by: &str) -> Vec<String> {
        let page = usize::try_from(self.profile.page).unwrap_or(0);
        let mut at = self.now - self.lag(self.profile.task_lag).min(self.now);
        let mut listed = Vec::new();
        let ours = |task: &&SimTask| task.started_by == started_by && task.seen.cluster == cluster;
        let all: Vec<String> =
            self.truth.tasks.values().filter(ours).map(|task| task.seen.arn.clone()).collect();
        for (index, arn) in all.into_iter().enumerate() {
            // Every page is an answer of its own, as old as it happens to be.
            if page > 0 && index > 0 && index % page == 0 {
                at = self.now - self.lag(self.profile.task_lag).min(self.now);
            }
            let seen = self.truth.tasks.get(&arn).and_then(|task| task.history.at(at));
            if seen.is_some_and(|seen| !seen.stopping) {
                listed.push(arn);
            }
        }
        listed
    }

    /// How many tasks a listing has right now.
    pub fn list_tasks_now(&self, cluster: &str, started_by: &str) -> usize {
        let tasks = self.truth.tasks.values().filter(|task| task.started_by == started_by);
        tasks.filter(|task| task.seen.cluster == cluster && !task.seen.stopping).count()
    }

    /// DescribeTasks, as of `lag` ago.
    pub fn describe_tasks(&mut self, cluster: &str, started_by: &str, arns: &[String]) -> Described {
        let torn = self.profile.torn;
        let mut at = self.now - self.lag(self.profile.task_lag).min(self.now);
        let mut described = Described { tasks: Vec::new(), missing: BTreeSet::new() };
        for arn in arns {
            if self.rng.chance(torn) {
                at = self.now - self.lag(self.profile.task_lag).min(self.now);
            }
            let task = self.truth.tasks.get(arn).filter(|task| task.seen.cluster == cluster);
            match task.and_then(|task| Some((task, task.history.at(at)?))) {
                Some((task, seen)) => {
                    let mut seen = seen.clone();
                    if task.started_by != started_by {
                        seen.identity = None;
                    }
                    described.tasks.push(seen);
                }
                None => {
                    described.missing.insert(arn.clone());
                }
            }
        }
        described
    }
}

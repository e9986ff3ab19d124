//! The lifecycle reconciler's shell: plan a service, remember, then act.

use super::{Controller, Key};
use dormouse_aws::ports::{CloudError, RunAnswer, RunCall};
use dormouse_core::budget::Kind;
use dormouse_core::definition::{Content, service_resources};
use dormouse_core::lifecycle::{self, Plan, Step, View, outcome};
use dormouse_core::sound::is_put_away;
use dormouse_core::{naming, status, transition};
use dormouse_peer::token::{self, Identity};
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, Launch, RunParameters, ServiceRecord, StoreError, planted};
use futures::future::join_all;
use jiff::Timestamp;
use std::time::Duration;
use tracing::{debug, info, warn};

/// After a plan that could not be remembered.
const RETRY: Duration = Duration::from_secs(1);

/// Calls for task definitions that are kept for services that wait for theirs.
const DEFINE_RESERVE: u32 = 6;

/// What a step left to be remembered.
enum Outcome {
    Registered { role: Role, hash: String, arn: String },
    Deregistered { arn: String },
    Started { identity: Identity, arn: String },
    Burnt { identity: Identity, why: String },
    Unplaced { identity: Identity, why: String },
    Doubted { role: Role, arn: String },
}

impl Controller {
    /// Reconciles one service; answers when it is due again. As a rule there is nothing to do: what is done then has its
    /// future elsewhere, so that this one is small.
    pub(super) async fn reconcile_service(&self, name: &str) -> Option<Duration> {
        if self.records.is_doubted(name)
            && let Err(error) = Box::pin(self.records.reread(name)).await
        {
            warn!(service = name, %error, "whether its row was written is not known");
            return Some(RETRY);
        }
        let Some(base) = self.records.get(name) else {
            self.publish(name);
            return Box::pin(self.bury(name)).await.then_some(Duration::ZERO);
        };
        let now = self.now();
        // Before that, a plan looks at nothing.
        let is_listed = self.world().tasks.listed_at.is_some();
        let Plan { record, steps, requeue, spot_short_at } = self.plan(&base.record, now);
        let rests = steps.is_empty() && record == *base.record;
        if let Some(at) = spot_short_at {
            self.world().spot_was_short(at);
        }
        if self.observe_only {
            if record != *base.record || !steps.is_empty() {
                info!(service = name, ?steps, "would act; the policy is to observe");
            }
            self.publish(name);
            return requeue;
        }
        let mut version = base.version;
        if status::differs_in_words_only(&base.record, &record) {
            // Words are for those who look now; the next write that matters takes them along.
            self.records.reword(version, record);
        } else if record != *base.record && !planted!(ActsFirst) {
            if !self.may_act() {
                return Some(RETRY);
            }
            log_news(&base.record, &record);
            match Box::pin(self.records.replace(base.version, record, self.fence())).await {
                Ok(written) => {
                    version = base.version + 1;
                    Box::pin(self.after_write(&base.record, &written)).await;
                }
                Err(StoreError::Conflict { .. }) if planted!(ActsOnConflict) => {}
                // Somebody flipped it meanwhile: decide again from what they wrote.
                Err(StoreError::Conflict { .. }) => return Some(Duration::ZERO),
                Err(error) => {
                    warn!(service = name, %error, "the plan could not be remembered");
                    return Some(RETRY);
                }
            }
        }
        // Not before it is remembered: a plan that somebody's write overtook has compared nothing.
        if is_listed {
            self.records.planned(&base.record);
            if rests && !self.world().has_seen(name) {
                self.records.settle(name, base.version);
            }
        }
        // Asleep, and there is nothing to do: what was refused before is over.
        let expired = rests && is_put_away(&base.record) && self.world().refused.expire(name, now);
        let acted = expired || !steps.is_empty() && Box::pin(self.take(name, version, steps)).await;
        self.publish(name);
        self.has_news(name);
        if acted { Some(Duration::ZERO) } else { requeue }
    }

    fn plan(&self, record: &ServiceRecord, now: Timestamp) -> Plan {
        let settings = self.settings_of_all();
        let plan = |view: &View<'_>| lifecycle::plan(&settings, record, view, now);
        let is_placed = |record: &ServiceRecord| {
            let mut to_serve = record.pair.iter().chain(&record.successor);
            record.desired == Desired::Asleep
                || record.pair.is_some() && to_serve.all(|pair| pair.service.task_arn.is_some())
        };
        let planned =
            if is_placed(record) { self.with_view(record, plan) } else { self.with_room(record, now, plan) };
        // It has just lost its place, or is to have one.
        if is_placed(record) && !is_placed(&planned.record) {
            return self.with_room(record, now, plan);
        }
        planned
    }

    /// Wakes whoever depends on what was just remembered.
    async fn after_write(&self, before: &ServiceRecord, after: &ServiceRecord) {
        if before.desired == Desired::Asleep && after.desired == Desired::Awake {
            self.wake_dependencies(&after.name, &after.spec.depends_on).await;
        }
        if before.desired != after.desired || before.phase != after.phase || before.pair != after.pair {
            self.due(Key::Dns, Duration::ZERO);
            self.due(Key::Capacity, Duration::ZERO);
            for name in &after.spec.depends_on {
                self.schedule(name);
            }
            self.nudge.notify_one();
        }
    }

    /// Takes the steps side by side and remembers what came of them. Answers whether to plan again at once.
    async fn take(&self, name: &str, version: u64, steps: Vec<Step>) -> bool {
        let runs = steps
            .iter()
            .any(|step| matches!(step, Step::Run { identity, .. } if identity.role == Role::Service));
        if runs {
            self.world().in_flight.insert(name.to_owned());
        }
        let acted = self.take_all(name, version, steps).await;
        if runs {
            self.world().in_flight.remove(name);
        }
        acted
    }

    async fn take_all(&self, name: &str, version: u64, steps: Vec<Step>) -> bool {
        let refused =
            |known: &Controller| known.world().refused.call(name).map(|refusal| (refusal.at, refusal.tries));
        let before = refused(self);
        let outcomes: Vec<Outcome> = join_all(steps.into_iter().map(|step| self.step(name, version, step)))
            .await
            .into_iter()
            .flatten()
            .collect();
        if outcomes.is_empty() {
            return false;
        }
        // One step's success says nothing of another that was refused beside it.
        if refused(self) == before {
            let started = outcomes.iter().filter_map(|outcome| match outcome {
                Outcome::Started { identity, .. } | Outcome::Burnt { identity, .. } => Some(identity.role),
                _ => None,
            });
            self.world().refused.succeeded(name, &started.collect::<Vec<_>>());
        }
        let now = self.now();
        let remembered = self
            .records
            .update(name, self.fence(), |record| {
                let mut next = record?.clone();
                for outcome in &outcomes {
                    match outcome {
                        Outcome::Registered { role, hash, arn } => {
                            outcome::registered(&mut next, *role, hash, arn)
                        }
                        Outcome::Doubted { role, arn } => outcome::doubted(&mut next, *role, arn),
                        Outcome::Deregistered { arn } => outcome::deregistered(&mut next, arn),
                        Outcome::Started { identity, arn } => outcome::started(&mut next, identity, arn, now),
                        Outcome::Burnt { identity, why } => outcome::burnt(&mut next, identity, why, now),
                        Outcome::Unplaced { identity, why } => {
                            outcome::unplaced(&mut next, identity, why, now)
                        }
                    }
                }
                Some(next)
            })
            .await;
        if let Err(error) = remembered {
            // The intents stand: the same calls give the same answers.
            warn!(service = name, %error, "what came of the steps could not be remembered");
        }
        self.nudge.notify_one();
        true
    }

    async fn step(&self, name: &str, version: u64, step: Step) -> Option<Outcome> {
        if !self.may_act() {
            return None;
        }
        match step {
            Step::Deregister { .. } if self.may_define(name, DEFINE_RESERVE).is_none() => None,
            Step::Register { .. } if self.may_define(name, self.reserve_of(name)).is_none() => None,
            Step::Deregister { arn } => match self.cloud.tasks.deregister(&self.settings.install, &arn).await
            {
                Ok(()) => Some(Outcome::Deregistered { arn }),
                Err(error) => self.refused(name, &error),
            },
            Step::Register { role, content } => self.register(name, role, &content).await,
            Step::Run { identity, parameters } => self.run(name, identity, parameters).await,
            Step::Stop { cluster, arn, reason } => {
                self.stop(name, &cluster, &arn, &reason).await;
                None
            }
            Step::Probe { address } => {
                self.probe(name, &address).await;
                None
            }
            Step::Remove => {
                let known = self.records.get(name);
                match self.records.remove(name, version, self.fence()).await {
                    Ok(()) => {
                        info!(service = name, "deleted");
                        self.world().refused.forget(name);
                        self.gives_up_with(known);
                    }
                    Err(error) => debug!(service = name, %error, "its row could not be removed yet"),
                }
                None
            }
        }
    }

    /// A definition of a service that waits for it comes before all others.
    fn reserve_of(&self, name: &str) -> u32 {
        let waits = self.records.stirs(name).is_some_and(|record| record.desired == Desired::Awake);
        if waits { 0 } else { DEFINE_RESERVE }
    }

    /// Takes a call of that rare kind, or has the service planned again when there may be one: nobody waits here,
    /// so that a thousand new services do not stand in the way of one that wakes.
    fn may_define(&self, name: &str, reserve: u32) -> Option<()> {
        match self.pace.try_take(Kind::Define, 1, reserve) {
            Ok(()) => Some(()),
            Err(wait) => {
                self.due(Key::Service(name.to_owned()), wait);
                None
            }
        }
    }

    async fn register(&self, name: &str, role: Role, content: &Content) -> Option<Outcome> {
        match self.cloud.tasks.register(&self.settings.install, content).await {
            Ok(arn) => {
                debug!(service = name, %role, arn, "task definition registered");
                Some(Outcome::Registered { role, hash: content.hash(), arn })
            }
            Err(error) => self.refused(name, &error),
        }
    }

    async fn run(&self, name: &str, identity: Identity, parameters: RunParameters) -> Option<Outcome> {
        let install = &self.settings.install;
        let mut client_token = naming::client_token(install, &identity, &parameters.incarnation);
        if planted!(TokenPerTry) {
            client_token.push_str(&self.now().to_string());
        }
        let call = RunCall {
            started_by: naming::started_by(install),
            client_token,
            env: [
                ("DORMOUSE_CONTROLLER_URL".to_owned(), parameters.controller_url.clone()),
                ("DORMOUSE_TASK_TOKEN".to_owned(), token::sign(&self.secret, &identity)),
            ]
            .into(),
            tags: [
                ("dormouse:install".to_owned(), install.clone()),
                ("dormouse:service".to_owned(), name.to_owned()),
                ("dormouse:role".to_owned(), identity.role.to_string()),
            ]
            .into(),
            identity: identity.clone(),
            parameters,
        };
        let role = identity.role;
        let kind = if call.parameters.launch == Launch::Ec2 { Kind::Modify } else { Kind::RunFargate };
        if !self.permit(kind).await {
            return None;
        }
        let answer = self.cloud.tasks.run(&call).await;
        self.world().refused.ran(&identity, !matches!(answer, Err(CloudError::Unknown { .. })));
        match answer {
            Ok(RunAnswer::Started(task)) => {
                info!(service = name, %role, task = task.arn, "task started");
                let arn = task.arn.clone();
                let now = self.now();
                self.world().started(*task, now);
                Some(Outcome::Started { identity, arn })
            }
            Ok(RunAnswer::NoRoom(reason)) => {
                info!(service = name, %role, reason, "no room");
                let now = self.now();
                // Interfaces and the like are the same for all; of CPU and memory a smaller task may find enough.
                let by_size = matches!(&*reason, "RESOURCE:CPU" | "RESOURCE:MEMORY");
                let record = self.records.stirs(name).filter(|_| by_size);
                let size = record.map(|record| service_resources(&record.spec)).unwrap_or_default();
                let mut world = self.world();
                world.believe_full(size, now);
                world.refused.refuse_run(name, role, reason, now);
                drop(world);
                self.due(Key::Capacity, Duration::ZERO);
                None
            }
            Ok(RunAnswer::NoCapacity(why)) if call.parameters.launch == Launch::FargateSpot => {
                warn!(service = name, %role, why, "no capacity on Fargate Spot; on demand instead");
                let now = self.now();
                let mut world = self.world();
                world.spot_was_short(now);
                // Should that not be remembered, the same call is not made again at once.
                world.refused.refuse_run(name, role, why.clone(), now);
                Some(Outcome::Unplaced { identity, why })
            }
            Ok(RunAnswer::NoCapacity(reason) | RunAnswer::Failed(reason)) => {
                warn!(service = name, %role, reason, "RunTask started nothing");
                self.world().refused.refuse_run(name, role, reason, self.now());
                None
            }
            Ok(RunAnswer::TokenConflict(arns)) => self.adopt(name, identity, &call, &arns).await,
            Err(error) if planted!(LostAnswerBurns) => {
                Some(Outcome::Burnt { identity, why: error.to_string() })
            }
            Err(error) => {
                warn!(service = name, %role, %error, "RunTask failed");
                self.world().refused.refuse_run(name, role, error.to_string(), self.now());
                self.due(Key::Service(name.to_owned()), RETRY);
                let arn = call.parameters.task_definition;
                matches!(error, CloudError::Refused { .. }).then_some(Outcome::Doubted { role, arn })
            }
        }
    }

    /// A client token that was used with other parameters: the task that holds it is ours if it says so.
    async fn adopt(
        &self,
        name: &str,
        identity: Identity,
        call: &RunCall,
        arns: &[String],
    ) -> Option<Outcome> {
        let (cluster, mark) = (&call.parameters.cluster, &call.started_by);
        match self.cloud.tasks.describe(cluster, mark, arns).await {
            Ok(found) => {
                let ours = found.tasks.iter().find(|task| task.identity.as_ref() == Some(&identity)).cloned();
                let now = self.now();
                self.world().merge(found.tasks, &found.missing, now);
                Some(match ours {
                    Some(task) => Outcome::Started { identity, arn: task.arn },
                    None => Outcome::Burnt { identity, why: "its client token is used up".to_owned() },
                })
            }
            Err(error) => self.refused(name, &error),
        }
    }

    async fn stop(&self, name: &str, cluster: &str, arn: &str, reason: &str) {
        if !self.permit(Kind::Modify).await {
            return;
        }
        match self.cloud.tasks.stop(cluster, arn, reason).await {
            Ok(()) => {
                info!(service = name, task = arn, reason, "task stopped");
                let mut world = self.world();
                world.refused.accept_stop(name);
                if let Some(task) = world.tasks.by_arn.get_mut(arn) {
                    task.stopping = true;
                }
                drop(world);
                self.nudge.notify_one();
            }
            Err(error) => {
                warn!(service = name, %error, "call failed");
                self.world().refused.refuse_stop(name, error.to_string(), self.now());
                // Planned once more, it knows when the next try is due.
                self.due(Key::Service(name.to_owned()), RETRY);
            }
        }
    }

    fn refused(&self, name: &str, error: &CloudError) -> Option<Outcome> {
        warn!(service = name, %error, "call failed");
        let (why, now) = (error.to_string(), self.now());
        match error.passes() {
            true => self.world().refused.put_off(name, why, now),
            false => self.world().refused.refuse(name, why, now),
        }
        // The refusal's own time brings it back.
        self.due(Key::Service(name.to_owned()), RETRY);
        None
    }
}

/// The transitions that an operator follows on a terminal.
fn log_news(before: &ServiceRecord, after: &ServiceRecord) {
    if before.phase != after.phase {
        info!(service = after.name, from = ?before.phase, to = ?after.phase, "phase");
    }
    for event in transition::fresh(before, after).collect::<Vec<_>>().into_iter().rev() {
        info!(service = after.name, reason = event.reason, "{}", event.message);
    }
}

//! The cloud's calls, each with the checks of what may be asked of it.

use super::cloud::{Cloud, machine_arn};
use crate::capacity;
use crate::intent::{later, since};
use crate::lifecycle::Step;
use crate::naming;
use crate::observed::{Task, TaskStatus};
use crate::testing::secs;
use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use dormouse_state::{CapacityMemory, RunParameters, ServiceRecord};

impl Cloud {
    /// RunTask: the task, or `None` when there is no room.
    pub fn run(
        &mut self,
        record: &ServiceRecord,
        identity: &Identity,
        parameters: &RunParameters,
    ) -> Option<Task> {
        let pair = record
            .pairs()
            .find(|pair| pair.id.epoch == identity.epoch && pair.id.attempt == identity.attempt);
        let intent = pair.map(|pair| pair.task(identity.role));
        assert!(
            intent.is_some_and(|intent| intent.attempted_at.is_some() && intent.parameters == *parameters),
            "S15: RunTask of {identity} without its intent"
        );
        let token = naming::client_token("test", identity, &parameters.incarnation);
        if let Some(arn) = self.tokens.get(&token) {
            return self.lives.get(arn).map(|life| life.task.clone());
        }
        assert_eq!(
            self.definitions.get(&parameters.task_definition),
            Some(&true),
            "a definition that is gone"
        );
        let on = match identity.role {
            Role::Proxy => None,
            Role::Service => Some(machine_arn(&self.roomy()?)),
        };
        self.made += 1;
        self.mutations += 1;
        let arn = format!("task/{}", self.made);
        self.tokens.insert(token, arn.clone());
        self.insert(arn.clone(), Some(identity.clone()), &parameters.cluster, on);
        let living = self.living(&identity.service, identity.role);
        let ids: std::collections::BTreeSet<_> =
            living.iter().map(|life| life.task.identity.clone()).collect();
        let few = living.len() <= 2 || self.lost_rows;
        assert!(few && ids.len() == living.len(), "S4: {} of {identity}", living.len());
        self.lives.get(&arn).map(|life| life.task.clone())
    }

    fn roomy(&self) -> Option<String> {
        self.machines
            .iter()
            .filter(|(id, machine)| {
                machine.joins_at <= self.now
                    && machine.draining_since.is_none()
                    && machine.leaves_at.is_none()
                    && self.on(id).len() < 3
            })
            .map(|(id, _)| id.clone())
            .next()
    }

    /// StopTask.
    pub fn stop(&mut self, record: &ServiceRecord, arn: &str) {
        let life = self.lives.get(arn).unwrap().clone();
        let identity = life.task.identity.clone().expect("S6: only what is ours is stopped");
        let pair = record.pairs().find(|pair| pair.task(identity.role).task_arn.as_deref() == Some(arn));
        let Some(pair) = pair else {
            assert!(record.strays.contains_key(arn), "S15: StopTask of {identity} without its intent");
            return self.end(arn);
        };
        let (condemned_at, why) = pair.condemned.clone().expect("S15: only condemned pairs are stopped");
        assert!(pair.task(identity.role).stop_at.is_some(), "S15: {identity}");
        match identity.role {
            Role::Proxy if why.starts_with("it sleeps") => {
                let address = life.task.public_address.clone().unwrap();
                assert!(
                    !self.names.may_resolve(&address, self.now),
                    "S5: {identity} can still be found by name"
                );
                let drain_at = record.rest.as_ref().and_then(|rest| rest.drain_at);
                let late = drain_at.is_none_or(|at| self.now >= later(at, record.spec.drain));
                assert!(life.open.is_empty() || late, "S5: {identity} is cut off");
            }
            Role::Proxy => {
                let address = life.task.public_address.clone().unwrap();
                let patient = since(self.now, condemned_at) >= secs(120);
                assert!(
                    patient || self.names.record(&record.name) != Some(&address),
                    "S3: {identity} stops while its record stands"
                );
            }
            Role::Service => {
                let proxy = pair.proxy.task_arn.as_ref().and_then(|arn| self.lives.get(arn));
                assert!(proxy.is_none_or(|life| !life.lives()), "S5: {identity} stops before its proxy");
            }
        }
        self.end(arn);
    }

    fn end(&mut self, arn: &str) {
        let life = self.lives.get_mut(arn).unwrap();
        if life.lives() && !life.task.stopping {
            life.task.stopping = true;
            self.mutations += 1;
        }
    }

    /// Registers and deregisters; answers an ARN.
    pub fn define(&mut self, record: &ServiceRecord, step: &Step) -> Option<String> {
        match step {
            Step::Register { role, content } => {
                let slot = match role {
                    Role::Proxy => &record.definitions.proxy,
                    Role::Service => &record.definitions.service,
                };
                let intended = slot.as_ref().is_some_and(|known| known.hash == content.hash());
                assert!(intended, "S15: a registration without its intent");
                self.made += 1;
                self.mutations += 1;
                let arn = format!("definition/{}:{}", content.family, self.made);
                self.definitions.insert(arn.clone(), true);
                Some(arn)
            }
            Step::Deregister { arn } => {
                assert!(record.definitions.retired.contains(arn), "S15: a deregistration without its intent");
                self.mutations += 1;
                self.definitions.insert(arn.clone(), false);
                Some(arn.clone())
            }
            _ => None,
        }
    }

    /// A step of the capacity plan.
    pub fn scale(&mut self, memory: &CapacityMemory, step: &capacity::Step) {
        let now = self.now;
        self.mutations += 1;
        match step {
            capacity::Step::SetDesired(n) => {
                assert_eq!(memory.target, Some(*n), "S15");
                assert!(self.desired <= *n && *n <= self.max, "S8: {} -> {n}", self.desired);
                self.desired = *n;
            }
            capacity::Step::Protect(ids) => {
                for id in ids {
                    self.machines.get_mut(id).into_iter().for_each(|machine| machine.protected = true);
                }
            }
            capacity::Step::Drain(arns) => {
                for (id, machine) in &mut self.machines {
                    if arns.contains(&machine_arn(id)) {
                        assert!(memory.removals.contains_key(id), "S15: {id} is drained");
                        machine.draining_since.get_or_insert(now);
                    }
                }
            }
            capacity::Step::Activate(arns) => {
                for (id, machine) in &mut self.machines {
                    if arns.contains(&machine_arn(id)) {
                        machine.draining_since = None;
                    }
                }
            }
            capacity::Step::Terminate(id) => {
                let intended = memory.removals.get(id).is_some_and(|removal| removal.terminate_at.is_some());
                assert!(intended, "S15: {id} is terminated");
                let busy = self.on(id).iter().any(|life| life.task.status != TaskStatus::Stopped);
                assert!(!busy, "S7: {id} is busy");
                // None: the answer of the call before was lost.
                let Some(machine) = self.machines.get_mut(id) else { return };
                if machine.leaves_at.is_none() {
                    let drained = machine.draining_since.is_some_and(|at| since(now, at) >= secs(15));
                    assert!(drained || machine.joins_at > now, "S7: {id} was not drained for long enough");
                    machine.leaves_at = Some(later(now, secs(5)));
                    self.desired -= 1;
                }
            }
        }
    }
}

//! Instances and their Auto Scaling group: launch, boot, join, drain, terminate, die.

use super::history::History;
use crate::profile::{MINUTE, Ms, SECOND};
use crate::queue::Event;
use crate::sim::Sim;
use dormouse_aws::ports::CloudError;
use dormouse_core::observed::{Group, Instance, Member, Resources, TaskStatus};
use std::collections::{BTreeMap, BTreeSet};

/// What an instance has.
pub const SIZE: Resources = Resources { cpu: 2048, memory: 3904 };

/// An instance as it really is.
#[derive(Debug, Clone)]
pub struct SimMember {
    /// EC2 id.
    pub id: String,
    /// Container instance ARN.
    pub arn: String,
    /// The group's word for where it is.
    pub lifecycle: &'static str,
    /// Protected from scale-in.
    pub protected: bool,
    /// Registered with the cluster.
    pub joined: bool,
    /// When.
    pub joined_at: Ms,
    /// Its agent is connected.
    pub connected: bool,
    /// ACTIVE, not DRAINING.
    pub active: bool,
    /// Since when DRAINING.
    pub draining_since: Option<Ms>,
    /// When it joined the cluster, or its agent came back.
    pub connected_at: Ms,
    /// Since when InService.
    pub in_service_at: Option<Ms>,
    /// What it has.
    pub size: Resources,
    /// Its machine broke: what ran there is gone, and the group has not noticed.
    pub broken: bool,
    /// How long it boots on once it is InService.
    boots_on: Ms,
    step: u32,
}

/// The group.
#[derive(Debug, Default)]
pub struct SimFleet {
    /// Instances by EC2 id.
    pub members: BTreeMap<String, SimMember>,
    /// Instances of others in the same cluster, by EC2 id.
    pub others: BTreeMap<String, SimMember>,
    /// Container instances that are gone.
    pub gone: BTreeSet<String>,
    /// Smallest size.
    pub min: u32,
    /// Largest size.
    pub max: u32,
    /// Desired capacity.
    pub desired: u32,
    /// Until then no instance is to be had.
    barren_until: Ms,
    /// The newest launch failed.
    pub launch_failed: bool,
    groups: History<Group>,
    instances: History<Vec<Instance>>,
}

impl SimMember {
    /// One that is being launched.
    pub fn launched(number: u64, size: Resources) -> SimMember {
        SimMember {
            id: format!("i-{number}"),
            arn: format!("arn:ci/{number}"),
            lifecycle: "Pending",
            protected: false,
            joined: false,
            joined_at: 0,
            connected: false,
            active: false,
            draining_since: None,
            connected_at: 0,
            in_service_at: None,
            size,
            broken: false,
            boots_on: 0,
            step: 0,
        }
    }
}

impl SimFleet {
    /// Everything in the cluster, whoever's it is.
    pub fn in_cluster(&self) -> impl Iterator<Item = &SimMember> {
        self.members.values().chain(self.others.values()).filter(|member| member.joined)
    }

    /// Whether a container instance is one of our group's.
    pub fn is_ours(&self, arn: &str) -> bool {
        self.members.values().any(|member| member.arn == arn)
    }

    fn living(&self) -> usize {
        self.members.values().filter(|member| member.lifecycle != "Terminating").count()
    }
}

fn refused(operation: &'static str, message: &str) -> CloudError {
    CloudError::Refused { operation, code: "ValidationError".to_owned(), message: message.to_owned() }
}

impl Sim {
    /// SetDesiredCapacity.
    pub fn set_desired(&mut self, desired: u32) -> Result<(), CloudError> {
        if desired > self.truth.fleet.max {
            return Err(refused("autoscaling:SetDesiredCapacity", "it is above the group's maximum"));
        }
        if desired < self.truth.fleet.min {
            return Err(refused("autoscaling:SetDesiredCapacity", "it is below the group's minimum"));
        }
        self.trace.note(self.now, format_args!("desired capacity {} → {desired}", self.truth.fleet.desired));
        self.truth.fleet.desired = desired;
        self.group();
        self.fleet_changed();
        Ok(())
    }

    /// Somebody changes the group's smallest size; what is desired is never below it.
    pub fn set_least(&mut self, least: u32) {
        let fleet = &mut self.truth.fleet;
        fleet.min = least.min(fleet.max);
        if fleet.desired < fleet.min {
            fleet.desired = fleet.min;
        }
        self.group();
    }

    /// The group launches what is missing, and removes what is too many and not protected.
    pub fn group(&mut self) {
        let desired = usize::try_from(self.truth.fleet.desired).unwrap_or(usize::MAX);
        while self.truth.fleet.living() < desired {
            if self.now < self.truth.fleet.barren_until {
                self.fail_to_launch();
                break;
            }
            self.launch();
        }
        while self.truth.fleet.living() > desired {
            let free = self
                .truth
                .fleet
                .members
                .values()
                .find(|member| member.lifecycle == "InService" && !member.protected);
            let Some(id) = free.map(|member| member.id.clone()) else { break };
            self.trace.note(self.now, format_args!("the group scales in {id}"));
            self.leave(&id);
        }
        self.fleet_changed();
    }

    /// The group moves an instance to another zone: a new one first, then an unprotected one goes.
    pub fn rebalance(&mut self) {
        if self.truth.fleet.living() == 0 || self.now < self.truth.fleet.barren_until {
            return;
        }
        self.trace.note(self.now, format_args!("the group rebalances its zones"));
        self.launch();
        self.fleet_changed();
    }

    /// EC2 has none for so long; the group tries on by itself.
    pub fn lack_instances(&mut self, span: Ms) {
        self.truth.fleet.barren_until = self.now + span;
        if self.truth.fleet.launch_failed {
            self.plan(span, Event::Group);
        }
    }

    fn fail_to_launch(&mut self) {
        self.trace.note(self.now, format_args!("no instance can be launched"));
        if !std::mem::replace(&mut self.truth.fleet.launch_failed, true) {
            let left = self.truth.fleet.barren_until.saturating_sub(self.now);
            self.plan(left + SECOND, Event::Group);
        }
    }

    fn launch(&mut self) {
        self.truth.fleet.launch_failed = false;
        let number = self.truth.number();
        let id = format!("i-{number}");
        self.trace.note(self.now, format_args!("{id} is launched"));
        // EC2 calls it running long before its agent has joined the cluster.
        let boot = self.span(self.profile.boot);
        let pending = self.rng.between(10 * SECOND, 40 * SECOND).min(boot);
        let boots_on = boot - pending;
        let member = SimMember { boots_on, ..SimMember::launched(number, SIZE) };
        self.truth.fleet.members.insert(id.clone(), member);
        self.next_instance_step(&id, (pending, pending));
    }

    fn next_instance_step(&mut self, id: &str, delay: (Ms, Ms)) {
        let after = self.span(delay);
        if let Some(member) = self.truth.fleet.members.get_mut(id) {
            member.step += 1;
            let step = member.step;
            self.plan(after, Event::Instance(id.to_owned(), step));
        }
    }

    /// An instance's life goes on.
    pub fn step_instance(&mut self, id: &str, step: u32) {
        let never = self.profile.never_joins;
        let Some(member) = self.truth.fleet.members.get_mut(id).filter(|member| member.step == step) else {
            return;
        };
        match member.lifecycle {
            "Pending" => {
                member.lifecycle = "InService";
                member.in_service_at = Some(self.now);
                let boots_on = member.boots_on;
                // One too many of a rebalancing goes as soon as there is another.
                self.plan(30 * SECOND, Event::Group);
                if self.rng.chance(never) {
                    self.trace.note(self.now, format_args!("{id} never joins"));
                } else {
                    self.next_instance_step(id, (boots_on + SECOND, boots_on + 15 * SECOND));
                }
            }
            "InService" if member.broken => return self.leave(id),
            "InService" if !member.joined => {
                (member.joined, member.connected, member.active) = (true, true, true);
                member.joined_at = self.now;
                member.connected_at = self.now;
                self.trace.note(self.now, format_args!("{id} joins as {}", member.arn));
            }
            "InService" => {
                // Its agent is back.
                member.connected = true;
                member.connected_at = self.now;
                let arn = member.arn.clone();
                self.tasks_of(&arn).iter().for_each(|task| self.heard_of_again(task));
            }
            _ => {
                let arn = member.arn.clone();
                self.truth.fleet.members.remove(id);
                self.truth.fleet.gone.insert(arn.clone());
                self.trace.note(self.now, format_args!("{id} is gone"));
                self.tasks_of(&arn).iter().for_each(|task| self.over(task));
                self.plan(0, Event::Group);
            }
        }
        self.fleet_changed();
    }

    /// Tasks on a container instance that are not over, whoever's they are.
    pub fn tasks_of(&self, instance: &str) -> Vec<String> {
        let tasks = self.truth.tasks.values().filter(|task| task.is_there());
        let on = tasks.filter(|task| task.seen.container_instance.as_deref() == Some(instance));
        on.map(|task| task.seen.arn.clone()).collect()
    }

    /// TerminateInstanceInAutoScalingGroup with decrement; one that is gone is success.
    pub fn terminate(&mut self, id: &str) -> Result<(), CloudError> {
        if self.truth.fleet.members.get(id).is_none_or(|member| member.lifecycle == "Terminating") {
            return Ok(());
        }
        if self.truth.fleet.desired <= self.truth.fleet.min {
            // "Terminating instance without replacement will violate group's min size constraint."
            return Err(refused(
                "autoscaling:TerminateInstance",
                "what is desired is the group's minimum already",
            ));
        }
        self.trace.note(self.now, format_args!("{id} is terminated"));
        self.truth.fleet.desired -= 1;
        self.leave(id);
        Ok(())
    }

    fn leave(&mut self, id: &str) {
        let Some(member) = self.truth.fleet.members.get_mut(id) else { return };
        member.lifecycle = "Terminating";
        member.connected = false;
        member.active = false;
        let arn = member.arn.clone();
        self.next_instance_step(id, (20 * SECOND, 90 * SECOND));
        for task in self.tasks_of(&arn) {
            self.heard_of_again(&task);
            self.exit_task(&task, "app", 137);
        }
        self.fleet_changed();
    }

    /// The machine breaks: what runs there is gone at once. ECS shows its tasks as they were, without an agent, until the
    /// group notices.
    pub fn kill_instance(&mut self, nth: u64) {
        let alive: Vec<String> = self
            .truth
            .fleet
            .members
            .values()
            .filter(|member| member.lifecycle == "InService")
            .map(|member| member.id.clone())
            .collect();
        let Some(id) = alive.get(usize::try_from(nth).unwrap_or(0) % alive.len().max(1)).cloned() else {
            return;
        };
        self.trace.note(self.now, format_args!("{id} breaks"));
        let Some(member) = self.truth.fleet.members.get_mut(&id) else { return };
        (member.broken, member.connected) = (true, false);
        let arn = member.arn.clone();
        self.next_instance_step(&id, (MINUTE, 5 * MINUTE));
        for task in self.tasks_of(&arn) {
            self.exit_task(&task, "app", 137);
        }
        self.fleet_changed();
    }

    /// Agents that are silent come back, and what is broken is noticed.
    pub fn mend_instances(&mut self) {
        let silent =
            |member: &&SimMember| member.joined && !member.connected && member.lifecycle == "InService";
        let silent = self.truth.fleet.members.values().filter(silent);
        let silent: Vec<String> = silent.map(|member| member.id.clone()).collect();
        silent.iter().for_each(|id| self.next_instance_step(id, (SECOND, SECOND)));
    }

    /// Its agent loses the connection for a while.
    pub fn disconnect(&mut self, nth: u64, span: Ms) {
        let joined: Vec<String> = self
            .truth
            .fleet
            .members
            .values()
            .filter(|member| member.joined && member.connected)
            .map(|member| member.id.clone())
            .collect();
        let Some(id) = joined.get(usize::try_from(nth).unwrap_or(0) % joined.len().max(1)).cloned() else {
            return;
        };
        self.trace.note(self.now, format_args!("{id}'s agent is disconnected"));
        if let Some(member) = self.truth.fleet.members.get_mut(&id) {
            member.connected = false;
        }
        self.next_instance_step(&id, (span.min(30 * MINUTE), span.min(30 * MINUTE)));
        self.fleet_changed();
    }

    /// UpdateContainerInstancesState.
    pub fn set_draining(&mut self, arns: &[String], draining: bool) {
        let fleet = &mut self.truth.fleet;
        let all = fleet.members.values_mut().chain(fleet.others.values_mut());
        for member in all.filter(|member| arns.contains(&member.arn)) {
            if member.active == draining && member.joined && member.lifecycle == "InService" {
                self.trace.note(self.now, format_args!("{} draining: {draining}", member.id));
                member.active = !draining;
                member.draining_since = draining.then_some(self.now);
            }
        }
        self.fleet_changed();
    }

    /// SetInstanceProtection, by way of the adapter: Auto Scaling refuses a call with one that is not InService, and the
    /// others of it are protected by a second call.
    pub fn protect(&mut self, ids: &[String]) {
        for member in self.truth.fleet.members.values_mut().filter(|member| ids.contains(&member.id)) {
            if !member.protected && member.lifecycle == "InService" {
                self.trace.note(self.now, format_args!("{} is protected", member.id));
                member.protected = true;
            }
        }
        self.fleet_changed();
    }

    /// Remembers what is shown of the fleet from now on.
    pub fn fleet_changed(&mut self) {
        if !self.remembers() {
            return;
        }
        let (group, instances) = (self.group_now(), self.instances_now());
        self.truth.fleet.groups.push(self.now, group);
        self.truth.fleet.instances.push(self.now, instances);
    }

    fn group_now(&self) -> Group {
        let fleet = &self.truth.fleet;
        let members = fleet.members.values().map(|member| Member {
            ec2_id: member.id.clone(),
            lifecycle: member.lifecycle.to_owned(),
            protected: member.protected,
        });
        Group { min: fleet.min, max: fleet.max, desired: fleet.desired, members: members.collect() }
    }

    fn instances_now(&self) -> Vec<Instance> {
        let instance = |member: &SimMember| {
            let there = self.truth.tasks.values().filter(|task| task.is_there());
            let on: Vec<_> =
                there.filter(|task| task.seen.container_instance.as_ref() == Some(&member.arn)).collect();
            let counted = on
                .iter()
                .filter(|task| matches!(task.seen.status, TaskStatus::Pending | TaskStatus::Running));
            Instance {
                architecture: None,
                arn: member.arn.clone(),
                ec2_id: member.id.clone(),
                active: member.active,
                status: if member.active { "ACTIVE" } else { "DRAINING" }.to_owned(),
                connected: member.connected,
                registered: member.size,
                remaining: on.iter().fold(member.size, |free, task| free.minus(task.size)),
                tasks: counted.count().try_into().unwrap_or(u32::MAX),
            }
        };
        self.truth.fleet.in_cluster().map(instance).collect()
    }

    /// DescribeAutoScalingGroups, as of a while ago.
    pub fn describe_group(&mut self) -> Group {
        match self.lag(self.profile.group_lag) {
            0 => self.group_now(),
            lag => self
                .truth
                .fleet
                .groups
                .at(self.now.saturating_sub(lag))
                .cloned()
                .unwrap_or_else(|| self.group_now()),
        }
    }

    /// DescribeContainerInstances, as of a while ago.
    pub fn describe_instances(&mut self) -> Vec<Instance> {
        match self.lag(self.profile.fleet_lag) {
            0 => self.instances_now(),
            lag => self.truth.fleet.instances.at(self.now.saturating_sub(lag)).cloned().unwrap_or_default(),
        }
    }
}

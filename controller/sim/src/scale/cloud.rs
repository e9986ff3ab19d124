//! A cloud in which everything happens at once and nothing fails: what is left is the controller's own work.

use async_trait::async_trait;
use dormouse::probe::Probe;
use dormouse_aws::Cloud;
use dormouse_aws::count::Calls;
use dormouse_aws::ports::{
    ChangeAnswer, CloudError, Described, Groups, Instances, Interfaces, RunAnswer, RunCall, Tasks, Zones,
};
use dormouse_core::definition::{Architecture, Content};
use dormouse_core::dns::Change;
use dormouse_core::observed::{Group, Instance, Member, RecordSet, Resources, Task, TaskStatus};
use dormouse_peer::token::Identity;
use dormouse_state::Launch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an instance holds.
pub const TASKS_PER_INSTANCE: u32 = 50;
const PAGE: usize = 100;
const PLENTY: Resources = Resources { cpu: 1 << 20, memory: 1 << 22 };

#[derive(Debug, Default)]
struct State {
    tasks: BTreeMap<String, Task>,
    /// Tasks that nobody has asked for yet.
    fresh: Vec<Identity>,
    sets: Vec<RecordSet>,
    instances: u32,
}

/// The cloud.
#[derive(Debug, Default)]
pub struct Still {
    state: Mutex<State>,
    /// What was called.
    pub calls: Arc<Calls>,
}

impl Still {
    /// As a controller takes it.
    pub fn cloud(self: &Arc<Self>) -> Cloud {
        Cloud {
            tasks: self.clone(),
            instances: self.clone(),
            groups: self.clone(),
            zones: self.clone(),
            interfaces: self.clone(),
            calls: self.calls.clone(),
        }
    }

    /// Tasks that started since this was last asked.
    pub fn fresh(&self) -> Vec<Identity> {
        std::mem::take(&mut self.state().fresh)
    }

    /// Every task that runs.
    pub fn tasks(&self) -> BTreeMap<String, Task> {
        self.state().tasks.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts as many calls as so many things take.
    fn pages(&self, operation: &'static str, of: usize) {
        (0..of.div_ceil(PAGE).max(1)).for_each(|_| self.calls.note(operation, None));
    }
}

#[async_trait]
impl Probe for Still {
    async fn probe(&self, _: &str, _: u16, _: &str) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl Tasks for Still {
    async fn list(&self, cluster: &str, _: &str) -> Result<Vec<String>, CloudError> {
        let state = self.state();
        let of = state.tasks.values().filter(|task| task.cluster == cluster);
        let arns: Vec<String> = of.map(|task| task.arn.clone()).collect();
        self.pages("ecs:ListTasks", arns.len());
        Ok(arns)
    }

    async fn describe(&self, _: &str, _: &str, arns: &[String]) -> Result<Described, CloudError> {
        self.pages("ecs:DescribeTasks", arns.len());
        let state = self.state();
        let (found, missing): (Vec<_>, Vec<_>) = arns.iter().partition(|arn| state.tasks.contains_key(*arn));
        Ok(Described {
            tasks: found.iter().map(|arn| state.tasks[*arn].clone()).collect(),
            missing: missing.into_iter().cloned().collect(),
        })
    }

    async fn run(&self, call: &RunCall) -> Result<RunAnswer, CloudError> {
        self.calls.note("ecs:RunTask", None);
        let mut state = self.state();
        let number = u32::try_from(state.tasks.len()).unwrap_or_default();
        let on_instance = call.parameters.launch == Launch::Ec2;
        let services =
            state.tasks.values().filter(|task| task.container_instance.is_some()).count().try_into();
        let place = services.unwrap_or(u32::MAX) / TASKS_PER_INSTANCE;
        if on_instance && place >= state.instances {
            return Ok(RunAnswer::NoRoom("RESOURCE:ENI".into()));
        }
        let [_, b, c, d] = number.to_be_bytes();
        let cluster = &call.parameters.cluster;
        let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/{cluster}/{number:032x}");
        let task = Task {
            status: TaskStatus::Running,
            private_address: Some(format!("10.{b}.{c}.{d}")),
            interface: Some(format!("eni-{number:017x}")),
            container_instance: on_instance.then(|| format!("instance/{place}")),
            ..Task::made(arn, cluster, Some(call.identity.clone()))
        };
        state.tasks.insert(task.arn.clone(), task.clone());
        state.fresh.push(call.identity.clone());
        Ok(RunAnswer::Started(Box::new(task)))
    }

    async fn stop(&self, _: &str, arn: &str, _: &str) -> Result<(), CloudError> {
        self.calls.note("ecs:StopTask", None);
        self.state().tasks.remove(arn);
        Ok(())
    }

    async fn register(&self, _: &str, content: &Content) -> Result<String, CloudError> {
        self.calls.note("ecs:RegisterTaskDefinition", None);
        Ok(format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{}:1", content.family))
    }

    async fn deregister(&self, _: &str, _: &str) -> Result<(), CloudError> {
        self.calls.note("ecs:DeregisterTaskDefinition", None);
        Ok(())
    }

    async fn revisions(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Instances for Still {
    async fn instances(&self, _: &str) -> Result<Vec<Instance>, CloudError> {
        let state = self.state();
        self.pages("ecs:ListContainerInstances", state.instances as usize);
        self.pages("ecs:DescribeContainerInstances", state.instances as usize);
        let instance = |number: u32| {
            let arn = format!("instance/{number}");
            let on = state.tasks.values().filter(|task| task.container_instance.as_deref() == Some(&*arn));
            let tasks = on.count().try_into().unwrap_or(u32::MAX);
            let ec2_id = format!("i-{number}");
            let (active, connected, status) = (true, true, "ACTIVE".to_owned());
            Instance {
                architecture: None,
                arn,
                ec2_id,
                active,
                status,
                connected,
                registered: PLENTY,
                remaining: PLENTY,
                tasks,
            }
        };
        Ok((0..state.instances).map(instance).collect())
    }

    async fn listed(&self, cluster: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.instances(cluster).await?.into_iter().map(|instance| instance.arn).collect())
    }

    async fn set_draining(&self, _: &str, _: &[String], _: bool) -> Result<(), CloudError> {
        Ok(())
    }
}

#[async_trait]
impl Groups for Still {
    async fn group(&self, _: &str) -> Result<Group, CloudError> {
        self.calls.note("autoscaling:DescribeAutoScalingGroups", None);
        let instances = self.state().instances;
        let member = |number: u32| Member {
            ec2_id: format!("i-{number}"),
            lifecycle: "InService".into(),
            protected: true,
        };
        Ok(Group { min: 0, max: 1_000, desired: instances, members: (0..instances).map(member).collect() })
    }

    async fn launch_failure(&self, _: &str) -> Result<Option<String>, CloudError> {
        Ok(None)
    }

    async fn launches(&self, _: &str) -> Result<Option<Architecture>, CloudError> {
        Ok(None)
    }

    async fn set_desired(&self, _: &str, desired: u32) -> Result<(), CloudError> {
        self.calls.note("autoscaling:SetDesiredCapacity", None);
        self.state().instances = desired;
        Ok(())
    }

    async fn protect(&self, _: &str, _: &[String]) -> Result<(), CloudError> {
        Ok(())
    }

    async fn terminate(&self, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}

#[async_trait]
impl Zones for Still {
    async fn records(&self, _: &str) -> Result<Vec<RecordSet>, CloudError> {
        let sets = self.state().sets.clone();
        // A page of Route 53 has 300.
        (0..sets.len().div_ceil(300).max(1)).for_each(|_| {
            self.calls.note("route53:ListResourceRecordSets", None);
        });
        Ok(sets)
    }

    async fn change(&self, _: &str, changes: &[Change], _: &str) -> Result<ChangeAnswer, CloudError> {
        self.calls.note("route53:ChangeResourceRecordSets", None);
        let mut state = self.state();
        for change in changes {
            match change {
                Change::Create(set) => state.sets.push(set.clone()),
                Change::Delete(set) => state.sets.retain(|known| known != set),
            }
        }
        Ok(ChangeAnswer::Accepted { change_id: "C1".into() })
    }

    async fn is_insync(&self, _: &str) -> Result<bool, CloudError> {
        self.calls.note("route53:GetChange", None);
        Ok(true)
    }
}

#[async_trait]
impl Interfaces for Still {
    async fn public_addresses(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        self.pages("ec2:DescribeNetworkInterfaces", ids.len());
        let address = |id: &String| {
            let number = u32::from_str_radix(id.trim_start_matches("eni-"), 16).unwrap_or_default();
            let [_, b, c, d] = number.to_be_bytes();
            (id.clone(), format!("203.{b}.{c}.{d}"))
        };
        Ok(ids.iter().map(address).collect())
    }
}

//! ECS, Auto Scaling, Route 53 and EC2.

use super::Port;
use crate::check;
use crate::truth::zone::Which;
use async_trait::async_trait;
use dormouse_aws::Cloud;
use dormouse_aws::count::Calls;
use dormouse_aws::ports::{
    ChangeAnswer, CloudError, Described, Groups, Instances, Interfaces, RunAnswer, RunCall, Tasks, Zones,
};
use dormouse_core::budget::Kind;
use dormouse_core::definition::{Architecture, Content};
use dormouse_core::dns::Change;
use dormouse_core::observed::{Group, Instance, RecordSet};
use dormouse_state::Launch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tasks on a page of a listing, and in one DescribeTasks. Source: Amazon ECS API Reference.
const BATCH: usize = 100;

impl Port {
    /// All ports as a controller takes them.
    pub fn cloud(&self) -> Cloud {
        let port = Arc::new(self.clone());
        Cloud {
            tasks: port.clone(),
            instances: port.clone(),
            groups: port.clone(),
            zones: port.clone(),
            interfaces: port,
            calls: Arc::new(Calls::default()),
        }
    }
}

#[async_trait]
impl Tasks for Port {
    async fn list(&self, cluster: &str, started_by: &str) -> Result<Vec<String>, CloudError> {
        let pages = self.world.sim().list_tasks_now(cluster, started_by).div_ceil(BATCH);
        self.also("ecs:ListTasks", Kind::Read, pages.saturating_sub(1))?;
        self.read("ecs:ListTasks", Kind::Read, |sim| {
            let part = if cluster == sim.settings.proxy_cluster { "proxies" } else { "services" };
            check::was_read(sim, self.controller, part);
            Ok(sim.list_tasks(cluster, started_by))
        })
        .await
    }

    async fn describe(
        &self,
        cluster: &str,
        started_by: &str,
        arns: &[String],
    ) -> Result<Described, CloudError> {
        self.also("ecs:DescribeTasks", Kind::Read, arns.len().div_ceil(BATCH).saturating_sub(1))?;
        self.read("ecs:DescribeTasks", Kind::Read, |sim| Ok(sim.describe_tasks(cluster, started_by, arns)))
            .await
    }

    async fn run(&self, call: &RunCall) -> Result<RunAnswer, CloudError> {
        let kind = if call.parameters.launch == Launch::Ec2 { Kind::Modify } else { Kind::RunFargate };
        let owned = call.clone();
        self.change(
            "ecs:RunTask",
            kind,
            |sim| check::run_called(sim, self.controller, call),
            move |sim| sim.run_task(&owned),
        )
        .await
    }

    async fn stop(&self, _cluster: &str, arn: &str, reason: &str) -> Result<(), CloudError> {
        let (owned, reason) = (arn.to_owned(), reason.to_owned());
        self.change(
            "ecs:StopTask",
            Kind::Modify,
            |sim| check::stop_called(sim, self.controller, arn),
            move |sim| {
                sim.find_to_stop(&owned)?;
                check::before_stop(sim, &owned);
                sim.stop_task(&owned, true, &reason);
                Ok(())
            },
        )
        .await
    }

    async fn register(&self, install: &str, content: &Content) -> Result<String, CloudError> {
        let (install, content, hash) = (install.to_owned(), content.clone(), content.hash());
        self.change(
            "ecs:RegisterTaskDefinition",
            Kind::Define,
            |sim| check::register_called(sim, &hash),
            move |sim| Ok(sim.register(&install, &content)),
        )
        .await
    }

    async fn deregister(&self, install: &str, arn: &str) -> Result<(), CloudError> {
        let (install, owned) = (install.to_owned(), arn.to_owned());
        self.change(
            "ecs:DeregisterTaskDefinition",
            Kind::Define,
            |sim| check::deregister_called(sim, arn),
            move |sim| {
                sim.deregister(&install, &owned);
                Ok(())
            },
        )
        .await
    }

    async fn revisions(&self, family: &str) -> Result<Vec<String>, CloudError> {
        self.read("ecs:ListTaskDefinitions", Kind::Define, |sim| {
            let known = sim.truth.definitions.iter();
            let active = known.filter(|(_, definition)| definition.active && definition.family == family);
            Ok(active.map(|(arn, _)| arn.clone()).collect())
        })
        .await
    }
}

#[async_trait]
impl Instances for Port {
    async fn instances(&self, _cluster: &str) -> Result<Vec<Instance>, CloudError> {
        // They are listed, and then described.
        self.also("ecs:ListContainerInstances", Kind::Read, 1)?;
        self.read("ecs:DescribeContainerInstances", Kind::Read, |sim| {
            check::was_read(sim, self.controller, "instances");
            Ok(sim.describe_instances())
        })
        .await
    }

    async fn listed(&self, _cluster: &str) -> Result<Vec<String>, CloudError> {
        self.read("ecs:ListContainerInstances", Kind::Read, |sim| {
            Ok(sim.describe_instances().into_iter().map(|instance| instance.arn).collect())
        })
        .await
    }

    async fn set_draining(&self, _cluster: &str, arns: &[String], draining: bool) -> Result<(), CloudError> {
        let arns = arns.to_vec();
        self.change(
            "ecs:UpdateContainerInstancesState",
            Kind::Modify,
            |_| {},
            move |sim| {
                check::before_drain(sim, &arns);
                sim.set_draining(&arns, draining);
                Ok(())
            },
        )
        .await
    }
}

#[async_trait]
impl Groups for Port {
    async fn group(&self, _name: &str) -> Result<Group, CloudError> {
        self.read("autoscaling:DescribeAutoScalingGroups", Kind::Scale, |sim| {
            check::was_read(sim, self.controller, "group");
            Ok(sim.describe_group())
        })
        .await
    }

    async fn launch_failure(&self, _name: &str) -> Result<Option<String>, CloudError> {
        self.read("autoscaling:DescribeScalingActivities", Kind::Scale, |sim| {
            Ok(sim.truth.fleet.launch_failed.then(|| "InsufficientInstanceCapacity".to_owned()))
        })
        .await
    }

    async fn launches(&self, _name: &str) -> Result<Option<Architecture>, CloudError> {
        Ok(None)
    }

    async fn set_desired(&self, _name: &str, desired: u32) -> Result<(), CloudError> {
        let (controller, made_at) = (self.controller, self.world.now());
        self.change(
            "autoscaling:SetDesiredCapacity",
            Kind::Scale,
            |sim| check::desired_called(sim, desired),
            move |sim| {
                let overtaken = Port::is_overtaken(sim, controller, made_at);
                check::before_desired(sim, desired, overtaken);
                sim.set_desired(desired)
            },
        )
        .await
    }

    async fn protect(&self, _name: &str, ec2_ids: &[String]) -> Result<(), CloudError> {
        let ids = ec2_ids.to_vec();
        self.change(
            "autoscaling:SetInstanceProtection",
            Kind::Scale,
            |_| {},
            move |sim| {
                check::before_protect(sim, &ids);
                sim.protect(&ids);
                Ok(())
            },
        )
        .await
    }

    async fn terminate(&self, ec2_id: &str) -> Result<(), CloudError> {
        let id = ec2_id.to_owned();
        self.change(
            "autoscaling:TerminateInstance",
            Kind::Scale,
            |_| {},
            move |sim| {
                check::before_terminate(sim, &id);
                sim.terminate(&id)
            },
        )
        .await
    }
}

#[async_trait]
impl Zones for Port {
    async fn records(&self, zone: &str) -> Result<Vec<RecordSet>, CloudError> {
        self.read("route53:ListResourceRecordSets", Kind::Zone, |sim| {
            let which = sim.which(zone);
            if which == Which::Public {
                check::was_read(sim, self.controller, "zone");
            }
            Ok(sim.list_zone(which))
        })
        .await
    }

    async fn change(
        &self,
        zone: &str,
        changes: &[Change],
        _comment: &str,
    ) -> Result<ChangeAnswer, CloudError> {
        let (changes, which) = (changes.to_vec(), self.world.sim().which(zone));
        Port::change(
            self,
            "route53:ChangeResourceRecordSets",
            Kind::Zone,
            |_| {},
            move |sim| Ok(sim.change_zone(which, &changes, true)),
        )
        .await
    }

    async fn is_insync(&self, change_id: &str) -> Result<bool, CloudError> {
        self.read("route53:GetChange", Kind::Zone, |sim| {
            sim.is_insync(change_id).ok_or_else(|| CloudError::NotFound {
                operation: "route53:GetChange",
                message: format!("NoSuchChange: {change_id}"),
            })
        })
        .await
    }
}

#[async_trait]
impl Interfaces for Port {
    async fn public_addresses(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        self.read("ec2:DescribeNetworkInterfaces", Kind::Network, |sim| {
            let known = &sim.truth.network.interfaces;
            let shown = |id: &String| known.get(id).filter(|(_, from)| *from <= sim.now);
            Ok(ids.iter().filter_map(|id| Some((id.clone(), shown(id)?.0.clone()))).collect())
        })
        .await
    }
}

//! Container instances.

use crate::count::Calls;
use crate::error::{incomplete, refused};
use crate::ports::{CloudError, Instances};
use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{ContainerInstance, ContainerInstanceStatus, Resource};
use dormouse_core::definition::Architecture;
use dormouse_core::observed::{Instance, Resources};
use std::sync::Arc;

const LIST: &str = "ecs:ListContainerInstances";
const DESCRIBE: &str = "ecs:DescribeContainerInstances";
const UPDATE: &str = "ecs:UpdateContainerInstancesState";

/// Ids in one DescribeContainerInstances, and instances on one page of ListContainerInstances.
/// Source: Amazon ECS API Reference.
const DESCRIBE_CHUNK: usize = 100;
const LIST_PAGE: i32 = 100;
/// Ids in one UpdateContainerInstancesState. Source: Amazon ECS API Reference.
const UPDATE_CHUNK: usize = 10;
/// The attribute that the agent tells its processor with.
///
/// Source: Amazon ECS Developer Guide, "Amazon ECS container instance attributes".
const ARCHITECTURE: &str = "ecs.cpu-architecture";
/// `failures[].reason` of an instance that is not registered (any more).
const MISSING: &str = "MISSING";

/// Container instances over ECS.
#[derive(Debug, Clone)]
pub struct EcsInstances {
    read: Client,
    write: Client,
    calls: Arc<Calls>,
}

impl EcsInstances {
    /// `write` must not retry.
    pub fn new(read: Client, write: Client, calls: Arc<Calls>) -> EcsInstances {
        EcsInstances { read, write, calls }
    }
}

#[async_trait]
impl Instances for EcsInstances {
    async fn instances(&self, cluster: &str) -> Result<Vec<Instance>, CloudError> {
        let arns = self.listed(cluster).await?;
        let mut instances = Vec::with_capacity(arns.len());
        for chunk in arns.chunks(DESCRIBE_CHUNK) {
            let describe = self.read.describe_container_instances().cluster(cluster);
            let describe = describe.set_container_instances(Some(chunk.to_vec())).send().await;
            let answer = self.calls.settle(DESCRIBE, describe)?;
            let mut accounted = answer.container_instances().len();
            for failure in answer.failures() {
                // It was deregistered since it was listed.
                if failure.reason() != Some(MISSING) {
                    let reason = failure.reason().unwrap_or("no reason");
                    return Err(incomplete(DESCRIBE, reason));
                }
                accounted += 1;
            }
            if accounted < chunk.len() {
                let message = format!("asked for {}, told of {accounted}", chunk.len());
                return Err(incomplete(DESCRIBE, message));
            }
            for instance in answer.container_instances() {
                instances.push(translate(instance)?);
            }
        }
        Ok(instances)
    }

    async fn listed(&self, cluster: &str) -> Result<Vec<String>, CloudError> {
        // Without a status, ECS lists all but the INACTIVE ones.
        let list = self.read.list_container_instances().cluster(cluster);
        let mut pages = list.into_paginator().page_size(LIST_PAGE).send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = self.calls.settle(LIST, page)?;
            arns.extend(page.container_instance_arns.unwrap_or_default());
        }
        Ok(arns)
    }

    async fn set_draining(&self, cluster: &str, arns: &[String], draining: bool) -> Result<(), CloudError> {
        let status =
            if draining { ContainerInstanceStatus::Draining } else { ContainerInstanceStatus::Active };
        for chunk in arns.chunks(UPDATE_CHUNK) {
            let update = self.write.update_container_instances_state().cluster(cluster);
            let update = update.set_container_instances(Some(chunk.to_vec())).status(status.clone());
            let answer = self.calls.settle(UPDATE, update.send().await)?;
            // Nothing is placed on an instance that is gone.
            if let Some(failure) = answer.failures().iter().find(|f| f.reason() != Some(MISSING)) {
                let arn = failure.arn().unwrap_or("an instance");
                return Err(refused(UPDATE, failure.reason().unwrap_or("no reason"), arn));
            }
        }
        Ok(())
    }
}

fn translate(instance: &ContainerInstance) -> Result<Instance, CloudError> {
    let (Some(arn), Some(status)) = (instance.container_instance_arn(), instance.status()) else {
        return Err(incomplete(DESCRIBE, "an instance without an ARN or a status"));
    };
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(Instance {
        arn: arn.to_owned(),
        // External instances have none; they belong to no group.
        ec2_id: instance.ec2_instance_id().unwrap_or_default().to_owned(),
        active: status == "ACTIVE",
        status: status.to_owned(),
        connected: instance.agent_connected(),
        architecture: instance
            .attributes()
            .iter()
            .find(|attribute| attribute.name() == ARCHITECTURE)
            .and_then(|attribute| Architecture::from_ecs(attribute.value()?)),
        registered: resources(instance.registered_resources()),
        remaining: resources(instance.remaining_resources()),
        tasks: count(instance.running_tasks_count()) + count(instance.pending_tasks_count()),
    })
}

fn resources(resources: &[Resource]) -> Resources {
    let amount = |name: &str| {
        let resource = resources.iter().find(|r| r.name() == Some(name));
        resource.map_or(0, |r| u32::try_from(r.integer_value()).unwrap_or(0))
    };
    Resources { cpu: amount("CPU"), memory: amount("MEMORY") }
}

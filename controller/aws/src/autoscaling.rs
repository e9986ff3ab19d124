//! The Auto Scaling group behind the service cluster.

use crate::count::Calls;
use crate::error::incomplete;
use crate::ports::{CloudError, Groups};
use crate::survey::group::Launching;
use async_trait::async_trait;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState, ScalingActivityStatusCode};
use dormouse_core::definition::Architecture;
use dormouse_core::observed::{Group, Member};
use dormouse_state::planted;
use std::collections::BTreeMap;
use std::sync::Arc;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";
const INSTANCES: &str = "autoscaling:DescribeAutoScalingInstances";
const ACTIVITIES: &str = "autoscaling:DescribeScalingActivities";
const DESIRED: &str = "autoscaling:SetDesiredCapacity";
const PROTECT: &str = "autoscaling:SetInstanceProtection";
const TERMINATE: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";

/// Ids in one SetInstanceProtection; DescribeAutoScalingInstances takes as many.
/// Source: Amazon EC2 Auto Scaling API Reference.
const PROTECT_CHUNK: usize = 50;
/// Activities that are looked at for the newest one.
const ACTIVITY_PAGE: i32 = 10;
/// What Auto Scaling answers for an instance that it does not know, and for much else: it has no own code for it.
const VALIDATION: &str = "ValidationError";

/// Groups over EC2 Auto Scaling.
#[derive(Debug, Clone)]
pub struct AutoScalingGroups {
    read: Client,
    write: Client,
    launching: Launching,
    calls: Arc<Calls>,
}

impl AutoScalingGroups {
    /// `write` must not retry: a second TerminateInstance could lower the desired capacity twice.
    pub(crate) fn new(
        read: Client,
        write: Client,
        launching: Launching,
        calls: Arc<Calls>,
    ) -> AutoScalingGroups {
        AutoScalingGroups { read, write, launching, calls }
    }

    /// Lifecycle state by instance id, of those that are in any group. At most [`PROTECT_CHUNK`] ids.
    async fn lifecycles(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        let describe = self.read.describe_auto_scaling_instances().set_instance_ids(Some(ids.to_vec()));
        let mut pages = describe.into_paginator().send();
        let mut lifecycles = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = self.calls.settle(INSTANCES, page)?;
            for instance in page.auto_scaling_instances.unwrap_or_default() {
                if let Some(id) = instance.instance_id {
                    lifecycles.insert(id, instance.lifecycle_state.unwrap_or_default());
                }
            }
        }
        Ok(lifecycles)
    }

    async fn protect_chunk(&self, name: &str, ids: &[String]) -> Result<(), CloudError> {
        let protect = self.write.set_instance_protection().auto_scaling_group_name(name);
        let protect = protect.set_instance_ids(Some(ids.to_vec())).protected_from_scale_in(true);
        self.calls.settle(PROTECT, protect.send().await).map(drop)
    }
}

#[async_trait]
impl Groups for AutoScalingGroups {
    async fn group(&self, name: &str) -> Result<Group, CloudError> {
        let describe = self.read.describe_auto_scaling_groups().auto_scaling_group_names(name);
        let answer = self.calls.settle(DESCRIBE, describe.send().await)?;
        let found = answer.auto_scaling_groups().iter().find(|g| g.auto_scaling_group_name() == Some(name));
        match found {
            Some(group) => translate(group),
            None => Err(CloudError::NotFound {
                operation: DESCRIBE,
                message: format!("there is no Auto Scaling group `{name}`"),
            }),
        }
    }

    async fn launch_failure(&self, name: &str) -> Result<Option<String>, CloudError> {
        let describe = self.read.describe_scaling_activities().auto_scaling_group_name(name);
        let answer = self.calls.settle(ACTIVITIES, describe.max_records(ACTIVITY_PAGE).send().await)?;
        // Of activities that began in the same second the one that comes first is the newest.
        let newest = answer
            .activities()
            .iter()
            .rev()
            .max_by_key(|activity| activity.start_time().map(|time| (time.secs(), time.subsec_nanos())));
        Ok(newest.filter(|activity| activity.status_code() == Some(&ScalingActivityStatusCode::Failed)).map(
            |activity| {
                let words = activity.status_message().or(activity.description());
                words.unwrap_or("the activity failed, without a reason").to_owned()
            },
        ))
    }

    async fn launches(&self, name: &str) -> Result<Option<Architecture>, CloudError> {
        self.launching.processor(name).await
    }

    async fn set_desired(&self, name: &str, desired: u32) -> Result<(), CloudError> {
        let desired = i32::try_from(desired).unwrap_or(i32::MAX);
        let set = self.write.set_desired_capacity().auto_scaling_group_name(name);
        let set = set.desired_capacity(desired).honor_cooldown(false);
        self.calls.settle(DESIRED, set.send().await).map(drop)
    }

    async fn protect(&self, name: &str, ec2_ids: &[String]) -> Result<(), CloudError> {
        for chunk in ec2_ids.chunks(if planted!(UnchunkedProtect) { usize::MAX } else { PROTECT_CHUNK }) {
            let Err(error) = self.protect_chunk(name, chunk).await else { continue };
            if !is_validation(&error) {
                return Err(error);
            }
            // One instance that is gone or leaving has the whole call refused: without it, once more.
            let lifecycles = self.lifecycles(chunk).await?;
            let in_service = LifecycleState::InService.as_str();
            let rest: Vec<String> = chunk
                .iter()
                .filter(|id| lifecycles.get(*id).is_some_and(|s| s == in_service))
                .cloned()
                .collect();
            if rest.len() == chunk.len() {
                return Err(error);
            }
            if !rest.is_empty() {
                self.protect_chunk(name, &rest).await?;
            }
        }
        Ok(())
    }

    async fn terminate(&self, ec2_id: &str) -> Result<(), CloudError> {
        let terminate = self.write.terminate_instance_in_auto_scaling_group().instance_id(ec2_id);
        let terminate = terminate.should_decrement_desired_capacity(true).send().await;
        let Err(error) = self.calls.settle(TERMINATE, terminate) else { return Ok(()) };
        if !is_validation(&error) {
            return Err(error);
        }
        let lifecycles = self.lifecycles(&[ec2_id.to_owned()]).await?;
        match lifecycles.get(ec2_id) {
            Some(lifecycle) if !lifecycle.starts_with("Terminat") => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_validation(error: &CloudError) -> bool {
    matches!(error, CloudError::Refused { code, .. } if code == VALIDATION)
}

fn translate(group: &AutoScalingGroup) -> Result<Group, CloudError> {
    let size = |size: Option<i32>| {
        let size = size.and_then(|size| u32::try_from(size).ok());
        size.ok_or_else(|| incomplete(DESCRIBE, "a group without its sizes"))
    };
    let members = group.instances().iter().map(|instance| {
        let (Some(id), Some(lifecycle)) = (instance.instance_id(), instance.lifecycle_state()) else {
            return Err(incomplete(DESCRIBE, "an instance without an id or a lifecycle state"));
        };
        Ok(Member {
            ec2_id: id.to_owned(),
            lifecycle: lifecycle.as_str().to_owned(),
            protected: instance.protected_from_scale_in().unwrap_or(false),
        })
    });
    Ok(Group {
        min: size(group.min_size())?,
        max: size(group.max_size())?,
        desired: size(group.desired_capacity())?,
        members: members.collect::<Result<_, _>>()?,
    })
}

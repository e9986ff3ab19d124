//! Tasks, from RunTask to STOPPED.

use crate::count::Calls;
use crate::ecs_definitions::Definitions;
use crate::error::{incomplete, refused, sort};
use crate::ports::{CloudError, Described, RunAnswer, RunCall, Tasks};
use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::BuildError;
use aws_sdk_ecs::operation::run_task::RunTaskError;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, DesiredStatus,
    Failure, KeyValuePair, LaunchType, NetworkConfiguration, Tag, Task as ApiTask, TaskOverride,
};
use dormouse_core::definition::Content;
use dormouse_core::lifecycle::pools::says_no_capacity;
use dormouse_core::observed::{Task, TaskStatus};
use dormouse_peer::token::{self, Identity};
use dormouse_state::{Launch, planted};
use std::collections::BTreeMap;
use std::sync::Arc;

const LIST: &str = "ecs:ListTasks";
const DESCRIBE: &str = "ecs:DescribeTasks";
const RUN: &str = "ecs:RunTask";
const STOP: &str = "ecs:StopTask";

/// Tasks on one page of ListTasks, and in one DescribeTasks. Source: Amazon ECS API Reference.
const LIST_PAGE: i32 = 100;
const DESCRIBE_CHUNK: usize = 100;
/// `failures[].reason` of a task that ECS does not know: not yet, or no more.
const MISSING: &str = "MISSING";
/// Variable of the container override that holds a task's token.
const TOKEN: &str = "DORMOUSE_TASK_TOKEN";
/// Why there is no room when the cluster has no instance at all.
const NO_INSTANCES: &str = "NO_INSTANCES";

/// Tasks over ECS.
#[derive(Debug, Clone)]
pub struct EcsTasks {
    read: Client,
    write: Client,
    definitions: Definitions,
    calls: Arc<Calls>,
}

impl EcsTasks {
    /// `write` must not retry.
    pub fn new(read: Client, write: Client, calls: Arc<Calls>) -> EcsTasks {
        let definitions = Definitions::new(read.clone(), write.clone(), calls.clone());
        EcsTasks { read, write, definitions, calls }
    }
}

#[async_trait]
impl Tasks for EcsTasks {
    async fn list(&self, cluster: &str, started_by: &str) -> Result<Vec<String>, CloudError> {
        // No other filter goes with startedBy, and RUNNING is what ECS wants, not where the task is: it lists
        // those in PROVISIONING and PENDING too.
        let list = self.read.list_tasks().cluster(cluster).started_by(started_by);
        let list = list.desired_status(DesiredStatus::Running);
        let mut pages = list.into_paginator().page_size(LIST_PAGE).send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = self.calls.settle(LIST, page)?;
            arns.extend(page.task_arns.unwrap_or_default());
            if planted!(OneUnpagedList) {
                break;
            }
        }
        Ok(arns)
    }

    async fn describe(
        &self,
        cluster: &str,
        started_by: &str,
        arns: &[String],
    ) -> Result<Described, CloudError> {
        let mut described = Described::default();
        for chunk in arns.chunks(if planted!(UnchunkedDescribe) { usize::MAX } else { DESCRIBE_CHUNK }) {
            let describe = self.read.describe_tasks().cluster(cluster).set_tasks(Some(chunk.to_vec()));
            let answer = self.calls.settle(DESCRIBE, describe.send().await)?;
            for failure in answer.failures() {
                match (failure.reason(), failure.arn()) {
                    (Some(MISSING), Some(arn)) => described.missing.insert(arn.to_owned()),
                    _ => return Err(incomplete(DESCRIBE, words(failure))),
                };
            }
            for task in answer.tasks() {
                described.tasks.push(translate(DESCRIBE, cluster, started_by, task)?);
            }
            let known =
                |arn| described.missing.contains(arn) || described.tasks.iter().any(|t| t.arn == *arn);
            if let Some(arn) = chunk.iter().find(|arn| !known(*arn)) {
                return Err(incomplete(DESCRIBE, format!("an answer that does not tell of {arn}")));
            }
        }
        Ok(described)
    }

    async fn run(&self, call: &RunCall) -> Result<RunAnswer, CloudError> {
        let request = request(self.write.run_task(), call)
            .map_err(|error| refused(RUN, "ConstructionFailure", error.to_string()))?;
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let sorted = sort(RUN, &error);
                self.calls.note(RUN, Some(&sorted));
                return match error.as_service_error() {
                    Some(RunTaskError::ConflictException(conflict)) => {
                        Ok(RunAnswer::TokenConflict(conflict.resource_ids().to_vec()))
                    }
                    // A place where a message is matched: ECS has no code of its own for a cluster without
                    // instances, and it is the ordinary state of a cluster at zero.
                    Some(RunTaskError::InvalidParameterException(invalid))
                        if is_no_instances(invalid.message().unwrap_or_default()) =>
                    {
                        Ok(RunAnswer::NoRoom(NO_INSTANCES.into()))
                    }
                    _ => match sorted {
                        CloudError::Refused { message, .. } if says_no_capacity(&message) => {
                            Ok(RunAnswer::NoCapacity(message))
                        }
                        sorted => Err(sorted),
                    },
                };
            }
        };
        self.calls.note(RUN, None);
        match answer.tasks() {
            [task, ..] => {
                let task = translate(RUN, &call.parameters.cluster, &call.started_by, task)?;
                Ok(RunAnswer::Started(Box::new(task)))
            }
            [] => Ok(not_started(answer.failures())),
        }
    }

    async fn stop(&self, cluster: &str, arn: &str, reason: &str) -> Result<(), CloudError> {
        let stop = self.write.stop_task().cluster(cluster).task(arn).reason(reason);
        let Err(error) = self.calls.settle(STOP, stop.send().await) else { return Ok(()) };
        // InvalidParameterException is said of an unknown task and of wrong parameters alike.
        if !matches!(error, CloudError::Refused { .. } | CloudError::NotFound { .. }) {
            return Err(error);
        }
        let described = self.describe(cluster, "", &[arn.to_owned()]).await?;
        // MISSING may be "not yet": of a fresh task ECS may know nothing for a while, and it runs all the same.
        let is_over = described.tasks.iter().any(|task| task.status == TaskStatus::Stopped);
        if is_over { Ok(()) } else { Err(error) }
    }

    async fn register(&self, install: &str, content: &Content) -> Result<String, CloudError> {
        self.definitions.register(install, content).await
    }

    async fn deregister(&self, install: &str, arn: &str) -> Result<(), CloudError> {
        self.definitions.deregister(install, arn).await
    }

    async fn revisions(&self, family: &str) -> Result<Vec<String>, CloudError> {
        self.definitions.revisions(family).await
    }
}

/// Fills in RunTask. The same call always makes the same request: ECS compares all of it under a client token.
fn request(run: RunTaskFluentBuilder, call: &RunCall) -> Result<RunTaskFluentBuilder, BuildError> {
    let parameters = &call.parameters;
    let mut vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(parameters.subnets.clone()))
        .set_security_groups(Some(parameters.security_groups.clone()));
    if parameters.launch != Launch::Ec2 {
        // Refused on EC2, whatever its value.
        let public = if parameters.public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        vpc = vpc.assign_public_ip(public);
    }
    let run = match parameters.launch {
        Launch::Ec2 => run.launch_type(LaunchType::Ec2),
        Launch::Fargate => run.launch_type(LaunchType::Fargate),
        Launch::FargateSpot => {
            let spot = CapacityProviderStrategyItem::builder().capacity_provider("FARGATE_SPOT").weight(1);
            run.capacity_provider_strategy(spot.build()?)
        }
    };
    let environment =
        call.env.iter().map(|(k, v)| KeyValuePair::builder().name(k).value(v).build()).collect();
    let container =
        ContainerOverride::builder().name(&parameters.container).set_environment(Some(environment)).build();
    let tags = call.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let network = NetworkConfiguration::builder().awsvpc_configuration(vpc.build()?).build();
    Ok(run
        .cluster(&parameters.cluster)
        .task_definition(&parameters.task_definition)
        .count(1)
        .client_token(&call.client_token)
        .started_by(&call.started_by)
        .network_configuration(network)
        .overrides(TaskOverride::builder().container_overrides(container).build())
        .set_tags(Some(tags))
        .enable_ecs_managed_tags(true))
}

fn is_no_instances(message: &str) -> bool {
    message.to_ascii_lowercase().contains("no container instances")
}

/// What `failures[]` says of a task that was not started. There may be one entry an instance.
///
/// Source: Amazon ECS Developer Guide, "API failure reasons".
fn not_started(failures: &[Failure]) -> RunAnswer {
    let room = |failure: &&Failure| {
        let reason = failure.reason().unwrap_or_default();
        // What an instance lacks by its kind (ATTRIBUTE) no other one of the group has either.
        let placement = ["AGENT", "EMPTY CAPACITY PROVIDER", "NO ACTIVE INSTANCES"];
        reason.starts_with("RESOURCE:") || placement.contains(&reason)
    };
    let resource =
        |failure: &&Failure| failure.reason().is_some_and(|reason| reason.starts_with("RESOURCE:"));
    if let Some(failure) = failures.iter().find(resource).or_else(|| failures.iter().find(room)) {
        return RunAnswer::NoRoom(failure.reason().unwrap_or_default().to_owned());
    }
    match failures.first() {
        Some(failure) if failure.reason().is_some_and(says_no_capacity) => {
            RunAnswer::NoCapacity(words(failure))
        }
        Some(failure) => RunAnswer::Failed(words(failure)),
        None => RunAnswer::Failed("ECS answered neither a task nor a failure".into()),
    }
}

fn words(failure: &Failure) -> String {
    let reason = failure.reason().unwrap_or("no reason");
    failure.detail().map_or_else(|| reason.to_owned(), |detail| format!("{reason}: {detail}"))
}

fn translate(
    operation: &'static str,
    cluster: &str,
    started_by: &str,
    task: &ApiTask,
) -> Result<Task, CloudError> {
    let (Some(arn), Some(status)) = (task.task_arn(), task.last_status()) else {
        return Err(incomplete(operation, "a task without an ARN or a status"));
    };
    let detail = |name: &str| {
        let details = task.attachments().iter().flat_map(|attachment| attachment.details());
        let found = details.into_iter().find(|detail| detail.name() == Some(name));
        found.and_then(KeyValuePair::value).map(str::to_owned)
    };
    let exit_codes: BTreeMap<_, _> = task
        .containers()
        .iter()
        .filter_map(|container| Some((container.name()?.to_owned(), container.exit_code()?)))
        .collect();
    Ok(Task {
        arn: arn.to_owned(),
        cluster: cluster.to_owned(),
        identity: if task.started_by() == Some(started_by) { identity(task) } else { None },
        status: TaskStatus::parse(status),
        stopping: task.desired_status() == Some("STOPPED"),
        private_address: detail("privateIPv4Address"),
        interface: detail("networkInterfaceId"),
        public_address: None,
        container_instance: task.container_instance_arn().map(str::to_owned),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: stopped_reason(task),
        exit_codes,
    })
}

/// Whom the token in the overrides names. Unlike tags, overrides outlive StopTask.
fn identity(task: &ApiTask) -> Option<Identity> {
    let containers = task.overrides()?.container_overrides().iter();
    let token =
        containers.flat_map(ContainerOverride::environment).find(|pair| pair.name() == Some(TOKEN))?;
    token::claimed(token.value()?)
}

/// ECS's reason with the containers' own behind it: `Essential container in task exited (app: OutOfMemoryError: …)`.
/// What a container says in the same words is not said twice.
fn stopped_reason(task: &ApiTask) -> Option<String> {
    let is_said = |words: &str| task.stopped_reason().is_some_and(|reason| reason.contains(words));
    let containers = task.containers().iter().filter_map(|container| {
        let reason = container.reason().filter(|reason| !reason.is_empty() && !is_said(reason))?;
        Some(format!("{}: {reason}", container.name().unwrap_or("a container")))
    });
    let containers = containers.collect::<Vec<_>>().join("; ");
    match (task.stopped_reason().filter(|reason| !reason.is_empty()), containers.is_empty()) {
        (None, true) => None,
        (None, false) => Some(containers),
        (Some(reason), true) => Some(reason.to_owned()),
        (Some(reason), false) => Some(format!("{reason} ({containers})")),
    }
}

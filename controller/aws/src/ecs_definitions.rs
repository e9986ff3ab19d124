//! Task definitions: found by their tags, else registered.

use crate::count::Calls;
use crate::error::{incomplete, refused};
use crate::ports::CloudError;
use crate::tmp;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionOutput;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, HealthCheck, KeyValuePair, LogConfiguration,
    LogDriver, NetworkMode, OsFamily, PortMapping, RuntimePlatform, Secret, SortOrder, Tag, TaskDefinition,
    TaskDefinitionField, TaskDefinitionStatus, TransportProtocol,
};
use dormouse_core::definition::{Base, Container, Content, LogTo};
use dormouse_core::observed::Resources;
use std::sync::Arc;

const LIST: &str = "ecs:ListTaskDefinitions";
const DESCRIBE: &str = "ecs:DescribeTaskDefinition";
const REGISTER: &str = "ecs:RegisterTaskDefinition";
const DEREGISTER: &str = "ecs:DeregisterTaskDefinition";

/// Tags of a definition: whose it is, of what content, and on which existing revision it stands.
const INSTALL_TAG: &str = "dormouse:install";
const HASH_TAG: &str = "dormouse:hash";
const BASE_TAG: &str = "dormouse:base";

/// Revisions on one page of ListTaskDefinitions. Source: Amazon ECS API Reference.
const LIST_PAGE: i32 = 100;
/// The smallest task-level CPU on EC2, where a task may also go without.
/// Source: Amazon ECS API Reference, RegisterTaskDefinition.
const MIN_TASK_CPU: u32 = 128;
/// ECS's own health check of our containers, in seconds. Only the outer belt: the sidecars report by themselves.
const HEALTH_INTERVAL: i32 = 10;
const HEALTH_TIMEOUT: i32 = 5;
const HEALTH_RETRIES: i32 = 3;
const HEALTH_START: i32 = 60;

/// Task definitions over ECS.
#[derive(Debug, Clone)]
pub struct Definitions {
    read: Client,
    write: Client,
    calls: Arc<Calls>,
}

impl Definitions {
    /// `write` must not retry: each RegisterTaskDefinition makes a revision.
    pub fn new(read: Client, write: Client, calls: Arc<Calls>) -> Definitions {
        Definitions { read, write, calls }
    }

    /// ARN of a revision of this content: one that is there already, else a new one.
    pub async fn register(&self, install: &str, content: &Content) -> Result<String, CloudError> {
        let existing = match &content.base {
            Base::Own => None,
            Base::Existing(name) => Some(self.existing(name).await?),
        };
        let base = existing.as_ref().and_then(TaskDefinition::task_definition_arn).map(str::to_owned);
        let mut tags = vec![(INSTALL_TAG, install.to_owned()), (HASH_TAG, content.hash())];
        tags.extend(base.map(|arn| (BASE_TAG, arn)));
        if let Some(arn) = self.find(&content.family, &tags).await? {
            return Ok(arn);
        }
        let region = self.write.config().region().map(ToString::to_string).unwrap_or_default();
        let register = self.write.register_task_definition();
        let register = match existing {
            None => own(register, content, &region)?,
            Some(existing) => extended(register, content, existing, &region)?,
        };
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(value).build()).collect();
        let answer = self.calls.settle(REGISTER, register.set_tags(Some(tags)).send().await)?;
        let arn = answer.task_definition().and_then(TaskDefinition::task_definition_arn);
        arn.map(str::to_owned).ok_or_else(|| incomplete(REGISTER, "an answer without an ARN"))
    }

    /// Deregisters a revision of this install. One of somebody else's, or that is not there, is left alone.
    pub async fn deregister(&self, install: &str, arn: &str) -> Result<(), CloudError> {
        let answer = match self.describe(arn).await {
            Ok(answer) => answer,
            // How ECS says that it does not know the revision.
            Err(CloudError::NotFound { .. }) => return Ok(()),
            Err(CloudError::Refused { code, .. }) if code == "ClientException" => return Ok(()),
            Err(error) => return Err(error),
        };
        let status = answer.task_definition().and_then(TaskDefinition::status);
        if status != Some(&TaskDefinitionStatus::Active) {
            return Ok(());
        }
        if tag(&answer, INSTALL_TAG) != Some(install) {
            tracing::warn!(arn, "a task definition that this installation did not make is left registered");
            return Ok(());
        }
        let deregister = self.write.deregister_task_definition().task_definition(arn);
        self.calls.settle(DEREGISTER, deregister.send().await).map(drop)
    }

    /// ARNs of all ACTIVE revisions of a family, the newest first.
    pub async fn revisions(&self, family: &str) -> Result<Vec<String>, CloudError> {
        let list = self.read.list_task_definitions().family_prefix(family);
        let list = list.status(TaskDefinitionStatus::Active).sort(SortOrder::Desc);
        let mut pages = list.into_paginator().page_size(LIST_PAGE).send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = self.calls.settle(LIST, page)?;
            arns.extend(page.task_definition_arns.unwrap_or_default());
        }
        // `arn:…:task-definition/family:revision`: the filter is named a prefix.
        arns.retain(|arn| arn.rsplit('/').next().and_then(|name| name.split(':').next()) == Some(family));
        Ok(arns)
    }

    /// The newest ACTIVE revision of a family that carries all these tags.
    async fn find(&self, family: &str, tags: &[(&str, String)]) -> Result<Option<String>, CloudError> {
        for arn in self.revisions(family).await? {
            let answer = self.describe(&arn).await?;
            if tags.iter().all(|(key, value)| tag(&answer, key) == Some(value)) {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn describe(&self, name: &str) -> Result<DescribeTaskDefinitionOutput, CloudError> {
        let describe = self.read.describe_task_definition().task_definition(name);
        let describe = describe.include(TaskDefinitionField::Tags);
        self.calls.settle(DESCRIBE, describe.send().await)
    }

    async fn existing(&self, name: &str) -> Result<TaskDefinition, CloudError> {
        let answer = self.describe(name).await?;
        let definition = answer.task_definition.ok_or_else(|| incomplete(DESCRIBE, "no definition"))?;
        if definition.status() != Some(&TaskDefinitionStatus::Active) {
            return Err(refused(
                DESCRIBE,
                "NotActive",
                format!("the task definition `{name}` is not ACTIVE"),
            ));
        }
        Ok(definition)
    }
}

fn tag<'a>(answer: &'a DescribeTaskDefinitionOutput, key: &str) -> Option<&'a str> {
    answer.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// A definition of the content's containers alone.
fn own(
    register: RegisterTaskDefinitionFluentBuilder,
    content: &Content,
    region: &str,
) -> Result<RegisterTaskDefinitionFluentBuilder, CloudError> {
    let cpu = (content.fargate || content.cpu >= MIN_TASK_CPU).then(|| content.cpu.to_string());
    let mut containers =
        content.containers.iter().map(|one| container(one, region)).collect::<Result<Vec<_>, _>>()?;
    let volumes = content.shares_tmp.as_ref().map(|user| tmp::share(&mut containers, user, Vec::new()));
    Ok(register
        .family(&content.family)
        .network_mode(NetworkMode::Awsvpc)
        .set_requires_compatibilities(Some(compatibilities(content)))
        .set_cpu(cpu)
        .memory(content.memory.to_string())
        .set_task_role_arn(content.task_role.clone())
        .set_execution_role_arn(content.execution_role.clone())
        .set_container_definitions(Some(containers))
        .set_volumes(volumes)
        .set_runtime_platform(platform(content)))
}

/// An existing definition with everything that it says, in awsvpc mode, with the content's containers added.
/// Its own sizes and roles stand; where it gives the task a size, the added containers' is added to it.
fn extended(
    register: RegisterTaskDefinitionFluentBuilder,
    content: &Content,
    existing: TaskDefinition,
    region: &str,
) -> Result<RegisterTaskDefinitionFluentBuilder, CloudError> {
    let name = existing.task_definition_arn.unwrap_or_default();
    let no = |code, why: String| refused(REGISTER, code, format!("the task definition {name} {why}"));
    let needed = compatibilities(content);
    let offered = existing.compatibilities.unwrap_or_default();
    if let Some(lacking) = needed.iter().find(|needed| !offered.contains(needed)) {
        return Err(no("NotCompatible", format!("is not compatible with {lacking}")));
    }
    let mut containers = existing.container_definitions.unwrap_or_default();
    if containers.is_empty() {
        return Err(no("NoContainers", "has no containers".into()));
    }
    for theirs in &mut containers {
        let label = theirs.name.clone().unwrap_or_default();
        if content.containers.iter().any(|ours| ours.name == label) {
            return Err(no("NameTaken", format!("already has a container `{label}`")));
        }
        // Source: Amazon ECS API Reference, ContainerDefinition: not with awsvpc.
        if theirs.links.as_ref().is_some_and(|links| !links.is_empty()) {
            return Err(no("NotAwsvpc", format!("links containers (`{label}`), which awsvpc has none of")));
        }
        // In awsvpc mode a host port is the container's own or unset.
        for mapping in theirs.port_mappings.iter_mut().flatten() {
            mapping.host_port = None;
        }
    }
    let user = match content.shares_tmp.as_deref() {
        Some("") => containers
            .iter()
            .find(|theirs| theirs.essential != Some(false))
            .and_then(|theirs| theirs.name.clone()),
        named => named.map(str::to_owned),
    };
    if let Some(user) = &user
        && !containers.iter().any(|theirs| theirs.name.as_ref() == Some(user))
    {
        let all: Vec<&str> = containers.iter().filter_map(|theirs| theirs.name.as_deref()).collect();
        return Err(no(
            "NoSuchContainer",
            format!("has no container `{user}` (spec.container); it has {}", all.join(", ")),
        ));
    }
    for ours in &content.containers {
        containers.push(container(ours, region)?);
    }
    let mut volumes = existing.volumes.unwrap_or_default();
    if let Some(user) = &user {
        volumes = tmp::share(&mut containers, user, volumes);
    }
    let grown = |size: Option<String>, by: u32| match size {
        None => Ok(None),
        Some(size) => match size.parse::<u32>() {
            Ok(size) => Ok(Some(size.saturating_add(by))),
            Err(_) => Err(no("NotASize", format!("has the task size `{size}`, which is not a whole number"))),
        },
    };
    let cpu = grown(existing.cpu, content.containers.iter().map(|c| c.cpu).sum())?;
    let memory = grown(existing.memory, content.containers.iter().map(|c| c.memory).sum())?;
    let (cpu, memory) = match (cpu, memory) {
        // What is compatible with Fargate has both.
        (Some(cpu), Some(memory)) => match content.size(Resources { cpu, memory }) {
            Some(size) => (Some(size.cpu), Some(size.memory)),
            None => {
                let why = format!(
                    "takes {cpu} CPU units and {memory} MiB with its sidecar: Fargate has no such size"
                );
                return Err(no("TooLarge", why));
            }
        },
        sizes => sizes,
    };
    Ok(register
        .family(&content.family)
        .network_mode(NetworkMode::Awsvpc)
        .set_requires_compatibilities(Some(needed))
        .set_cpu(cpu.map(|cpu| cpu.to_string()))
        .set_memory(memory.map(|memory| memory.to_string()))
        .set_task_role_arn(content.task_role.clone().or(existing.task_role_arn))
        .set_execution_role_arn(existing.execution_role_arn.or_else(|| content.execution_role.clone()))
        .set_container_definitions(Some(containers))
        .set_volumes(Some(volumes))
        .set_placement_constraints(existing.placement_constraints)
        .set_pid_mode(existing.pid_mode)
        .set_ipc_mode(existing.ipc_mode)
        .set_proxy_configuration(existing.proxy_configuration)
        .set_ephemeral_storage(existing.ephemeral_storage)
        .set_runtime_platform(existing.runtime_platform.or_else(|| platform(content)))
        .set_enable_fault_injection(existing.enable_fault_injection))
}

fn platform(content: &Content) -> Option<RuntimePlatform> {
    let architecture = CpuArchitecture::from(content.architecture?.as_ecs());
    Some(
        RuntimePlatform::builder()
            .cpu_architecture(architecture)
            .operating_system_family(OsFamily::Linux)
            .build(),
    )
}

fn compatibilities(content: &Content) -> Vec<Compatibility> {
    match (content.fargate, content.falls_back) {
        (true, _) => vec![Compatibility::Fargate],
        (false, true) => vec![Compatibility::Ec2, Compatibility::Fargate],
        (false, false) => vec![Compatibility::Ec2],
    }
}

fn container(container: &Container, region: &str) -> Result<ContainerDefinition, CloudError> {
    let number = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let unbuilt =
        |error: aws_sdk_ecs::error::BuildError| refused(REGISTER, "ConstructionFailure", error.to_string());
    let environment =
        container.env.iter().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
    let secrets =
        container.secrets.iter().map(|(name, from)| Secret::builder().name(name).value_from(from).build());
    let secrets = secrets.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    let port = container.port.map(|port| {
        let mapping = PortMapping::builder().container_port(i32::from(port)).protocol(TransportProtocol::Tcp);
        vec![mapping.build()]
    });
    let check = (!container.health_command.is_empty()).then(|| {
        HealthCheck::builder()
            .set_command(Some(container.health_command.clone()))
            .interval(HEALTH_INTERVAL)
            .timeout(HEALTH_TIMEOUT)
            .retries(HEALTH_RETRIES)
            .start_period(HEALTH_START)
            .build()
    });
    let log = container.log.as_ref().map(|to| logs(to, region)).transpose().map_err(unbuilt)?;
    Ok(ContainerDefinition::builder()
        .name(&container.name)
        .image(&container.image)
        .set_command(some(&container.command))
        .set_entry_point(some(&container.entry_point))
        .cpu(number(container.cpu.into()))
        .memory(number(container.memory.into()))
        .set_environment(Some(environment.collect()))
        .set_secrets(Some(secrets).filter(|secrets| !secrets.is_empty()))
        .set_port_mappings(port)
        .set_health_check(check.transpose().map_err(unbuilt)?)
        .set_log_configuration(log)
        .stop_timeout(number(container.stop_timeout))
        .essential(true)
        .build())
}

/// The region is this one, and not a part of the content. Non-blocking: a container must not stand still because
/// CloudWatch Logs does.
fn logs(to: &LogTo, region: &str) -> Result<LogConfiguration, aws_sdk_ecs::error::BuildError> {
    LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", &to.group)
        .options("awslogs-region", region)
        .options("awslogs-stream-prefix", &to.prefix)
        .options("mode", "non-blocking")
        .build()
}

fn some(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

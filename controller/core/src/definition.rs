//! The task definitions that a manifest asks for, as content that can be hashed and compared.

use crate::naming::{self, PROXY_CONTAINER, SIDECAR_CONTAINER, USER_CONTAINER};
use crate::observed::Resources;
use crate::settings::Settings;
pub use dormouse_manifests::Architecture;
use dormouse_manifests::fargate::{self, SIDECAR_CPU, SIDECAR_MEMORY};
use dormouse_manifests::{Fallback, IdleAfter, Protocol, ProxyProtocol, ServiceSpec, Timeouts};
use dormouse_peer::wire::Role;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// ECS's ceiling for `stopTimeout`, in seconds. Source: ECS API Reference, ContainerDefinition.
const MAX_STOP_TIMEOUT: u64 = 120;
/// Seconds that a proxy has between the end of its drain and SIGKILL.
const DRAIN_MARGIN: u64 = 5;

/// One container of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Name within the task.
    pub name: String,
    /// Image.
    pub image: String,
    /// In place of the image's CMD; empty = keep.
    pub command: Vec<String>,
    /// In place of the image's ENTRYPOINT; empty = keep.
    pub entry_point: Vec<String>,
    /// CPU units reserved.
    pub cpu: u32,
    /// Hard memory limit in MiB.
    pub memory: u32,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Environment name → ARN of a secret or parameter.
    pub secrets: BTreeMap<String, String>,
    /// Port it listens on, for the port mapping.
    pub port: Option<u16>,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_timeout: u64,
    /// Arguments of the health command, e.g. `["CMD", "/dormouse-proxy", "healthcheck"]`; empty = none.
    pub health_command: Vec<String>,
    /// Where what it writes goes; `None`: wherever the machine puts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogTo>,
}

/// A place in CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogTo {
    /// The log group.
    pub group: String,
    /// What the stream's name begins with: `prefix/container/task`.
    pub prefix: String,
}

/// What the containers stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Base {
    /// Only the containers of this content.
    Own,
    /// An existing task definition (`family`, `family:revision` or ARN), copied, with the containers added.
    Existing(String),
}

/// The content of a task definition. awsvpc network mode throughout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Family it is registered under.
    pub family: String,
    /// What it starts from.
    pub base: Base,
    /// `true`: FARGATE, `false`: EC2.
    pub fargate: bool,
    /// With EC2: on Fargate, too. Its size is one of Fargate's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub falls_back: bool,
    /// Processor that its images are built for; `None`: whatever it is placed on, x86 on Fargate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Task-level CPU units.
    pub cpu: u32,
    /// Task-level MiB.
    pub memory: u32,
    /// Role of the user's own AWS calls.
    pub task_role: Option<String>,
    /// Role that pulls images and reads secrets.
    pub execution_role: Option<String>,
    /// Containers; all essential, so that the end of one ends the task.
    pub containers: Vec<Container>,
    /// The user's container, when its `/tmp` is to be shared with the others: that is where it leaves its wish to
    /// sleep (`/tmp/shutdown`). With [`Base::Existing`] and an empty name, its first essential one.
    pub shares_tmp: Option<String>,
}

impl Content {
    /// Changes whenever anything of the content does.
    pub fn hash(&self) -> String {
        // A plain tree of strings and numbers always serialises.
        naming::content_hash(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The size of a task of this kind that takes so much; `None`: Fargate has none that large.
    pub fn size(&self, needs: Resources) -> Option<Resources> {
        if self.falls_back { on_fargate(needs) } else { Some(needs) }
    }
}

/// The definition of one role of a service.
pub fn content(settings: &Settings, name: &str, spec: &ServiceSpec, role: Role) -> Content {
    match role {
        Role::Proxy => proxy(settings, name, spec),
        Role::Service => service(settings, name, spec),
    }
}

/// What a service task takes on an instance: one that may be on Fargate instead as much as there.
pub fn service_resources(spec: &ServiceSpec) -> Resources {
    let needs = Resources { cpu: spec.cpu + SIDECAR_CPU, memory: spec.memory + SIDECAR_MEMORY };
    match spec.fallback {
        Fallback::None => needs,
        // One that has no size there is refused when it is declared.
        Fallback::Fargate => on_fargate(needs).unwrap_or(needs),
    }
}

/// The cheapest size on Fargate with room for so much.
fn on_fargate(needs: Resources) -> Option<Resources> {
    fargate::fitting(needs.cpu, needs.memory).map(|(cpu, memory)| Resources { cpu, memory })
}

fn proxy(settings: &Settings, name: &str, spec: &ServiceSpec) -> Content {
    let mut env = shared_env(settings, name, spec);
    env.insert("PROXY_PORT".into(), "9060".into());
    env.insert("UPSTREAM_PORT".into(), spec.port.to_string());
    let drain = spec.drain.min(Duration::from_secs(MAX_STOP_TIMEOUT - DRAIN_MARGIN));
    env.insert("DRAIN_MS".into(), millis(drain));
    if let IdleAfter::After(after) = spec.idle_after {
        env.insert("IDLE_AFTER_MS".into(), millis(after));
    }
    if let Some(idle) = spec.websocket_idle {
        env.insert("SOCKET_IDLE_MS".into(), millis(idle));
    }
    let Timeouts { connect, header, body, response, idle } = spec.proxy.timeouts;
    for (name, timeout) in [
        ("CONNECT_TIMEOUT_MS", connect),
        ("HEADER_TIMEOUT_MS", header),
        ("BODY_TIMEOUT_MS", body),
        ("RESPONSE_TIMEOUT_MS", response),
        ("IDLE_TIMEOUT_MS", idle),
    ] {
        if let Some(timeout) = timeout {
            env.insert(name.into(), millis(timeout));
        }
    }
    if spec.proxy.access_log {
        env.insert("ACCESS_LOG".into(), "on".into());
    }
    if let Some(ProxyProtocol::V2) = spec.proxy.proxy_protocol {
        env.insert("PROXY_PROTOCOL".into(), "v2".into());
    }
    if !settings.trusted_proxies.is_empty() {
        env.insert("DORMOUSE_TRUSTED_PROXIES".into(), settings.trusted_proxies.join(","));
    }
    Content {
        family: naming::family(&settings.install, name, Role::Proxy),
        base: Base::Own,
        fargate: true,
        falls_back: false,
        architecture: spec.architecture.or(settings.architecture),
        cpu: spec.proxy.cpu,
        memory: spec.proxy.memory,
        task_role: None,
        execution_role: settings.execution_role.clone(),
        containers: vec![Container {
            name: PROXY_CONTAINER.into(),
            image: settings.proxy_image.clone(),
            command: Vec::new(),
            entry_point: Vec::new(),
            cpu: spec.proxy.cpu,
            memory: spec.proxy.memory,
            env,
            secrets: BTreeMap::new(),
            port: Some(9060),
            // The proxy must outlive its drain.
            stop_timeout: drain.as_secs() + DRAIN_MARGIN,
            health_command: health("/dormouse-proxy"),
            log: log(settings, name),
        }],
        shares_tmp: None,
    }
}

fn service(settings: &Settings, name: &str, spec: &ServiceSpec) -> Content {
    let mut env = shared_env(settings, name, spec);
    env.insert("SERVICE_PORT".into(), spec.port.to_string());
    env.insert("PROXY_PORT".into(), "9060".into());
    env.insert("HEALTH_CHECK_TIMEOUT_MS".into(), millis(spec.health.timeout));
    if let Some(path) = spec.busy_path.clone().filter(|_| spec.protocol == Protocol::Http) {
        env.insert("BUSY_PATH".into(), path);
    }
    let sidecar = Container {
        name: SIDECAR_CONTAINER.into(),
        image: settings.sidecar_image.clone(),
        command: Vec::new(),
        entry_point: Vec::new(),
        cpu: SIDECAR_CPU,
        memory: SIDECAR_MEMORY,
        env,
        secrets: BTreeMap::new(),
        port: None,
        stop_timeout: 10,
        health_command: health("/dormouse-service"),
        log: log(settings, name),
    };
    let resources = service_resources(spec);
    let mut content = Content {
        family: naming::family(&settings.install, name, Role::Service),
        base: Base::Own,
        fargate: false,
        falls_back: spec.fallback == Fallback::Fargate,
        architecture: spec.architecture.or(settings.architecture),
        cpu: resources.cpu,
        memory: resources.memory,
        task_role: spec.task_role_arn.clone(),
        execution_role: settings.execution_role.clone(),
        containers: vec![sidecar],
        shares_tmp: Some(USER_CONTAINER.into()),
    };
    match (&spec.task_definition, &spec.image) {
        (Some(existing), _) => {
            content.base = Base::Existing(existing.clone());
            content.shares_tmp = Some(spec.container.clone().unwrap_or_default());
        }
        (None, image) => content.containers.insert(
            0,
            Container {
                name: USER_CONTAINER.into(),
                image: image.clone().unwrap_or_default(),
                command: spec.command.clone(),
                entry_point: spec.entry_point.clone(),
                cpu: spec.cpu,
                memory: spec.memory,
                env: spec.env.clone(),
                secrets: spec.secrets.clone(),
                port: Some(spec.port),
                stop_timeout: 30,
                health_command: Vec::new(),
                log: log(settings, name),
            },
        ),
    }
    content
}

fn shared_env(settings: &Settings, name: &str, spec: &ServiceSpec) -> BTreeMap<String, String> {
    [
        ("SERVICE_NAME", name.to_owned()),
        ("DOMAIN", settings.domain.clone()),
        ("PROTOCOL", spec.protocol.to_string()),
        ("HEALTH_CHECK_PATH", spec.health.path.clone()),
        ("HEALTH_CHECK_BASE_INTERVAL", millis(spec.health.interval)),
        ("MAX_HEALTH_CHECK_FAILURES", spec.health.failures.to_string()),
        ("HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS", millis(spec.health.grace_period)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn log(settings: &Settings, name: &str) -> Option<LogTo> {
    settings.log_group.clone().map(|group| LogTo { group, prefix: name.to_owned() })
}

fn health(program: &str) -> Vec<String> {
    vec!["CMD".into(), program.into(), "healthcheck".into()]
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

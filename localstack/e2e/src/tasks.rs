//! Tasks as they truly are, whatever calls say of them.

use crate::control::Control;
use serde_json::{Value, json};
use std::fmt;

/// Which half of a pair a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The proxy, on Fargate.
    Proxy,
    /// The service, on an instance.
    Service,
}

impl Role {
    /// Both.
    pub const ALL: [Role; 2] = [Role::Proxy, Role::Service];

    /// Name of the sidecar's container.
    pub const fn sidecar(self) -> &'static str {
        match self {
            Role::Proxy => "dormouse-proxy",
            Role::Service => "dormouse-service",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Role::Proxy => "-proxy",
            Role::Service => "-service",
        }
    }
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task(Value);

impl Task {
    /// As the control endpoint gives it.
    pub const fn new(truth: Value) -> Task {
        Task(truth)
    }

    /// Everything that is known of it.
    pub const fn truth(&self) -> &Value {
        &self.0
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// The last part of its ARN.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        self.text("arn")
    }

    /// Its own address.
    pub fn address(&self) -> &str {
        self.text("address")
    }

    /// `RUNNING`, …
    pub fn status(&self) -> &str {
        self.text("lastStatus")
    }

    /// Its cluster's name.
    pub fn cluster(&self) -> &str {
        self.text("cluster")
    }

    /// Who started it.
    pub fn started_by(&self) -> &str {
        self.text("startedBy")
    }

    /// The EC2 instance it is on.
    pub fn instance(&self) -> &str {
        self.text("instance")
    }

    /// Not over yet.
    pub fn is_live(&self) -> bool {
        self.status() != "STOPPED"
    }

    /// Running, and nobody has asked it to stop.
    pub fn is_running(&self) -> bool {
        self.status() == "RUNNING" && self.text("desiredStatus") == "RUNNING"
    }

    /// A moment of its life, in seconds since 1970.
    pub fn time(&self, what: &str) -> Option<f64> {
        self.0["times"][what].as_f64()
    }

    /// The service and role, when it is one of Dormouse's.
    pub fn role(&self) -> Option<(String, Role)> {
        self.started_by().strip_prefix("dormouse/")?;
        let identity = self.identity()?;
        let mut parts = identity.split(':');
        let service = parts.next()?.to_owned();
        let role = if parts.next()? == "proxy" { Role::Proxy } else { Role::Service };
        Some((service, role))
    }

    /// `service:role:epoch:attempt`, from the token that it carries.
    pub fn identity(&self) -> Option<String> {
        let overrides = self.0["overrides"]["containerOverrides"].as_array()?;
        let variables = overrides.iter().filter_map(|one| one["environment"].as_array()).flatten();
        let token = variables
            .filter(|one| one["name"] == "DORMOUSE_TASK_TOKEN")
            .find_map(|one| one["value"].as_str())?;
        let parts: Vec<&str> = token.split(':').collect();
        parts.get(1..5).map(|parts| parts.join(":"))
    }

    /// A container's field.
    pub fn container(&self, name: &str) -> Value {
        let containers = self.0["containers"].as_array().cloned().unwrap_or_default();
        containers.into_iter().find(|one| one["name"] == name).unwrap_or_default()
    }

    /// A container's exit code, once it has ended.
    pub fn exit_code(&self, container: &str) -> Option<i64> {
        self.container(container)["exitCode"].as_i64()
    }

    /// The process of a container.
    pub fn pid(&self, container: &str) -> Option<u32> {
        self.container(container)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.text("family");
        let reason = self.text("stoppedReason");
        let codes: Vec<String> = self.0["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some(format!("{} exited {}", one["name"].as_str()?, one["exitCode"].as_i64()?)))
            .collect();
        let codes = codes.join(", ");
        write!(f, "{} {family} {} {} {reason} {codes}", self.id(), self.status(), self.address())
    }
}

/// All tasks, also those that have stopped.
#[track_caller]
pub fn all(control: &Control) -> Vec<Task> {
    let known = control.get("tasks");
    known["tasks"].as_array().cloned().unwrap_or_default().into_iter().map(Task::new).collect()
}

/// All tasks of a service's role that ever were, in the order of their making.
#[track_caller]
pub fn ever(control: &Control, service: &str, role: Role) -> Vec<Task> {
    let mut found: Vec<Task> = all(control)
        .into_iter()
        .filter(|task| task.role().is_some_and(|(name, its)| name == service && its == role))
        .collect();
    found.sort_by(|a, b| {
        a.time("createdAt").partial_cmp(&b.time("createdAt")).unwrap_or(std::cmp::Ordering::Equal)
    });
    debug_assert!(
        found.iter().all(|task| task.truth()["family"].as_str().is_some_and(|f| f.ends_with(role.suffix())))
    );
    found
}

/// Those of them that are not over.
#[track_caller]
pub fn live(control: &Control, service: &str, role: Role) -> Vec<Task> {
    ever(control, service, role).into_iter().filter(Task::is_live).collect()
}

/// Sends a signal to a container's process.
///
/// # Panics
/// When there is none.
#[track_caller]
pub fn signal(control: &Control, task: &Task, container: &str, signal: &str) {
    control.post(&format!("tasks/{}/signal", task.id()), &json!({"signal": signal, "container": container}));
}

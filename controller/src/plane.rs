//! What the API, the activator and the pages ask of the control plane.
//!
//! A port of its own, so that everything that faces users can be tested without a cloud behind it.

use async_trait::async_trait;
use dormouse_core::view::{EventView, InstanceView, ServiceView, TemplateView};
use dormouse_manifests::{Service, ServiceTemplate};
use dormouse_peer::wire::{Answer, Heartbeat};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// Why the control plane did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaneError {
    /// No service of that name is declared.
    #[error("no service `{0}` is declared")]
    NotFound(String),
    /// No template of that name is declared.
    #[error("no template `{0}` is declared")]
    NoTemplate(String),
    /// Its template has made as many services as it may.
    #[error("{0}")]
    Full(String),
    /// It cannot be done in the state it is in.
    #[error("{0}")]
    Conflict(String),
    /// What is remembered cannot be reached right now.
    #[error("{0}")]
    Unavailable(String),
    /// Requests woke it as often as a day allows.
    #[error("{detail}")]
    Spent {
        /// In words.
        detail: String,
        /// Until the next day.
        retry_after: Duration,
    },
    /// The request makes no sense; the words name the value and what is accepted.
    #[error("{0}")]
    Invalid(String),
}

/// What a declaration changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// It is new.
    Created,
    /// Labels or spec differ from before.
    Changed,
    /// All is as it was.
    Unchanged,
}

/// Who asks for a wake or a sleep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `request`, `page`, `api`, …
    pub origin: &'static str,
    /// A sentence or less, e.g. `GET /report from 10.1.2.3 (curl/8)`.
    pub reason: String,
}

/// What a controller that stands by tells the one that leads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StandbyReport {
    /// Who it is, in words.
    pub replica: String,
    /// Its API.
    pub url: String,
    /// It ends: nobody is to be led there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Where its activator is reached from outside.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Where it was, when it ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Services whose rows it has changed.
    #[serde(default)]
    pub changed: Vec<String>,
    /// Templates were changed there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub templates: bool,
    /// Services with requests at its activator, and how many.
    #[serde(default)]
    pub in_use: BTreeMap<String, u64>,
}

/// What the leader answers a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StandbyAnswer {
    /// Nobody who keeps to the records' TTL is led to the addresses any more that it left.
    #[serde(default)]
    pub forgotten: bool,
}

/// Counts as use of a service while it lives.
pub trait InUse: Send + Sync {}

/// The control plane, as those see it who face users.
#[async_trait]
pub trait Plane: Send + Sync {
    /// Public domain, no trailing dot.
    fn domain(&self) -> &str;

    /// The time of day that views are of.
    fn now(&self) -> Timestamp;

    /// Whether what is declared has been read, and every change of that.
    fn readiness(&self) -> watch::Receiver<bool>;

    /// Whether what is declared has been read.
    fn is_ready(&self) -> bool {
        *self.readiness().borrow()
    }

    /// Every service, by name.
    fn services(&self) -> Vec<Arc<ServiceView>>;

    /// One service.
    fn service(&self, name: &str) -> Option<Arc<ServiceView>>;

    /// What a wake would make of a name that nobody declared, if a template is for it.
    fn prospect(&self, _name: &str) -> Option<Arc<ServiceView>> {
        None
    }

    /// Looks whether a name that is not known here was declared elsewhere a moment ago. Answers whether it is worth
    /// asking again. Bounded: whoever thinks of names has little read.
    async fn seek(&self, _name: &str) -> bool {
        false
    }

    /// One service, or what a wake would make of its name.
    fn wakeable(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.service(name).or_else(|| self.prospect(name))
    }

    /// Every template, by name.
    fn templates(&self) -> Vec<TemplateView> {
        Vec::new()
    }

    /// Tells of every change of a template, by its number.
    fn template_changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Instances of the group and the cluster.
    fn instances(&self) -> Vec<InstanceView>;

    /// Events of one service, or of all; the newest last.
    fn events(&self, name: Option<&str>) -> Vec<EventView>;

    /// So many of the newest events of all services; the newest last.
    fn newest_events(&self, count: usize) -> Vec<EventView> {
        let mut events = self.events(None);
        events.split_off(events.len().saturating_sub(count))
    }

    /// Declares a service. Validated by the caller.
    async fn declare(&self, service: Service) -> Result<(Declared, Arc<ServiceView>), PlaneError>;

    /// Deletes a service: its tasks and records end first, then its row goes.
    async fn delete(&self, name: &str) -> Result<Arc<ServiceView>, PlaneError>;

    /// Declares a template. Validated by the caller. Its services follow.
    async fn declare_template(
        &self,
        template: ServiceTemplate,
    ) -> Result<(Declared, TemplateView), PlaneError> {
        Err(PlaneError::NoTemplate(template.metadata.name))
    }

    /// Deletes a template. Its services stay until they expire.
    async fn delete_template(&self, name: &str) -> Result<TemplateView, PlaneError> {
        Err(PlaneError::NoTemplate(name.to_owned()))
    }

    /// Wakes a service (or keeps it awake), made from a template if need be, for a time at least when one is given. Durable when it returns.
    async fn wake(
        &self,
        name: &str,
        asked: Asked,
        at_least: Option<Duration>,
    ) -> Result<Arc<ServiceView>, PlaneError>;

    /// The same for a request that nobody vouches for: the manifest may limit those (`spec.wake.dailyBudget`).
    async fn wake_by_request(&self, name: &str, asked: Asked) -> Result<Arc<ServiceView>, PlaneError> {
        self.wake(name, asked, None).await
    }

    /// Has an event written to a service's history, when it can be.
    fn note(&self, _name: &str, _reason: &'static str, _message: String) {}

    /// Puts a service to sleep.
    async fn sleep(&self, name: &str, asked: Asked) -> Result<Arc<ServiceView>, PlaneError>;

    /// Whether heartbeats are for this process. A standby knows no addresses, and nobody acts on what it hears.
    fn hears(&self) -> bool {
        true
    }

    /// Takes a heartbeat in. `None`: the token names no task of ours, or one that is over.
    fn heartbeat(&self, token: &str, beat: Heartbeat) -> Option<Answer>;

    /// The API of the controller that leads, while this one follows it; `None`: it leads, or nobody does.
    fn leader(&self) -> watch::Receiver<Option<String>> {
        watch::channel(None).1
    }

    /// How many controllers there are, as far as this one knows.
    fn replicas(&self) -> usize {
        1
    }

    /// Takes in what a standby says. `None`: this controller does not lead.
    async fn hear_standby(&self, _report: StandbyReport) -> Option<StandbyAnswer> {
        None
    }

    /// Every change of a service's view. A receiver that lags loses the oldest and must list again.
    fn changes(&self) -> broadcast::Receiver<Arc<ServiceView>>;

    /// Where the user's container of a service answers, directly, once its sidecar said that it does.
    fn backend(&self, name: &str) -> watch::Receiver<Option<SocketAddr>>;

    /// Marks a service as in use (a held or proxied request at the activator) until the guard is dropped.
    fn in_use(&self, name: &str) -> Box<dyn InUse>;
}

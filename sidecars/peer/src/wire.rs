//! Heartbeats and their answers: `POST /v1/heartbeat`, JSON, the task's token as bearer.
//!
//! Times travel as durations ("idle for"), never as instants: the two machines' clocks need not agree.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which half of a pair a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Carries the traffic; on Fargate, with a public address.
    Proxy,
    /// The user's container with its sidecar; on EC2.
    Service,
}

impl Role {
    /// Both roles, proxy first: the order in which a pair ends.
    pub const ALL: [Role; 2] = [Role::Proxy, Role::Service];

    /// `proxy` or `service`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Proxy => "proxy",
            Role::Service => "service",
        }
    }

    /// The other half.
    pub const fn peer(self) -> Role {
        match self {
            Role::Proxy => Role::Service,
            Role::Service => Role::Proxy,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a sidecar has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SidecarState {
    /// Up, but what it stands for (the user's container, the upstream) has not answered yet.
    Starting,
    /// The user's container answers (service) or requests can be forwarded (proxy).
    Serving,
    /// Lame duck: finishes what it has and takes nothing new.
    Draining,
    /// About to exit; the last heartbeat of a process.
    Stopping,
}

/// What a proxy counts. All counters are since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Activity {
    /// Requests being answered right now.
    pub in_flight: u64,
    /// Upgraded or raw sockets open right now; not those over which no byte has moved for `SOCKET_IDLE_MS`.
    pub open_sockets: u64,
    /// Requests taken since the start; health checks and probes do not count.
    pub requests: u64,
    /// Bytes forwarded in both directions since the start.
    pub bytes: u64,
    /// Milliseconds since the last request began or ended or a byte moved; since the start when none did.
    pub idle_for_ms: u64,
}

/// The watch over the other half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerHealth {
    /// Whether the last check succeeded.
    pub healthy: bool,
    /// Whether any check ever succeeded.
    pub ever_healthy: bool,
    /// Consecutive failures that counted.
    pub failures: u32,
}

/// A sidecar's report. Who sends it stands in the token, not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Random per process, so that a restarted sidecar's sequence is not taken for an old one.
    pub boot: String,
    /// Grows by one with each heartbeat of a boot; an older one is ignored.
    pub seq: u64,
    /// How far this sidecar is.
    pub state: SidecarState,
    /// The watch over the other half; `None` until its address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerHealth>,
    /// Traffic; from proxies only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The user's container asked for its own sleep (`SHUTDOWN_FILE`), with the words for the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleep_requested: Option<String>,
    /// Whether the user's container says that it must not fall asleep for idleness (`BUSY_PATH`); `None`: nobody
    /// asked it, or it never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<bool>,
    /// Why the sidecar is where it is, in words, e.g. the last probe's error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Where the other half listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerAddress {
    /// IP address.
    pub host: String,
    /// Port for traffic (the service's) or for `/health` (the proxy's).
    pub port: u16,
}

/// The controller's answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The other half's address; `None` while it is unknown: keep what you have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerAddress>,
    /// Proxy: become (or stay) a lame duck. `false` takes a drain back.
    #[serde(default)]
    pub drain: bool,
    /// Milliseconds until the next heartbeat; short while the pair is in transition.
    pub interval_ms: u64,
    /// Every controller that takes heartbeats now, by URL; the one that leads first. Empty: keep what you have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
}

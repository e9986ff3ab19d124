//! The proxy of a service.

use crate::duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The proxy's own Fargate task: one of the sizes that Fargate offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxySpec {
    /// CPU units.
    #[schemars(extend("enum" = [256, 512, 1024, 2048, 4096, 8192, 16384]))]
    pub cpu: u32,
    /// Memory in MiB; which sizes there are depends on `cpu`.
    #[schemars(range(min = 512, max = 122880))]
    pub memory: u32,
    /// Fargate Spot: cheaper, and interrupted with two minutes' notice.
    pub spot: bool,
    /// How long it waits for clients and for the service.
    #[serde(skip_serializing_if = "Timeouts::is_plain")]
    pub timeouts: Timeouts,
    /// It logs a line for each request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub access_log: bool,
    /// The service is told who connects before the first byte; only with `protocol: tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ProxyProtocol")]
    pub proxy_protocol: Option<ProxyProtocol>,
}

impl Default for ProxySpec {
    fn default() -> ProxySpec {
        ProxySpec {
            cpu: 256,
            memory: 512,
            spot: false,
            timeouts: Timeouts::default(),
            access_log: false,
            proxy_protocol: None,
        }
    }
}

/// How a raw service is told who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// PROXY protocol, version 2.
    V2,
}

/// How long the proxy waits. What is left out is the proxy's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// For the service to take a connection.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub connect: Option<Duration>,
    /// For a client to send the head of a request.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub header: Option<Duration>,
    /// For a client to send a byte of its body, or to take one of its answer; `0s`: for ever.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::DurationText")]
    pub body: Option<Duration>,
    /// For the service to begin its answer; `0s`: for ever.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::DurationText")]
    pub response: Option<Duration>,
    /// For a client that has its answer to ask again, before its connection is closed.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "duration::PositiveDurationText")]
    pub idle: Option<Duration>,
}

impl Timeouts {
    /// Whether it says nothing.
    pub fn is_plain(&self) -> bool {
        *self == Timeouts::default()
    }
}

//! What containers wrote, from CloudWatch Logs.
//!
//! Source: Amazon CloudWatch Logs API Reference, FilterLogEvents.

use crate::count::Calls;
use crate::error::incomplete;
use crate::ports::{CloudError, LogPage, Logs};
use crate::signed::{Body, Service, Signed};
use async_trait::async_trait;
use aws_config::SdkConfig;
use dormouse_core::logs::{Event, Window};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

const FILTER: &str = "logs:FilterLogEvents";
const TARGET: &str = "Logs_20140328.FilterLogEvents";

/// Logs over CloudWatch Logs.
#[derive(Debug, Clone)]
pub struct CloudWatchLogs(Signed);

impl CloudWatchLogs {
    /// Region, credentials, endpoint, HTTP client and time limits are those of `config`.
    pub fn new(config: &SdkConfig, calls: Arc<Calls>) -> CloudWatchLogs {
        let service = Service { id: "CloudWatch Logs", signing: "logs", host: "logs" };
        CloudWatchLogs(Signed::new(config, service, calls))
    }
}

#[async_trait]
impl Logs for CloudWatchLogs {
    async fn page(
        &self,
        group: &str,
        prefix: &str,
        window: Window,
        next: Option<&str>,
    ) -> Result<LogPage, CloudError> {
        // By prefix and not by the streams' names: one that is not there yet has a call with names refused whole.
        let mut input =
            json!({"logGroupName": group, "logStreamNamePrefix": prefix, "startTime": window.from});
        if let Some(to) = window.to {
            // It is still within the window, there.
            input["endTime"] = (to - 1).into();
        }
        if let Some(next) = next {
            input["nextToken"] = next.into();
        }
        let text = self.0.call(FILTER, Body::Json { target: TARGET, input: input.to_string() }).await?;
        let page: Page =
            serde_json::from_str(&text).map_err(|error| incomplete(FILTER, error.to_string()))?;
        let event = |found: Found| Event {
            id: found.event_id,
            at: found.timestamp,
            stream: found.log_stream_name,
            message: found.message,
        };
        Ok(LogPage { events: page.events.into_iter().map(event).collect(), next: page.next_token })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    events: Vec<Found>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    event_id: String,
    timestamp: i64,
    log_stream_name: String,
    #[serde(default)]
    message: String,
}

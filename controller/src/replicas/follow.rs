//! A standby hears from the leader what changes, and tells it what it is asked.

use super::{REPORT, pass};
use crate::client::{CallError, Client, Events};
use crate::config::Secret;
use crate::engine::Engine;
use crate::engine::replicas::REPORT_EVERY;
use dormouse_core::view::ServiceView;
use http::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// Between two tries to reach the leader.
const AGAIN: Duration = Duration::from_millis(500);
/// A leader that takes longer for a report is followed no more.
const SILENT: Duration = Duration::from_secs(3);

/// Follows whoever leads, until `stop`. While this controller leads itself, there is nobody to follow.
pub async fn follow(engine: Arc<Engine>, secret: Secret, stop: CancellationToken) {
    let mut leader = engine.leader();
    loop {
        let url = leader.borrow_and_update().clone();
        let session = async {
            let Some(url) = &url else { return std::future::pending().await };
            let error = follow_one(&engine, url, &secret).await;
            engine.follows(None);
            debug!(leader = url, %error, "the leader is not followed");
            tokio::time::sleep(AGAIN).await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = leader.changed() => {
                engine.follows(None);
                if changed.is_err() {
                    return;
                }
            }
            () = session => {}
        }
    }
}

/// Follows one leader until it falls silent; says why.
async fn follow_one(engine: &Engine, url: &str, secret: &Secret) -> CallError {
    let client = match Client::new(url, Some(pass(secret))) {
        Ok(client) => client,
        Err(error) => return error,
    };
    // So that it knows of this one before anybody hears of the leader from it.
    if let Err(error) = report(engine, &client).await {
        return error;
    }
    let mut events = match client.events("/v1/watch").await {
        Ok(events) => events,
        Err(error) => return error,
    };
    info!(leader = url, "following");
    engine.follows(Some(url.to_owned()));
    // They may have changed while nobody told of it.
    engine.refresh_templates().await;
    tokio::select! {
        error = hear(engine, &mut events) => error,
        error = tell(engine, &client) => error,
    }
}

async fn hear(engine: &Engine, events: &mut Events) -> CallError {
    loop {
        let event = match events.next().await {
            Ok(Some(event)) => event,
            Ok(None) => return CallError::Answer("it ended the stream of changes".to_owned()),
            Err(error) => return error,
        };
        match event.kind.as_str() {
            "service" => match serde_json::from_str::<ServiceView>(&event.data) {
                Ok(view) => engine.hear_leader(view).await,
                Err(error) => return CallError::Answer(error.to_string()),
            },
            "deleted" => {
                let gone: Value = serde_json::from_str(&event.data).unwrap_or_default();
                if let Some(name) = gone["metadata"]["name"].as_str() {
                    engine.hear_gone(name).await;
                }
            }
            "templates" => engine.refresh_templates().await,
            _ => {}
        }
    }
}

async fn tell(engine: &Engine, client: &Client) -> CallError {
    loop {
        tokio::select! {
            () = engine.news() => {}
            () = tokio::time::sleep(REPORT_EVERY) => {}
        }
        if let Err(error) = report(engine, client).await {
            return error;
        }
    }
}

async fn report(engine: &Engine, client: &Client) -> Result<(), CallError> {
    let report = engine.report();
    let json = serde_json::to_vec(&report).map_err(|error| CallError::Answer(error.to_string()))?;
    let told = client.send_within(Method::POST, REPORT, json, SILENT).await;
    if told.is_err() {
        engine.untold(report);
    }
    told.map(|_| ())
}

//! Waiting until a service is where it is wanted.

use super::services::Shown;
use super::state::Api;
use crate::problem::Problem;
use crate::views::{condition, is_ready};
use dormouse_core::view::ServiceView;
use dormouse_state::{ConditionType, Desired, Phase};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Its condition `Ready` is true.
    Ready,
    /// Nothing of it runs.
    Asleep,
}

impl Until {
    fn is_so(self, view: &ServiceView) -> bool {
        match self {
            Until::Ready => view.status.desired == Desired::Awake && is_ready(view),
            Until::Asleep => view.status.desired == Desired::Asleep && view.status.phase == Phase::Asleep,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Until::Ready => "ready",
            Until::Asleep => "asleep",
        }
    }
}

/// 200 when it is so, 504 when it is not in time. `changes` was taken before the change was asked for.
pub(super) async fn until(
    api: &Api,
    name: &str,
    mut changes: Receiver<Arc<ServiceView>>,
    longest: Duration,
    until: Until,
) -> Result<Shown, Problem> {
    let deadline = Instant::now() + longest;
    loop {
        let Some(view) = api.plane.service(name) else { return Err(Problem::not_declared(name)) };
        if until.is_so(&view) {
            return Ok(Shown(StatusCode::OK, view));
        }
        tokio::select! {
            () = sleep_until(deadline) => return Err(too_late(&view, longest, until)),
            () = api.stop.cancelled() => return Err(stopping(&view)),
            change = changes.recv() => match change {
                // It may have been so for a moment only, between two looks.
                Ok(changed) if changed.metadata.name == name && until.is_so(&changed) => {
                    return Ok(Shown(StatusCode::OK, changed));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(stopping(&view)),
            },
        }
    }
}

fn too_late(view: &ServiceView, longest: Duration, until: Until) -> Problem {
    let longest = dormouse_manifests::format_duration(longest);
    let name = &view.metadata.name;
    // The failure if there is one, else how far it is.
    let why = [ConditionType::Degraded, ConditionType::Ready]
        .into_iter()
        .find_map(|kind| condition(view, kind))
        .filter(|_| until == Until::Ready)
        .map(|condition| format!(" ({})", condition.message))
        .unwrap_or_default();
    let detail = format!("`{name}` was not {} within {longest}; it goes on{why}", until.words());
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "not-yet", detail)
        .with("service", serde_json::to_value(view).unwrap_or_default())
        .retry_after(5)
}

fn stopping(view: &ServiceView) -> Problem {
    let detail = format!("the controller stops while `{}` is waited for", view.metadata.name);
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail).retry_after(5)
}

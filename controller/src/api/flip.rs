//! Wake and sleep.

use super::extract::{Caller, Name, Params};
use super::services::Shown;
use super::state::Api;
use super::wait::{self, Until};
use crate::problem::Problem;
use axum::extract::State;
use http::StatusCode;
use std::time::Duration;

/// A call waits no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Nothing is kept awake by one call for longer than this; `idleAfter: never` is for that.
const LONGEST_AWAKE: Duration = Duration::from_secs(30 * 86_400);

/// `POST /v1/services/{name}/wake[?wait=60s][&for=2h]`.
pub(super) async fn wake(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
    caller: Caller,
) -> Result<Shown, Problem> {
    let params = params.only(&["wait", "for"])?;
    let wait = params.duration("wait", LONGEST_WAIT)?;
    let at_least = params.duration("for", LONGEST_AWAKE)?;
    let changes = api.plane.changes();
    let view = api.plane.wake(&name, caller.asks("api"), at_least).await?;
    match wait {
        None => Ok(Shown(StatusCode::ACCEPTED, view)),
        Some(longest) => wait::until(&api, &name, changes, longest, Until::Ready).await,
    }
}

/// `POST /v1/services/{name}/sleep[?wait=60s]`.
pub(super) async fn sleep(
    State(api): State<Api>,
    Name(name): Name,
    params: Params,
    caller: Caller,
) -> Result<Shown, Problem> {
    let params = params.only(&["wait"])?;
    let wait = params.duration("wait", LONGEST_WAIT)?;
    let changes = api.plane.changes();
    let view = api.plane.sleep(&name, caller.asks("api")).await?;
    match wait {
        None => Ok(Shown(StatusCode::ACCEPTED, view)),
        Some(longest) => wait::until(&api, &name, changes, longest, Until::Asleep).await,
    }
}

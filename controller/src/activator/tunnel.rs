//! Upgraded connections: bytes both ways until either side ends.

use axum::body::Body;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::any::Any;
use tokio::io::copy_bidirectional;
use tokio_util::task::TaskTracker;

/// Joins the caller's and the service's connection once the caller has the answer. `guard` lives as long.
pub(super) fn open<B>(
    tunnels: &TaskTracker,
    caller: OnUpgrade,
    mut response: Response<B>,
    guard: impl Any + Send,
) -> Response<Body> {
    let service = hyper::upgrade::on(&mut response);
    tunnels.spawn(async move {
        let _guard = guard;
        // An error here says that one of them left before the switch.
        let Ok((caller, service)) = futures::future::try_join(caller, service).await else { return };
        let (mut caller, mut service) = (TokioIo::new(caller), TokioIo::new(service));
        if let Err(error) = copy_bidirectional(&mut caller, &mut service).await {
            tracing::debug!(%error, "a tunnel ended");
        }
    });
    let mut switched = Response::new(Body::empty());
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = std::mem::take(response.headers_mut());
    switched
}

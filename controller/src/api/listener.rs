//! Serving the API.

use super::extract::Peer;
use crate::serve::{self, Grace};
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Serves until `stop`; then calls under way get what is left of `grace` to finish.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, grace: Grace) {
    serve::serve(listener, stop, grace, move |peer| {
        let router = router.clone();
        service_fn(move |request: http::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            router.clone().oneshot(request)
        })
    })
    .await;
}

//! Calls of the API go on to the leader, and are answered here when it is silent.

use super::{REPORT, STANDBY};
use crate::api::Peer;
use crate::config::Secret;
use crate::forward::{Ahead, Failure, Forwarder, answer, onward};
use crate::plane::Plane;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use dormouse_peer::token;
use http::header::HOST;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Proves that a controller of this installation relays a call, and says for whom.
const RELAYED_FOR: HeaderName = HeaderName::from_static("x-dormouse-relayed-for");
/// Calls about this very process.
const OWN: [&str; 4] = ["/healthz", "/readyz", "/metrics", REPORT];

/// What relaying takes.
#[derive(Clone)]
pub struct Relay {
    secret: Secret,
    plane: Arc<dyn Plane>,
    forwarder: Forwarder,
}

impl Relay {
    /// Relays to whom the plane follows.
    pub fn new(secret: Secret, plane: Arc<dyn Plane>) -> Relay {
        Relay { secret, plane, forwarder: Forwarder::default() }
    }

    /// For whom another controller relays this, when one does.
    fn relayed_for(&self, shown: &HeaderValue) -> Option<IpAddr> {
        let text = token::unseal(self.secret.expose().as_bytes(), shown.to_str().ok()?)?;
        text.strip_prefix(STANDBY)?.strip_prefix(' ')?.parse().ok()
    }

    fn for_client(&self, client: IpAddr) -> Option<HeaderValue> {
        let sealed = token::seal(self.secret.expose().as_bytes(), &format!("{STANDBY} {client}"));
        HeaderValue::try_from(sealed).ok()
    }
}

/// Answers a call: the leader's answer while there is one to follow, else one's own.
pub async fn relay(relay: Relay, mut request: Request, next: Next) -> Response {
    if let Some(shown) = request.headers_mut().remove(RELAYED_FOR) {
        // A call goes one step at most.
        let Some(client) = relay.relayed_for(&shown) else {
            return Problem::unauthorized("no controller of this installation relays this call")
                .into_response();
        };
        request.extensions_mut().insert(Peer(client));
        return next.run(request).await;
    }
    let mut leader = relay.plane.leader();
    let url = leader.borrow_and_update().clone();
    let Some(url) = url.filter(|_| !OWN.contains(&request.uri().path())) else {
        return next.run(request).await;
    };
    let Some(address) = address(&url).await else { return next.run(request).await };
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    let Some(proof) = relay.for_client(peer) else { return next.run(request).await };
    let host = request.headers().get(HOST).cloned();
    let host = host.unwrap_or_else(|| HeaderValue::from_static("controller"));
    let extensions = request.extensions().clone();
    // Who is in front of the controllers is the leader's to judge: what they said goes on as it is.
    let mut out = onward(request.map(Ahead::new), &host);
    out.headers_mut().insert(RELAYED_FOR, proof);
    let answered = tokio::select! {
        answered = relay.forwarder.send(address, out) => answered,
        () = gone(&mut leader, &url) => Err(Failure::Lost("the leader has fallen silent".to_owned())),
    };
    match answered {
        Ok(response) => answer(response).map(Body::new),
        Err(Failure::Unsent(unsent, _)) => {
            let mut request = unsent.map(Body::new);
            request.headers_mut().remove(RELAYED_FOR);
            *request.extensions_mut() = extensions;
            next.run(request).await
        }
        Err(Failure::Lost(why)) => {
            let detail = format!("the controller that leads did not answer ({why}); try again");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-leader", detail).into_response()
        }
    }
}

async fn gone(leader: &mut tokio::sync::watch::Receiver<Option<String>>, url: &str) {
    // Its sender lives as long as the plane.
    let _ = leader.wait_for(|now| now.as_deref() != Some(url)).await;
}

async fn address(url: &str) -> Option<SocketAddr> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80))).await.ok()?.next()
}

//! What is done with a request.

use super::hold::{self, Held};
use super::host;
use super::listener::Activator;
use super::{local, own};
use crate::forward::From;
use crate::pages;
use crate::plane::Asked;
use crate::problem::Problem;
use crate::readiness;
use crate::request::describe;
use crate::trace::Trace;
use crate::trust::hops;
use crate::waker::Refused;
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_core::view::ServiceView;
use dormouse_manifests::Protocol;
use dormouse_state::Desired;
use futures::FutureExt as _;
use http::header;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Seconds until a caller who was refused may try again.
pub(super) const RETRY_AFTER: u64 = 5;

impl Activator {
    /// Answers one request: with the service's answer, or in its place.
    pub async fn answer(self: Arc<Self>, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let (parts, body) = request.into_parts();
        let domain = self.plane.domain();
        let named = host::host(&parts).and_then(|host| Ok((host::service(&host, domain)?, host)));
        let (name, host) = match named {
            Ok(named) => named,
            Err(why) => return local::no_service(&parts, why, domain),
        };
        if let Err(problem) = readiness::read(&*self.plane).await {
            return problem.into_response();
        }
        let mut known = self.plane.wakeable(&name);
        if known.is_none() && self.plane.seek(&name).await {
            known = self.plane.wakeable(&name);
        }
        match known {
            None => return local::not_declared(&parts, &name),
            Some(view) if own::is_own(parts.uri.path()) => return self.own(&parts, &view, peer).await,
            Some(_) => {}
        }
        // In use before anything is decided: from here on it does not fall asleep for idleness.
        let in_use = self.plane.in_use(&name);
        let backend = self.plane.backend(&name);
        let Some(view) = self.plane.wakeable(&name) else { return local::not_declared(&parts, &name) };
        let answering = backend.borrow().is_some();
        let wanted = view.status.desired == Desired::Awake;
        let client = self.trusted.client(peer.ip(), hops(&parts.headers));
        let asked = || Asked { origin: "request", reason: describe(&parts, client) };
        if let Some(response) = self.link(&parts, &view) {
            return response;
        }
        if !(answering && wanted)
            && let Some(response) = self.without_waking(&parts, &view, client)
        {
            return response;
        }
        if !answering && local::prefers_async(&parts.headers) {
            let waking = self.waker.wake(&view, client, asked());
            return match waking.now_or_never() {
                Some(Err(refused)) => self.not_woken(&refused, &view),
                _ => local::accepted(&view, self.api_url.as_deref()),
            };
        }
        if !answering && view.spec.wake.page && local::is_navigation(&parts) {
            // Not awaited: the page comes at once, and asks again by itself.
            let waking = self.waker.wake(&view, client, Asked { origin: "page", ..asked() });
            if let Some(Err(refused)) = waking.now_or_never() {
                return self.not_woken(&refused, &view);
            }
            self.traces.begin(&self.plane, &view, &parts).answered(StatusCode::SERVICE_UNAVAILABLE);
            let mut page = pages::waiting(&view, &self.pages, &own::paths(), self.plane.now());
            page.headers_mut().insert(local::STATE, local::waking());
            return page;
        }
        let mut trace =
            if answering { Trace::default() } else { self.traces.begin(&self.plane, &view, &parts) };
        let waking = (!wanted).then(|| self.waker.wake(&view, client, asked()));
        let mut request = Request::from_parts(parts, body);
        self.strip(request.headers_mut());
        let from = From { peer: peer.ip(), client, trusted: self.trusted.trusts(peer.ip()) };
        let held = Held {
            activator: &self,
            hold: view.spec.wake.hold,
            socket_idle: view.spec.websocket_idle,
            http2: view.spec.protocol == Protocol::H2c,
            name,
            host,
            from,
            in_use,
        };
        drop(view);
        let response = held.answer(request, backend, waking, &mut trace).await;
        trace.answered(response.status());
        response
    }

    /// The answer to a request that may not wake the service, or is none that should.
    pub(super) fn without_waking(
        &self,
        parts: &Parts,
        view: &ServiceView,
        client: IpAddr,
    ) -> Option<Response<Body>> {
        let agent =
            parts.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        if view.spec.wake.ignore.matches(parts.method.as_str(), parts.uri.path(), agent.as_deref()) {
            return Some(local::ignored(parts, view));
        }
        if !self.may_wake(&parts.headers, view) {
            return Some(self.needs_token(view, &describe(parts, client)));
        }
        if local::is_guess(&parts.headers) {
            let detail = format!("`{}` sleeps, and a prefetch does not wake it", view.metadata.name);
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "asleep", detail);
            return Some(
                problem.retry_after(RETRY_AFTER).header(local::STATE, local::state(view)).into_response(),
            );
        }
        None
    }

    /// The answer to a request that was not let wake the service.
    fn not_woken(&self, refused: &Refused, view: &ServiceView) -> Response<Body> {
        let problem = hold::not_woken(refused, &view.metadata.name);
        problem.header(local::STATE, local::state(view)).into_response()
    }
}

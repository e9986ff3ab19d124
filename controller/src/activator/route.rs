//! What is done with a request.

use super::hold::{self, Held};
use super::host;
use super::listener::Activator;
use super::local;
use crate::pages;
use crate::plane::Asked;
use crate::problem::Problem;
use crate::request::describe;
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_core::view::ServiceView;
use dormouse_manifests::Access;
use dormouse_state::Desired;
use futures::FutureExt as _;
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use std::net::SocketAddr;
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
        if self.plane.service(&name).is_none() {
            return local::not_declared(&parts, &name);
        }
        // In use before anything is decided: from here on it does not fall asleep for idleness.
        let in_use = self.plane.in_use(&name);
        let backend = self.plane.backend(&name);
        let Some(view) = self.plane.service(&name) else { return local::not_declared(&parts, &name) };
        let answering = backend.borrow().is_some();
        let wanted = view.status.desired == Desired::Awake;
        if !(answering && wanted)
            && let Some(response) = self.without_waking(&parts, &view)
        {
            return response;
        }
        let asked = || Asked { origin: "request", reason: describe(&parts, peer.ip()) };
        if !answering && view.spec.wake.page && local::is_navigation(&parts) {
            // Not awaited: the page comes at once, and asks again by itself.
            let waking = self.waker.wake(&view, peer.ip(), Asked { origin: "page", ..asked() });
            if let Some(Err(refused)) = waking.now_or_never() {
                let problem = hold::not_woken(&refused, &name);
                return problem.header(local::STATE, local::state(&view)).into_response();
            }
            let mut page = pages::waiting(&view);
            page.headers_mut().insert(local::STATE, local::waking());
            return page;
        }
        let waking = (!wanted).then(|| self.waker.wake(&view, peer.ip(), asked()));
        let mut request = Request::from_parts(parts, body);
        self.strip_token(request.headers_mut());
        let held = Held { activator: &self, view: &view, host, peer: peer.ip(), in_use };
        held.answer(request, backend, waking).await
    }

    /// The answer to a request that may not wake the service, or is none that should.
    fn without_waking(&self, parts: &Parts, view: &ServiceView) -> Option<Response<Body>> {
        let agent =
            parts.headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        if view.spec.wake.ignore.matches(parts.uri.path(), agent.as_deref()) {
            return Some(local::ignored(parts, view));
        }
        if view.spec.wake.access == Access::Token && !self.shows_token(&parts.headers) {
            let detail =
                format!("waking `{}` needs a token: give `Authorization: Bearer …`", view.metadata.name);
            let problem = Problem::unauthorized(&detail).header(local::STATE, local::state(view));
            return Some(problem.into_response());
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

    fn shows_token(&self, headers: &HeaderMap) -> bool {
        let shown = crate::request::bearer(headers);
        self.token.as_ref().zip(shown).is_some_and(|(token, shown)| token.matches(shown))
    }

    /// The API's token is no business of the service's.
    fn strip_token(&self, headers: &mut HeaderMap) {
        if self.shows_token(headers) {
            headers.remove(header::AUTHORIZATION);
        }
    }
}

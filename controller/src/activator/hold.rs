//! Waiting for a service, and forwarding to it.

use super::listener::Activator;
use super::route::RETRY_AFTER;
use super::slots::Slot;
use super::tunnel::Used;
use super::{local, tunnel};
use crate::forward::{self, Ahead, Failure, From, Guarded};
use crate::plane::{Asked, InUse, PlaneError};
use crate::problem::Problem;
use crate::trace::Trace;
use crate::waker::{Refused, Waking};
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_state::Desired;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Until the same address is tried again after nobody listened there; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often one that waits looks whether the service is still wanted.
const LOOK: Duration = Duration::from_secs(2);

/// One request that is to reach its service. Many wait at a time: it has what it needs of the service's view, and no
/// more.
pub(super) struct Held<'a> {
    pub(super) activator: &'a Activator,
    pub(super) name: String,
    /// `spec.wake.hold`.
    pub(super) hold: Duration,
    /// `spec.websocketIdle`.
    pub(super) socket_idle: Option<Duration>,
    /// `spec.protocol`: the service speaks HTTP/2 alone.
    pub(super) http2: bool,
    pub(super) host: HeaderValue,
    pub(super) from: From,
    pub(super) in_use: Box<dyn InUse>,
}

impl Held<'_> {
    /// Waits for the service, if need be, and gives its answer. Dropped when the caller leaves.
    pub(super) async fn answer(
        self,
        mut request: Request<Body>,
        mut backend: watch::Receiver<Option<SocketAddr>>,
        waking: Option<Waking>,
        trace: &mut Trace,
    ) -> Response<Body> {
        let deadline = Instant::now() + self.hold;
        let caller = forward::wants_upgrade(&request).map(|_| hyper::upgrade::on(&mut request));
        // Whoever expects to be told to continue is told so by the first look at the body.
        let reads_ahead = !request.headers().contains_key(header::EXPECT);
        let (parts, body) = request.into_parts();
        let mut body = Ahead::new(body);
        let mut slot = None;
        if let Some(waking) = waking {
            if !self.take_slot(&mut slot) {
                return self.overflow();
            }
            tokio::select! {
                biased;
                woken = waking => if let Err(error) = woken {
                    trace.not_woken(&error.to_string());
                    return self.cannot_wake(&error);
                },
                refused = self.end_of_patience(deadline) => return refused,
                error = body.read_on(), if reads_ahead => return self.unreadable(&error),
            }
        }
        while backend.borrow_and_update().is_none() {
            if !self.take_slot(&mut slot) {
                return self.overflow();
            }
            tokio::select! {
                biased;
                changed = backend.changed() => if changed.is_err() {
                    // The plane is gone, and with it whoever could say where the service is.
                    return self.stopping();
                },
                refused = self.end_of_patience(deadline) => return refused,
                error = body.read_on(), if reads_ahead => return self.unreadable(&error),
                () = tokio::time::sleep(LOOK) => self.wake_again(),
            }
        }
        let trailers = forward::takes_trailers(&parts.headers);
        let request = Request::from_parts(parts, body);
        let mut request = forward::outgoing(request, &self.host, self.from);
        if self.http2 {
            request = match forward::over_http2(request, trailers) {
                Ok(request) => request,
                Err(error) => {
                    return self.refuse(StatusCode::BAD_REQUEST, "bad-host", error.to_string());
                }
            };
        }
        trace.forward(request.headers_mut());
        let mut pause = FIRST_PAUSE;
        loop {
            let current = *backend.borrow_and_update();
            let Some(address) = current else {
                if !self.take_slot(&mut slot) {
                    return self.overflow();
                }
                tokio::select! {
                    biased;
                    changed = backend.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return self.stopping(),
                    },
                    refused = self.end_of_patience(deadline) => return refused,
                }
            };
            // Boxed, so that those who wait do not have the room for it.
            match Box::pin(self.activator.forwarder.send(address, request)).await {
                Ok(response) => {
                    drop(slot);
                    let response = forward::answer(response);
                    return match (response.status(), caller) {
                        (StatusCode::SWITCHING_PROTOCOLS, Some(caller)) => {
                            let (plane, name) = (Arc::clone(&self.activator.plane), self.name.clone());
                            let used = Used {
                                now: self.in_use,
                                again: Box::new(move || plane.in_use(&name)),
                                idle: self.socket_idle,
                            };
                            tunnel::open(&self.activator.tunnels, caller, response, used)
                        }
                        (StatusCode::SWITCHING_PROTOCOLS, None) => {
                            self.lost("it switched protocols though nobody asked")
                        }
                        _ => response.map(|body| Body::new(Guarded::new(body, self.in_use))),
                    };
                }
                Err(Failure::Lost(words)) => return self.lost(&words),
                Err(Failure::Unsent(unsent, words)) => {
                    tracing::debug!(service = self.name(), %address, error = words, "nobody answers there");
                    request = *unsent;
                }
            }
            // The address may be stale, or the container on its way back up: whichever comes first.
            if !self.take_slot(&mut slot) {
                return self.overflow();
            }
            let again = Instant::now() + pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tokio::select! {
                biased;
                changed = backend.changed() => if changed.is_err() {
                    return self.stopping();
                },
                refused = self.end_of_patience(deadline) => return refused,
                () = sleep_until(again) => {}
            }
        }
    }

    /// Ends when the request has waited long enough, or when the activator is about to cut it off.
    async fn end_of_patience(&self, deadline: Instant) -> Response<Body> {
        tokio::select! {
            () = sleep_until(deadline) => self.too_late(),
            () = self.activator.closing.cancelled() => self.stopping(),
        }
    }

    /// Somebody may have put the service to sleep meanwhile: whoever waits for it wakes it anew.
    fn wake_again(&self) {
        let activator = self.activator;
        let Some(view) = activator.plane.service(self.name()) else { return };
        if view.status.desired == Desired::Asleep {
            let reason = "a request that waits at the activator".to_owned();
            // Not awaited: what it comes to is seen at the next look.
            drop(activator.waker.wake(&view, self.from.client, Asked { origin: "request", reason }));
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn take_slot(&self, slot: &mut Option<Slot>) -> bool {
        if slot.is_none() {
            *slot = self.activator.slots.take(self.name());
        }
        slot.is_some()
    }

    /// The state as it is now, not as it was when the request came.
    fn state(&self) -> HeaderValue {
        self.activator.plane.service(self.name()).map_or_else(local::waking, |view| local::state(&view))
    }

    fn refuse(&self, status: StatusCode, kind: &str, detail: String) -> Response<Body> {
        Problem::new(status, kind, detail)
            .with("service", self.name())
            .retry_after(RETRY_AFTER)
            .header(local::STATE, self.state())
            .into_response()
    }

    fn overflow(&self) -> Response<Body> {
        self.activator.counters.overflowed.fetch_add(1, Ordering::Relaxed);
        let detail = format!("`{}` is waking, and too many requests wait for it already", self.name());
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "too-many-held", detail)
    }

    fn too_late(&self) -> Response<Body> {
        self.activator.counters.timed_out.fetch_add(1, Ordering::Relaxed);
        let hold = dormouse_manifests::format_duration(self.hold);
        let detail =
            format!("`{}` did not answer within {hold} (spec.wake.hold); it goes on waking", self.name());
        self.refuse(StatusCode::GATEWAY_TIMEOUT, "held-too-long", detail)
    }

    fn stopping(&self) -> Response<Body> {
        let detail = format!("the controller stops while `{}` is waking", self.name());
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail)
    }

    fn unreadable(&self, error: &axum::Error) -> Response<Body> {
        tracing::debug!(service = self.name(), %error, "a held request's body broke off");
        self.refuse(StatusCode::BAD_REQUEST, "bad-body", "the request's body broke off".to_owned())
    }

    fn cannot_wake(&self, refused: &Refused) -> Response<Body> {
        not_woken(refused, self.name()).header(local::STATE, self.state()).into_response()
    }

    fn lost(&self, words: &str) -> Response<Body> {
        self.activator.counters.lost.fetch_add(1, Ordering::Relaxed);
        tracing::info!(service = self.name(), error = words, "a request got no answer");
        let detail = format!(
            "`{}` was sent the request and gave no answer ({words}); it may or may not have acted on it",
            self.name()
        );
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "no-answer", detail)
    }
}

/// For requests that did not get to wake their service.
pub(super) fn not_woken(refused: &Refused, name: &str) -> Problem {
    let problem = Problem::from(refused.clone());
    match refused {
        Refused::Plane(PlaneError::NotFound(_) | PlaneError::Spent { .. }) | Refused::TooOften { .. } => {
            problem
        }
        Refused::Plane(error) => {
            let detail = format!("`{name}` cannot be woken: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cannot-wake", detail)
                .with("service", name)
                .retry_after(RETRY_AFTER)
        }
    }
}

//! The activator and its listener.

use super::slots::{Limits, Slots};
use crate::forward::Forwarder;
use crate::metrics::{Metrics, Page};
use crate::pages::{Custom, Goes, Live};
use crate::passes::Passes;
use crate::plane::Plane;
use crate::serve::{self, Grace};
use crate::tokens::Tokens;
use crate::trace::Traces;
use crate::trust::TrustedProxies;
use crate::waker::Waker;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What an activator is told at its start.
#[derive(Clone, Default)]
pub struct Options {
    /// How many requests may be held.
    pub limits: Limits,
    /// The tokens of which `spec.wake.access: token` asks for one that may wake.
    pub tokens: Tokens,
    /// Links and cookies that stand in for it in browsers.
    pub passes: Option<Arc<Passes>>,
    /// The proxies in front whose word counts.
    pub trusted: TrustedProxies,
    /// Pages of one's own.
    pub pages: Arc<Custom>,
    /// Where callers who do not wait may ask for a service's state: `http://host:port`.
    pub api_url: Option<String>,
    /// Where requests that wait are traced.
    pub traces: Traces,
}

/// Answers for services that sleep, by waking them.
pub struct Activator {
    pub(super) plane: Arc<dyn Plane>,
    pub(super) waker: Waker,
    pub(super) slots: Slots,
    pub(super) tokens: Tokens,
    pub(super) passes: Option<Arc<Passes>>,
    pub(super) trusted: TrustedProxies,
    pub(super) pages: Arc<Custom>,
    pub(super) api_url: Option<String>,
    pub(super) traces: Traces,
    pub(super) forwarder: Forwarder,
    pub(super) tunnels: TaskTracker,
    pub(super) counters: Counters,
    pub(super) live: Live,
    /// Cancelled at once when it is to stop: waiting pages ask another controller.
    stopping: CancellationToken,
    /// Cancelled shortly before connections are cut: who is still held gets an answer.
    pub(super) closing: CancellationToken,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) overflowed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) lost: AtomicU64,
}

impl Activator {
    /// An activator over a plane.
    pub fn new(plane: Arc<dyn Plane>, waker: Waker, options: Options) -> Arc<Activator> {
        let stopping = CancellationToken::new();
        let live = Live::new(Arc::clone(&plane), Goes::Answering, stopping.clone());
        Arc::new(Activator {
            plane,
            waker,
            slots: Slots::new(options.limits),
            tokens: options.tokens,
            passes: options.passes,
            trusted: options.trusted,
            pages: options.pages,
            api_url: options.api_url,
            traces: options.traces,
            forwarder: Forwarder::default(),
            tunnels: TaskTracker::new(),
            counters: Counters::default(),
            live,
            stopping,
            closing: CancellationToken::new(),
        })
    }

    /// Serves until `stop`; then requests that are held or under way, and tunnels, get what is left of `grace` to finish.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken, grace: Grace) {
        let activator = Arc::clone(&self);
        let (closing, watched) = (self.closing.clone(), self.stopping.clone());
        let (stopping, runs) = (stop.clone(), grace.clone());
        tokio::spawn(async move {
            stopping.cancelled().await;
            watched.cancel();
            runs.begin();
            let left = runs.left();
            sleep(left - left / 10).await;
            closing.cancel();
        });
        serve::serve(listener, stop.clone(), grace.clone(), move |peer| {
            let activator = Arc::clone(&activator);
            service_fn(move |request| Arc::clone(&activator).infallible(peer, request))
        })
        .await;
        self.tunnels.close();
        let _ = timeout(grace.left(), self.tunnels.wait()).await;
    }

    /// Serves one connection, whatever carries it.
    pub async fn connection<I>(self: Arc<Self>, io: I, peer: SocketAddr, stop: CancellationToken)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| Arc::clone(&self).infallible(peer, request));
        serve::connection(io, service, stop).await;
    }

    async fn infallible(
        self: Arc<Self>,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(self.answer(peer, request.map(Body::new)).await)
    }

    /// Answers everybody who is held: nothing is to be waited for.
    pub fn give_up(&self) {
        self.closing.cancel();
    }

    /// How many requests are held right now.
    pub fn held(&self) -> usize {
        self.slots.held()
    }
}

impl Metrics for Activator {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let counters = &self.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        page.gauge(
            "dormouse_activator_held_requests",
            "Requests held for services on their way up",
            self.slots.held(),
        )?;
        page.metric(
            "dormouse_activator_held_duration_seconds",
            "How long requests were held, however that ended",
            self.slots.durations(),
        )?;
        page.gauge("dormouse_activator_tunnels", "Upgraded connections", self.tunnels.len())?;
        page.counter("dormouse_activator_requests", "Requests taken", count(&counters.requests))?;
        page.counter(
            "dormouse_activator_overflowed",
            "Requests refused because too many were held",
            count(&counters.overflowed),
        )?;
        page.counter(
            "dormouse_activator_timed_out",
            "Requests held until their deadline",
            count(&counters.timed_out),
        )?;
        page.counter(
            "dormouse_requests_lost",
            "Requests that were forwarded and got no answer; must stay 0",
            count(&counters.lost),
        )
    }
}

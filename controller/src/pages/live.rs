//! A waiting page's event stream: its live part anew with each change, then the word to go.

use super::progress::Seen;
use super::waiting;
use crate::plane::{InUse, Plane};
use crate::problem::Problem;
use crate::views::is_ready;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_state::Desired;
use futures::stream::unfold;
use futures::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Said at least this often, so that a page notices when nobody is there.
const PACE: Duration = Duration::from_secs(5);
/// A wake that was asked for shows in the service's view by then.
const ASKED: Duration = Duration::from_secs(3);
/// Nobody waits longer before a page that was forgotten.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// So many pages are followed at once; others ask again by themselves.
const MOST: usize = 2_000;

/// When a page is told to go on to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// When the service answers at its own address: the condition `Ready`.
    Ready,
    /// When it can be answered for right here.
    Answering,
}

/// The event streams of the waiting pages of one listener.
#[derive(Clone)]
pub struct Live {
    plane: Arc<dyn Plane>,
    goes: Goes,
    stop: CancellationToken,
    places: Arc<Semaphore>,
}

impl Live {
    /// Streams that end with `stop`.
    pub fn new(plane: Arc<dyn Plane>, goes: Goes, stop: CancellationToken) -> Live {
        Live { plane, goes, stop, places: Arc::new(Semaphore::new(MOST)) }
    }

    /// The stream of one page. While it is followed and the service is wanted, it counts as use.
    pub fn follow(&self, name: &str, wake: String) -> Response {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let detail = "too many pages are followed already: it asks again by itself";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-followed", detail)
                .retry_after(5)
                .into_response();
        };
        let began = Instant::now();
        let watcher = Watcher {
            plane: Arc::clone(&self.plane),
            goes: self.goes,
            changes: self.plane.changes(),
            backend: self.plane.backend(name),
            name: name.to_owned(),
            wake,
            seen: Seen::default(),
            in_use: None,
            began,
            next: began,
            said: false,
            ended: false,
            _place: place,
        };
        let events = unfold(watcher, |mut watcher| async {
            let event = watcher.next().await?;
            Some((Ok::<_, Infallible>(event), watcher))
        });
        let mut response = Sse::new(events.take_until(self.stop.clone().cancelled_owned())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // What sits between must not keep events for later.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

struct Watcher {
    plane: Arc<dyn Plane>,
    goes: Goes,
    changes: Receiver<Arc<ServiceView>>,
    backend: watch::Receiver<Option<SocketAddr>>,
    name: String,
    wake: String,
    seen: Seen,
    in_use: Option<Box<dyn InUse>>,
    began: Instant,
    /// When the next event is due, whatever happens.
    next: Instant,
    said: bool,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if self.said {
            self.wait().await?;
        }
        self.said = true;
        self.next = Instant::now() + PACE;
        let view = self.plane.service(&self.name);
        let Some(view) = view.filter(|view| !self.goes_on(view)) else {
            // To its service; or, where there is none any more, to the page that says so.
            return Some(self.last("go"));
        };
        if self.began.elapsed() >= LONGEST {
            return Some(self.last("end"));
        }
        let wanted = view.status.desired == Desired::Awake;
        self.in_use =
            if wanted { self.in_use.take().or_else(|| Some(self.plane.in_use(&self.name))) } else { None };
        let now = self.plane.now();
        self.seen.look(&view, now);
        let asked = self.began.elapsed() < ASKED;
        let html = waiting::live(&view, &self.seen, asked, &self.wake, now);
        Some(Event::default().event("progress").data(html))
    }

    /// Until something may have changed.
    async fn wait(&mut self) -> Option<()> {
        loop {
            tokio::select! {
                () = sleep_until(self.next) => return Some(()),
                changed = self.backend.changed() => return changed.ok(),
                change = self.changes.recv() => match change {
                    Ok(view) if view.metadata.name == self.name => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
        // What came meanwhile is shown at once.
        while self.changes.recv().now_or_never().is_some_and(|change| change.is_ok()) {}
        Some(())
    }

    fn goes_on(&self, view: &ServiceView) -> bool {
        let there = match self.goes {
            Goes::Ready => is_ready(view),
            Goes::Answering => self.backend.borrow().is_some(),
        };
        there && view.status.desired == Desired::Awake
    }

    fn last(&mut self, word: &str) -> Event {
        self.ended = true;
        self.in_use = None;
        // Without data, browsers do not pass it on.
        Event::default().event(word).data("now")
    }
}

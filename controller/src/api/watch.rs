//! Server-sent events: every change of a service's view.
//!
//! First each service as it is, then each change, as `event: service`; `event: deleted` when one is gone, and
//! `event: templates` when a template has changed.

use super::extract::Params;
use super::state::Api;
use crate::label::is_label;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use dormouse_core::view::ServiceView;
use futures::stream::{Stream, StreamExt as _, unfold};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// Often enough for whatever sits between and drops silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /v1/watch[?name=]`.
pub(super) async fn get(
    State(api): State<Api>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let params = params.only(&["name"])?;
    let only = params.get("name").map(str::to_owned);
    if let Some(name) = only.as_deref().filter(|name| !is_label(name)) {
        return Err(Problem::bad_name(name));
    }
    let changes = api.plane.changes();
    let stop = api.stop.clone();
    let templates = api.plane.template_changes();
    let mut feed = Feed { api, only, changes, templates, known: BTreeSet::new(), queue: VecDeque::new() };
    feed.list();
    let events = unfold(feed, |mut feed| async { Some((Ok(feed.next().await?), feed)) });
    let events = events.take_until(stop.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Feed {
    api: Api,
    only: Option<String>,
    changes: Receiver<Arc<ServiceView>>,
    templates: watch::Receiver<u64>,
    /// Whom the receiver knows of, so that it is told when one is gone.
    known: BTreeSet<String>,
    queue: VecDeque<Event>,
}

impl Feed {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                change = self.changes.recv() => match change {
                    Ok(view) if self.wants(&view) => self.changed(&view),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.list(),
                    Err(RecvError::Closed) => return None,
                },
                Ok(()) = self.templates.changed() => self.templates_changed(),
            }
        }
    }

    fn wants(&self, view: &ServiceView) -> bool {
        self.only.as_ref().is_none_or(|name| *name == view.metadata.name)
    }

    fn changed(&mut self, view: &ServiceView) {
        let name = &view.metadata.name;
        if view.metadata.deleting && self.api.plane.service(name).is_none() {
            self.gone(name);
        } else {
            self.show(view);
        }
    }

    fn list(&mut self) {
        let services = self.api.plane.services();
        let there: BTreeSet<String> = services.iter().map(|view| view.metadata.name.clone()).collect();
        let gone: Vec<String> = self.known.difference(&there).cloned().collect();
        for name in gone {
            self.gone(&name);
        }
        for view in services.iter().filter(|view| self.wants(view)).cloned().collect::<Vec<_>>() {
            self.show(&view);
        }
    }

    fn show(&mut self, view: &ServiceView) {
        // A view is plain data: it always has a JSON form.
        if let Ok(event) = Event::default().event("service").json_data(view) {
            self.known.insert(view.metadata.name.clone());
            self.queue.push_back(event);
        }
    }

    fn templates_changed(&mut self) {
        if self.only.is_none() {
            let data = json!({"changes": *self.templates.borrow_and_update()}).to_string();
            self.queue.push_back(Event::default().event("templates").data(data));
        }
    }

    fn gone(&mut self, name: &str) {
        if self.known.remove(name) {
            let data = json!({"metadata": {"name": name}}).to_string();
            self.queue.push_back(Event::default().event("deleted").data(data));
        }
    }
}

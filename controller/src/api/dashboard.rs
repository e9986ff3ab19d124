//! The dashboard: its page, its event stream, logging in and out.

use super::audit::{Attempt, Who};
use super::auth;
use super::cost::CostReport;
use super::extract::Caller;
use super::state::Api;
use crate::pages::dashboard::{self, EVENTS, Places, Shown};
use crate::problem::Problem;
use crate::request::is_from_elsewhere;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_manifests::RateLimit;
use futures::stream::unfold;
use futures::{FutureExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

/// Where its event stream is.
pub(super) const STREAM: &str = "/.dormouse/dashboard";
/// Where one logs in.
pub(super) const LOGIN: &str = "/.dormouse/login";
/// Where one logs out.
pub(super) const LOGOUT: &str = "/.dormouse/logout";

/// Changes are gathered this long: a busy service does not keep the page busy.
const GATHER: Duration = Duration::from_millis(100);
/// Instances and events are looked at again after a change, but not more often.
const PANELS: Duration = Duration::from_secs(2);
/// And without a change this often.
const QUIET: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /`.
pub(super) async fn page(State(api): State<Api>, headers: HeaderMap) -> Response {
    let (services, instances, events) =
        (api.plane.services(), api.plane.instances(), api.plane.newest_events(EVENTS));
    let now = api.plane.now();
    let costs = CostReport::of(&services, &api.tariff, api.plane.replicas(), now);
    dashboard::dashboard(&Shown {
        services: &services,
        instances: &instances,
        events: &events,
        domain: api.plane.domain(),
        proof: api.proof.expose(),
        stream: STREAM,
        logout: auth::has_session(&api, &headers).then_some(LOGOUT),
        money: costs.total(&costs.month),
        idle: costs.idle.month,
        now,
    })
}

/// What the form sends.
/// Tries to log in of one address: a person's, and no guesser's.
const TRIES: RateLimit = RateLimit { count: 10, per: Duration::from_secs(60) };

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
}

/// `POST /.dormouse/login`.
pub(super) async fn login(
    State(api): State<Api>,
    caller: Caller,
    form: Result<Form<Login>, FormRejection>,
) -> Response {
    let headers = &caller.parts.headers;
    if is_from_elsewhere(headers) {
        let detail = "another site's page cannot log in here";
        return Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response();
    }
    if let Err(wait) =
        api.logins.lock().unwrap_or_else(PoisonError::into_inner).take("", caller.address, TRIES)
    {
        let seconds = wait.as_secs() + 1;
        tracing::warn!(from = %caller.address, "too many tries to log in");
        let mut refused = dashboard::login(LOGIN, Some(&format!("Too many tries: again in {seconds} s.")));
        *refused.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return refused;
    }
    let form = match form {
        Ok(form) => form,
        Err(wrong) => return Problem::new(wrong.status(), "invalid", wrong.body_text()).into_response(),
    };
    let attempt = Attempt::of(&api, &caller.parts);
    let Some(session) = api.tokens.session(form.token.trim()) else {
        return if !api.tokens.is_empty() {
            attempt.answered(None, StatusCode::UNAUTHORIZED);
            dashboard::login(LOGIN, Some("That is not the token."))
        } else {
            to_dashboard(None)
        };
    };
    let who = api.tokens.of_session(session.expose()).cloned().map(Who::Bearer);
    attempt.answered(who.as_ref(), StatusCode::SEE_OTHER);
    let secure = if is_https(headers) { "; Secure" } else { "" };
    let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict{secure}", auth::COOKIE, session.expose());
    to_dashboard(Some(&cookie))
}

/// `POST /.dormouse/logout`.
pub(super) async fn logout(headers: HeaderMap) -> Response {
    if is_from_elsewhere(&headers) {
        let detail = "another site's page cannot log out here";
        return Problem::new(StatusCode::FORBIDDEN, "cross-site", detail).into_response();
    }
    to_dashboard(Some(&format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", auth::COOKIE)))
}

fn is_https(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

fn to_dashboard(cookie: Option<&str>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

/// `GET /.dormouse/dashboard`: each part of the page as it is, then anew with each change of it.
pub(super) async fn stream(State(api): State<Api>) -> impl axum::response::IntoResponse {
    let stop = api.stop.clone();
    let changes = api.plane.changes();
    let now = Instant::now();
    let mut feed = Feed {
        api,
        changes,
        known: BTreeSet::new(),
        queue: VecDeque::new(),
        panels_at: now,
        looked: now,
        panels: [String::new(), String::new()],
    };
    feed.list();
    let events = unfold(feed, |mut feed| async { Some((Ok::<_, Infallible>(feed.next().await?), feed)) });
    Sse::new(events.take_until(stop.cancelled_owned())).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Feed {
    api: Api,
    changes: Receiver<Arc<ServiceView>>,
    /// Whom the page shows.
    known: BTreeSet<String>,
    queue: VecDeque<Event>,
    /// When instances and events are looked at again.
    panels_at: Instant,
    looked: Instant,
    /// As they were sent last.
    panels: [String; 2],
}

impl Feed {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                () = sleep_until(self.panels_at) => self.show_panels(),
                change = self.changes.recv() => match change {
                    Ok(view) => self.gather(view).await,
                    Err(RecvError::Lagged(_)) => self.list(),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    /// The newest view of each service that changes about now.
    async fn gather(&mut self, first: Arc<ServiceView>) {
        tokio::time::sleep(GATHER).await;
        let mut changed = BTreeMap::from([(first.metadata.name.clone(), first)]);
        while let Some(change) = self.changes.recv().now_or_never() {
            match change {
                Ok(view) => drop(changed.insert(view.metadata.name.clone(), view)),
                Err(RecvError::Lagged(_)) => return self.list(),
                Err(RecvError::Closed) => break,
            }
        }
        for (name, view) in &changed {
            if view.metadata.deleting && self.api.plane.service(name).is_none() {
                self.gone(name);
            }
        }
        let there =
            changed.into_values().filter(|view| self.api.plane.service(&view.metadata.name).is_some());
        let there: Vec<Arc<ServiceView>> = there.collect();
        self.show(&there);
        self.panels_at = self.panels_at.min(self.looked + PANELS);
    }

    fn list(&mut self) {
        let services = self.api.plane.services();
        let there: BTreeSet<&str> = services.iter().map(|view| view.metadata.name.as_str()).collect();
        let gone: Vec<String> =
            self.known.iter().filter(|name| !there.contains(name.as_str())).cloned().collect();
        gone.iter().for_each(|name| self.gone(name));
        self.show(&services);
        self.panels_at = self.panels_at.min(self.looked + PANELS);
    }

    fn show(&mut self, views: &[Arc<ServiceView>]) {
        let (instances, now) = (self.api.plane.instances(), self.api.plane.now());
        let places = Places::of(&instances);
        for view in views {
            let name = &view.metadata.name;
            let mut data = format!("{name} ");
            dashboard::row(&mut data, view, &places, now);
            self.queue.push_back(Event::default().event("row").data(data));
            self.known.insert(name.clone());
        }
    }

    fn gone(&mut self, name: &str) {
        if self.known.remove(name) {
            self.queue.push_back(Event::default().event("deleted").data(name));
        }
    }

    fn show_panels(&mut self) {
        self.looked = Instant::now();
        self.panels_at = self.looked + QUIET;
        let mut shown = [String::new(), String::new()];
        let [instances, events] = &mut shown;
        dashboard::instances(instances, &self.api.plane.instances());
        dashboard::events(events, &self.api.plane.newest_events(EVENTS), self.api.plane.now());
        for (now, before) in shown.iter().zip(&self.panels) {
            if now != before {
                self.queue.push_back(Event::default().event("panel").data(now));
            }
        }
        self.panels = shown;
    }
}

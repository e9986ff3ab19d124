//! A control plane without a cloud, for tests. Integration tests include this file, too.

use async_trait::async_trait;
use dormouse::logs::LogReader;
use dormouse::plane::{Asked, Declared, InUse, Plane, PlaneError};
use dormouse_aws::ports::{CloudError, LogPage, Logs};
use dormouse_core::logs::{Event as LogEvent, Window};
use dormouse_core::template;
use dormouse_core::view::{
    self, ActivityView, EventView, InstanceView, MadeFromView, MetadataView, ServiceView, Status,
    TemplateView,
};
use dormouse_manifests::{Service, ServiceSpec, ServiceTemplate};
use dormouse_peer::wire::{Answer, Heartbeat};
use dormouse_state::{Cause, Condition, ConditionType, Desired, Event, Months, Phase, Templates};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, watch};

/// Two hours after every service was declared.
pub const NOW: &str = "2026-01-01T12:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A service that was just declared.
pub fn asleep(name: &str) -> ServiceView {
    ServiceView {
        api_version: dormouse_manifests::API_VERSION.into(),
        kind: dormouse_manifests::KIND.into(),
        metadata: MetadataView {
            name: name.into(),
            labels: BTreeMap::new(),
            generation: 1,
            creation_timestamp: at("2026-01-01T10:00:00Z"),
            deleting: false,
        },
        spec: ServiceSpec::defaults_for("nginx:1").into(),
        status: Status {
            phase: Phase::Asleep,
            desired: Desired::Asleep,
            observed_generation: 1,
            url: format!("http://{name}.example.com:9060"),
            epoch: 0,
            conditions: Vec::new().into(),
            service: None,
            proxy: None,
            backend: None,
            activity: ActivityView {
                in_flight: 0,
                open_sockets: 0,
                last_request_at: at("2026-01-01T10:00:00Z"),
                idle_at: None,
            },
            last_wake: None,
            last_sleep: None,
            made_from: None,
            wakes: Vec::new(),
            awake_until: None,
            sleeps_by: None,
            kept_awake_by: Vec::new(),
            wakes_today: 0,
            rollout: None,
            awake: Months::default(),
            awake_since: None,
            awake_on_fargate: Months::default(),
            on_fargate_since: None,
            metered_since: Some(at("2026-01-01T10:00:00Z")),
            untold: None,
            failures: 0,
            retry_at: None,
        },
    }
}

pub fn condition(kind: ConditionType, status: bool, reason: &str, message: &str) -> Condition {
    let last_transition_time = at("2026-01-01T11:55:41Z");
    Condition { kind, status, reason: reason.into(), message: message.into(), last_transition_time }
}

/// A service that answers.
pub fn awake(name: &str) -> ServiceView {
    let mut view = asleep(name);
    view.status.phase = Phase::Awake;
    view.status.desired = Desired::Awake;
    view.status.epoch = 1;
    view.status.conditions = vec![condition(ConditionType::Ready, true, "Answered", "it answers")].into();
    view.status.activity.last_request_at = at("2026-01-01T11:59:00Z");
    view.status.activity.idle_at = Some(at("2026-01-01T12:14:00Z"));
    view.status.last_wake = Some(Cause {
        at: at("2026-01-01T11:55:00Z"),
        origin: "request".into(),
        reason: "GET / from 10.1.2.3".into(),
        duration_ms: Some(41_234),
    });
    view
}

/// A plane whose services are what a test says.
pub struct FakePlane {
    views: Mutex<BTreeMap<String, Arc<ServiceView>>>,
    /// Declared at another controller a moment ago.
    pub elsewhere: Mutex<Option<ServiceView>>,
    templates: Mutex<Templates>,
    template_changes: watch::Sender<u64>,
    changes: broadcast::Sender<Arc<ServiceView>>,
    backends: Mutex<HashMap<String, watch::Sender<Option<SocketAddr>>>>,
    pub readiness: watch::Sender<bool>,
    pub standby: AtomicBool,
    pub asked: Mutex<Vec<(String, Asked, Option<Duration>)>>,
    pub refuses: Mutex<Option<PlaneError>>,
    pub in_use: Arc<AtomicUsize>,
    /// Events that were asked for: service, reason, message.
    pub noted: Mutex<Vec<(String, &'static str, String)>>,
    /// Wakes wait for a permit of it.
    pub gate: Semaphore,
}

impl FakePlane {
    pub fn new(views: impl IntoIterator<Item = ServiceView>) -> Arc<FakePlane> {
        Arc::new(FakePlane {
            views: Mutex::new(
                views.into_iter().map(|view| (view.metadata.name.clone(), Arc::new(view))).collect(),
            ),
            elsewhere: Mutex::default(),
            templates: Mutex::default(),
            template_changes: watch::Sender::new(0),
            changes: broadcast::Sender::new(16),
            backends: Mutex::default(),
            readiness: watch::Sender::new(true),
            standby: AtomicBool::new(false),
            asked: Mutex::default(),
            refuses: Mutex::default(),
            in_use: Arc::default(),
            noted: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// Another one is declared.
    pub fn insert(&self, view: ServiceView) {
        self.views.lock().unwrap().insert(view.metadata.name.clone(), Arc::new(view));
    }

    /// Changes a view and tells everybody.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut ServiceView)) -> Arc<ServiceView> {
        let mut views = self.views.lock().unwrap();
        let mut view = (**views.get(name).unwrap()).clone();
        change(&mut view);
        let view = Arc::new(view);
        views.insert(name.into(), Arc::clone(&view));
        let _ = self.changes.send(Arc::clone(&view));
        view
    }

    pub fn remove(&self, name: &str) {
        let view = self.views.lock().unwrap().remove(name).unwrap();
        let mut view = (*view).clone();
        view.metadata.deleting = true;
        let _ = self.changes.send(Arc::new(view));
    }

    pub fn make_ready(&self, name: &str) {
        self.update(name, |view| *view = ServiceView { spec: view.spec.clone(), ..awake(name) });
    }

    pub fn set_backend(&self, name: &str, address: Option<SocketAddr>) {
        self.sender(name, |sender| sender.send_replace(address));
    }

    fn sender<T>(&self, name: &str, act: impl FnOnce(&watch::Sender<Option<SocketAddr>>) -> T) -> T {
        let mut backends = self.backends.lock().unwrap();
        act(backends.entry(name.into()).or_insert_with(|| watch::Sender::new(None)))
    }

    pub fn wakes(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn refusal(&self) -> Result<(), PlaneError> {
        self.refuses.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    /// Puts what a template makes of a name among the services.
    fn make(&self, name: &str) {
        if self.service(name).is_none()
            && let Some(view) = self.prospect(name)
        {
            self.views.lock().unwrap().insert(name.into(), view);
        }
    }

    fn known(&self, name: &str) -> Result<Arc<ServiceView>, PlaneError> {
        self.service(name).ok_or_else(|| PlaneError::NotFound(name.into()))
    }
}

struct Guard(Arc<AtomicUsize>);

impl InUse for Guard {}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Plane for FakePlane {
    fn domain(&self) -> &str {
        "example.com"
    }

    fn now(&self) -> Timestamp {
        at(NOW)
    }

    fn readiness(&self) -> watch::Receiver<bool> {
        self.readiness.subscribe()
    }

    fn services(&self) -> Vec<Arc<ServiceView>> {
        self.views.lock().unwrap().values().cloned().collect()
    }

    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.views.lock().unwrap().get(name).cloned()
    }

    async fn seek(&self, name: &str) -> bool {
        let view = self.elsewhere.lock().unwrap().take_if(|view| view.metadata.name == name);
        let is_there = view.is_some();
        self.views.lock().unwrap().extend(view.map(|view| (name.to_owned(), Arc::new(view))));
        is_there
    }

    fn prospect(&self, name: &str) -> Option<Arc<ServiceView>> {
        let templates = self.templates.lock().unwrap();
        let known = template::of(&templates, name)?;
        let record = template::make(known, name, None, 0, at(NOW)).ok()?;
        let mut view = ServiceView { spec: record.spec, ..asleep(name) };
        view.status.made_from = record.made_from.map(|from| MadeFromView {
            template: from.template,
            orphaned: from.orphaned,
            expires_at: None,
        });
        Some(Arc::new(view))
    }

    fn templates(&self) -> Vec<TemplateView> {
        let made = |template: &str| {
            let views = self.services();
            let of = |view: &&Arc<ServiceView>| {
                view.status.made_from.as_ref().is_some_and(|from| from.template == template)
            };
            views.iter().filter(of).map(|view| view.metadata.name.clone()).collect()
        };
        let templates = self.templates.lock().unwrap();
        templates.by_name.iter().map(|(name, known)| view::template(known, made(name))).collect()
    }

    fn template_changes(&self) -> watch::Receiver<u64> {
        self.template_changes.subscribe()
    }

    async fn declare_template(
        &self,
        template: ServiceTemplate,
    ) -> Result<(Declared, TemplateView), PlaneError> {
        self.refusal()?;
        let name = template.metadata.name.clone();
        let declared = {
            let mut templates = self.templates.lock().unwrap();
            let existed = templates.by_name.contains_key(&name);
            match template::declare(&templates, &template, at("2026-01-01T10:00:00Z")) {
                None => Declared::Unchanged,
                Some(next) => {
                    self.template_changes.send_replace(next.changes);
                    *templates = next;
                    if existed { Declared::Changed } else { Declared::Created }
                }
            }
        };
        let view = self.templates().into_iter().find(|view| view.metadata.name == name).unwrap();
        Ok((declared, view))
    }

    async fn delete_template(&self, name: &str) -> Result<TemplateView, PlaneError> {
        let last = self.templates().into_iter().find(|view| view.metadata.name == name);
        let last = last.ok_or_else(|| PlaneError::NoTemplate(name.into()))?;
        let mut templates = self.templates.lock().unwrap();
        *templates = template::delete(&templates, name).unwrap();
        Ok(last)
    }

    fn instances(&self) -> Vec<InstanceView> {
        vec![InstanceView {
            id: "i-1".into(),
            lifecycle: Some("InService".into()),
            status: Some("ACTIVE".into()),
            protected: true,
            tasks: 1,
            services: vec!["hello".into()],
        }]
    }

    fn events(&self, name: Option<&str>) -> Vec<EventView> {
        let event =
            Event { at: at("2026-01-01T11:55:00Z"), reason: "Woken".into(), message: "by request".into() };
        vec![EventView { service: name.unwrap_or("hello").into(), event }]
    }

    async fn declare(&self, service: Service) -> Result<(Declared, Arc<ServiceView>), PlaneError> {
        self.refusal()?;
        let name = service.metadata.name.clone();
        let known = self.service(&name);
        let declared = match &known {
            None => Declared::Created,
            Some(view) if view.spec == service.spec => Declared::Unchanged,
            Some(_) => Declared::Changed,
        };
        let mut view = known.map_or_else(|| asleep(&name), |view| (*view).clone());
        view.spec = service.spec.into();
        view.metadata.labels = service.metadata.labels;
        let view = Arc::new(view);
        self.views.lock().unwrap().insert(name, Arc::clone(&view));
        Ok((declared, view))
    }

    async fn delete(&self, name: &str) -> Result<Arc<ServiceView>, PlaneError> {
        self.refusal()?;
        let view = self.known(name)?;
        self.remove(name);
        let mut view = (*view).clone();
        view.metadata.deleting = true;
        Ok(Arc::new(view))
    }

    async fn wake(
        &self,
        name: &str,
        asked: Asked,
        at_least: Option<Duration>,
    ) -> Result<Arc<ServiceView>, PlaneError> {
        self.make(name);
        self.known(name)?;
        self.asked.lock().unwrap().push((name.into(), asked, at_least));
        drop(self.gate.acquire().await);
        self.refusal()?;
        Ok(self.update(name, |view| {
            view.status.desired = Desired::Awake;
            if view.status.phase == Phase::Asleep {
                view.status.phase = Phase::Waking;
            }
        }))
    }

    fn note(&self, name: &str, reason: &'static str, message: String) {
        self.noted.lock().unwrap().push((name.into(), reason, message));
    }

    async fn sleep(&self, name: &str, asked: Asked) -> Result<Arc<ServiceView>, PlaneError> {
        self.known(name)?;
        self.asked.lock().unwrap().push((name.into(), asked, None));
        self.refusal()?;
        Ok(self.update(name, |view| {
            view.status.desired = Desired::Asleep;
            if view.status.phase != Phase::Asleep {
                view.status.phase = Phase::Draining;
            }
        }))
    }

    fn hears(&self) -> bool {
        !self.standby.load(Ordering::SeqCst)
    }

    fn heartbeat(&self, token: &str, beat: Heartbeat) -> Option<Answer> {
        (token == "task-token").then_some(Answer {
            peer: None,
            drain: beat.seq > 1,
            interval_ms: 200,
            controllers: Vec::new(),
        })
    }

    fn changes(&self) -> broadcast::Receiver<Arc<ServiceView>> {
        self.changes.subscribe()
    }

    fn backend(&self, name: &str) -> watch::Receiver<Option<SocketAddr>> {
        self.sender(name, watch::Sender::subscribe)
    }

    fn in_use(&self, _: &str) -> Box<dyn InUse> {
        self.in_use.fetch_add(1, Ordering::SeqCst);
        Box::new(Guard(Arc::clone(&self.in_use)))
    }
}

/// A log group in memory, told of in small pages, from the beginning, as CloudWatch Logs does.
pub struct FakeLogs {
    pub events: Mutex<Vec<LogEvent>>,
    /// Events in a page.
    pub page: usize,
    /// Stretches that pages were asked for of.
    pub asked: Mutex<Vec<Window>>,
    pub refuses: Mutex<Option<CloudError>>,
}

impl FakeLogs {
    pub fn new(events: impl IntoIterator<Item = LogEvent>) -> Arc<FakeLogs> {
        Arc::new(FakeLogs {
            events: Mutex::new(events.into_iter().collect()),
            page: 2,
            asked: Mutex::default(),
            refuses: Mutex::default(),
        })
    }

    /// As the API takes it.
    pub fn reader(self: &Arc<Self>) -> Arc<LogReader> {
        Arc::new(LogReader::new(Arc::<FakeLogs>::clone(self), "/dormouse/services".into(), None))
    }
}

/// A line, written so many seconds before [`NOW`].
pub fn wrote(seconds: i64, stream: &str, message: &str) -> LogEvent {
    LogEvent {
        id: format!("{stream}@{seconds}:{message}"),
        at: at(NOW).as_millisecond() - seconds * 1000,
        stream: stream.into(),
        message: message.into(),
    }
}

#[async_trait]
impl Logs for FakeLogs {
    async fn page(
        &self,
        _: &str,
        prefix: &str,
        window: Window,
        next: Option<&str>,
    ) -> Result<LogPage, CloudError> {
        self.asked.lock().unwrap().push(window);
        if let Some(error) = self.refuses.lock().unwrap().clone() {
            return Err(error);
        }
        let within = |event: &&LogEvent| event.at >= window.from && window.to.is_none_or(|to| event.at < to);
        let events = self.events.lock().unwrap();
        let mut found: Vec<LogEvent> =
            events.iter().filter(within).filter(|event| event.stream.starts_with(prefix)).cloned().collect();
        found.sort_by_key(|event| event.at);
        let begin: usize = next.map_or(0, |next| next.parse().unwrap());
        let end = (begin + self.page).min(found.len());
        let next = (end < found.len()).then(|| end.to_string());
        Ok(LogPage { events: found[begin..end].to_vec(), next })
    }
}

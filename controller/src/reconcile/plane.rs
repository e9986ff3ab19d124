//! What users' side asks of the control plane.

use super::{Controller, Key};
use crate::plane::{Asked, Declared, InUse, Plane, PlaneError, StandbyAnswer, StandbyReport};
use async_trait::async_trait;
use dormouse_core::guard::{self, NotWoken};
use dormouse_core::observed::Beat;
use dormouse_core::peering;
use dormouse_core::view::{EventView, InstanceView, ServiceView, TemplateView};
use dormouse_core::{idle, intent};
use dormouse_manifests::{Service, ServiceTemplate};
use dormouse_peer::token::{self, Identity};
use dormouse_peer::wire::{Answer, Heartbeat, Role};
use dormouse_state::{Desired, PairId, ServiceRecord, StoreError, planted};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

impl From<StoreError> for PlaneError {
    fn from(error: StoreError) -> PlaneError {
        match error {
            StoreError::Conflict { .. } => PlaneError::Conflict(error.to_string()),
            // Fenced: it leads no more, and whoever asks again is answered.
            StoreError::Unavailable(_) | StoreError::Corrupt { .. } | StoreError::Fenced { .. } => {
                PlaneError::Unavailable(error.to_string())
            }
        }
    }
}

/// [`Controller`] as users' side holds it.
#[derive(Clone)]
pub struct ControllerPlane(pub Arc<Controller>);

struct Guard {
    controller: Weak<Controller>,
    name: String,
}

impl InUse for Guard {}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(controller) = self.controller.upgrade() else { return };
        let now = controller.now();
        let mut world = controller.world();
        let left = world.activator.get_mut(&self.name).map_or(0, |at| {
            at.in_flight = at.in_flight.saturating_sub(1);
            at.last = Some(now);
            at.in_flight
        });
        // Of a name that nobody declared and nothing was made of, nothing stays: strangers think of many.
        if left == 0 && !controller.records.contains(&self.name) {
            world.activator.remove(&self.name);
            controller.backends.set(&self.name, None);
        }
        drop(world);
        // The end of the last one starts the clock of idleness, or lets a drain end.
        if left == 0 {
            controller.schedule(&self.name);
            controller.tell_use();
        }
    }
}

#[async_trait]
impl Plane for ControllerPlane {
    fn domain(&self) -> &str {
        &self.0.settings.domain
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn readiness(&self) -> watch::Receiver<bool> {
        self.0.readiness.subscribe()
    }

    fn is_ready(&self) -> bool {
        *self.0.readiness.borrow()
    }

    fn services(&self) -> Vec<Arc<ServiceView>> {
        self.0.records.names().iter().filter_map(|name| self.service(name)).collect()
    }

    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.0.records.get(name).map(|known| self.0.view(&known.record))
    }

    fn prospect(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.0.prospect(name)
    }

    async fn seek(&self, name: &str) -> bool {
        self.0.seek(name).await
    }

    fn templates(&self) -> Vec<TemplateView> {
        self.0.all_templates()
    }

    fn template_changes(&self) -> watch::Receiver<u64> {
        self.0.templates.changes()
    }

    fn instances(&self) -> Vec<InstanceView> {
        let records = self.0.records.stirring().records;
        let world = self.0.world();
        let Some((_, fleet)) = world.fleet.whole() else { return Vec::new() };
        dormouse_core::view::instances(fleet, &world.tasks, records.iter().map(|record| &**record))
    }

    fn events(&self, name: Option<&str>) -> Vec<EventView> {
        let mut events: Vec<EventView> = self
            .0
            .records
            .all()
            .iter()
            .filter(|record| name.is_none_or(|name| name == record.name))
            .flat_map(|record| {
                let service = record.name.clone();
                let events = record.events.iter().cloned();
                events.map(move |event| EventView { service: service.clone(), event }).collect::<Vec<_>>()
            })
            .collect();
        events.sort_by_key(|event| event.event.at);
        events
    }

    fn newest_events(&self, count: usize) -> Vec<EventView> {
        let records = self.0.records.all();
        dormouse_core::view::newest_events(records.iter().map(|record| &**record), count)
    }

    async fn declare(&self, service: Service) -> Result<(Declared, Arc<ServiceView>), PlaneError> {
        let controller = &self.0;
        let now = controller.now();
        let declared = OnceLock::new();
        let name = service.metadata.name.clone();
        let written = controller
            .records
            .update(&name, None, |known| {
                let next = intent::declare(known, &service, now);
                let _ = declared.set(match (known, &next) {
                    (_, None) => Declared::Unchanged,
                    (None, _) => Declared::Created,
                    (Some(_), _) => Declared::Changed,
                });
                next
            })
            .await;
        controller.look_at(&name, &written);
        let record =
            written?.ok_or_else(|| PlaneError::Unavailable("the declaration was not kept".to_owned()))?;
        controller.publish(&name);
        Ok((declared.get().copied().unwrap_or(Declared::Changed), controller.view(&record)))
    }

    async fn delete(&self, name: &str) -> Result<Arc<ServiceView>, PlaneError> {
        let now = self.0.now();
        self.0.flip(name, |record| Ok(record.and_then(|record| intent::delete(record, now)))).await
    }

    async fn declare_template(
        &self,
        template: ServiceTemplate,
    ) -> Result<(Declared, TemplateView), PlaneError> {
        self.0.declare_template(template).await
    }

    async fn delete_template(&self, name: &str) -> Result<TemplateView, PlaneError> {
        self.0.delete_template(name).await
    }

    async fn wake(
        &self,
        name: &str,
        asked: Asked,
        at_least: Option<Duration>,
    ) -> Result<Arc<ServiceView>, PlaneError> {
        let view = self
            .0
            .wake(name, |record, now| {
                intent::wake(record, asked.origin, &asked.reason, at_least, now)
                    .map_err(|error| PlaneError::Conflict(format!("`{name}` cannot be woken: {error}")))
            })
            .await?;
        self.0.wake_dependencies(name, &view.spec.depends_on).await;
        Ok(view)
    }

    async fn wake_by_request(&self, name: &str, asked: Asked) -> Result<Arc<ServiceView>, PlaneError> {
        let view = self
            .0
            .wake(name, |record, now| {
                guard::wake_by_request(record, asked.origin, &asked.reason, now).map_err(|error| {
                    let detail = format!("`{name}` cannot be woken: {error}");
                    match error {
                        NotWoken::Deleting(_) => PlaneError::Conflict(detail),
                        NotWoken::Spent { retry_after, .. } => PlaneError::Spent { detail, retry_after },
                    }
                })
            })
            .await?;
        self.0.wake_dependencies(name, &view.spec.depends_on).await;
        Ok(view)
    }

    fn note(&self, name: &str, reason: &'static str, message: String) {
        let (controller, name) = (self.0.clone(), name.to_owned());
        tokio::spawn(async move {
            let now = controller.now();
            let noted = controller.records.update(&name, None, |known| {
                let mut next = known?.clone();
                next.note(now, reason, message.as_str());
                Some(next)
            });
            match noted.await {
                Ok(_) => controller.publish(&name),
                Err(error) => tracing::debug!(service = name, %error, "an event could not be written"),
            }
        });
    }

    async fn sleep(&self, name: &str, asked: Asked) -> Result<Arc<ServiceView>, PlaneError> {
        let controller = &self.0;
        let now = controller.now();
        controller
            .flip(name, |record| {
                let Some(record) = record else { return Ok(None) };
                let requests = controller.proxy_requests(record);
                Ok(intent::sleep(record, asked.origin, &asked.reason, requests, now))
            })
            .await
    }

    fn hears(&self) -> bool {
        self.0.epoch.load(Ordering::Acquire) != 0
    }

    fn heartbeat(&self, token: &str, beat: Heartbeat) -> Option<Answer> {
        let claimed = planted!(BelievesForged).then(|| token::claimed(token)).flatten();
        let identity = claimed.or_else(|| token::verify(&self.0.secret, token))?;
        let answer = self.0.hear(&identity, beat)?;
        Some(Answer { controllers: self.0.controllers(), ..answer })
    }

    fn leader(&self) -> watch::Receiver<Option<String>> {
        self.0.followed()
    }

    fn replicas(&self) -> usize {
        self.0.controllers().len()
    }

    async fn hear_standby(&self, report: StandbyReport) -> Option<StandbyAnswer> {
        self.0.hear_standby(report).await
    }

    fn changes(&self) -> broadcast::Receiver<Arc<ServiceView>> {
        self.0.watch()
    }

    fn backend(&self, name: &str) -> watch::Receiver<Option<SocketAddr>> {
        self.0.backends.watch(name)
    }

    fn in_use(&self, name: &str) -> Box<dyn InUse> {
        let in_flight = {
            let mut world = self.0.world();
            let at = world.activator.entry(name.to_owned()).or_default();
            at.in_flight += 1;
            at.in_flight
        };
        if in_flight == 1 {
            self.0.tell_use();
        }
        Box::new(Guard { controller: Arc::downgrade(&self.0), name: name.to_owned() })
    }
}

impl Controller {
    /// Changes a declared service's intention, and has everything that follows from it planned.
    async fn flip(
        &self,
        name: &str,
        change: impl Fn(Option<&ServiceRecord>) -> Result<Option<ServiceRecord>, PlaneError>,
    ) -> Result<Arc<ServiceView>, PlaneError> {
        let refused = OnceLock::new();
        let slept = self.records.get(name).is_some_and(|known| known.record.desired == Desired::Asleep);
        let written = self
            .records
            .update(name, None, |known| match change(known) {
                Ok(next) => next,
                Err(error) => {
                    let _ = refused.set(error);
                    None
                }
            })
            .await;
        self.look_at(name, &written);
        let record = written?;
        if let Some(error) = refused.into_inner() {
            return Err(error);
        }
        let record = record.ok_or_else(|| PlaneError::NotFound(name.to_owned()))?;
        // What was refused on the way to sleep does not hold up a wake that needs tasks of its own.
        if slept && record.desired == Desired::Awake && record.pair.is_none() {
            self.world().refused.forgive(name);
        }
        self.due(Key::Capacity, Duration::ZERO);
        self.publish(name);
        Ok(self.view(&record))
    }

    /// Wakes a service that is declared, or that a template is for.
    async fn wake(
        &self,
        name: &str,
        wake: impl Fn(&ServiceRecord, Timestamp) -> Result<Option<ServiceRecord>, PlaneError>,
    ) -> Result<Arc<ServiceView>, PlaneError> {
        let now = self.now();
        let _making = self.making(name).await;
        self.flip(name, |known| match self.to_wake(name, known, now)? {
            Some(record) => wake(&record, now),
            None => Ok(None),
        })
        .await
    }

    /// A row was to be written for somebody. Also without an answer it may have been: whoever leads is to look.
    fn look_at(&self, name: &str, written: &Result<Option<Arc<ServiceRecord>>, StoreError>) {
        if matches!(written, Ok(Some(_)) | Err(StoreError::Unavailable(_))) {
            self.schedule(name);
            self.tell(name);
        }
    }

    /// Wakes what a service needs, and what that needs; each once.
    pub(super) async fn wake_dependencies(&self, name: &str, needs: &[String]) {
        if planted!(DependenciesUnwoken) {
            return;
        }
        let mut seen = BTreeSet::from([name.to_owned()]);
        let mut open = needs.to_vec();
        while let Some(needed) = open.pop() {
            if !seen.insert(needed.clone()) {
                continue;
            }
            let reason = format!("`{name}` needs it");
            let woken = self
                .wake(&needed, |record, now| {
                    intent::wake(record, "dependency", &reason, None, now)
                        .map_err(|error| PlaneError::Conflict(error.to_string()))
                })
                .await;
            match woken {
                Ok(view) => open.extend(view.spec.depends_on.iter().cloned()),
                Err(error) => tracing::warn!(service = needed, %error, "a dependency could not be woken"),
            }
        }
    }

    fn proxy_requests(&self, record: &ServiceRecord) -> Option<u64> {
        let pair = record.pair.as_ref()?;
        let own = dormouse_core::lifecycle::identity(&record.name, pair.id, Role::Proxy);
        self.world().beats.get(&own)?.activity.map(|activity| activity.requests)
    }

    /// How long until a service falls asleep, as its proxy's report says.
    fn idle_in(&self, record: &ServiceRecord, identity: &Identity, now: Timestamp) -> Option<Duration> {
        if identity.role == Role::Service || record.desired == Desired::Asleep {
            return None;
        }
        self.with_view(record, |view| {
            let usage = view.usage(record, now);
            let idle_at = idle::idle_at(record, &usage, view.dependents_awake, now)?;
            Some(intent::since(idle_at, now))
        })
    }

    /// Takes a heartbeat in and answers it.
    fn hear(&self, identity: &Identity, beat: Heartbeat) -> Option<Answer> {
        let known = self.records.get(&identity.service)?;
        let record = &known.record;
        let heard = Beat {
            at: self.now(),
            state: beat.state,
            peer: beat.peer,
            activity: beat.activity,
            sleep_requested: beat.sleep_requested,
            busy: beat.busy,
            detail: beat.detail,
            draining_since: None,
        };
        let before = {
            let mut world = self.world();
            // Whoever belongs to no pair is not heard at all.
            peering::answer(record, &world.tasks, identity, None)?;
            let before = world.beats.get(identity).cloned();
            let fresh = world.hear(identity, &beat.boot, beat.seq, heard.clone());
            fresh.then_some(before)
        };
        let now = heard.at;
        let idle_in = self.idle_in(record, identity, now);
        let answer = peering::answer(record, &self.world().tasks, identity, idle_in)?;
        if let Some(before) = before {
            let news = peering::is_news(record, before.as_ref(), &heard);
            let id = PairId { epoch: identity.epoch, attempt: identity.attempt };
            let serves = record.pair.as_ref().is_some_and(|pair| pair.id == id);
            if news && serves {
                self.publish(&identity.service);
            }
            if news || idle_in == Some(Duration::ZERO) {
                self.schedule(&identity.service);
            }
            if news {
                self.due(Key::Dns, Duration::ZERO);
            }
            if news || peering::is_blind(record, identity, &answer, now) {
                self.nudge.notify_one();
            }
        }
        Some(answer)
    }
}

//! Templates: declared, remembered, and made into services when somebody asks for one.
//!
//! Any replica declares them. Each reads them with the table, a standby also when the leader says that they changed; the
//! leader keeps their services in step.

use super::Controller;
use crate::plane::{Declared, PlaneError};
use dormouse_core::template::{self, NotMade};
use dormouse_core::view::{self, ServiceView, TemplateView};
use dormouse_manifests::ServiceTemplate;
use dormouse_state::{ServiceRecord, Store, StoreError, Templates, Versioned};
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;
use tracing::{info, warn};

/// How often a write is decided again after somebody else's came first.
const TRIES: usize = 8;

/// Every template as it was last read.
pub(super) struct Known {
    read: RwLock<Arc<Versioned<Templates>>>,
    /// The number of the last change that is known.
    changes: watch::Sender<u64>,
    /// One service is made at a time, so that no more are made than there may be.
    making: tokio::sync::Mutex<()>,
}

impl Default for Known {
    fn default() -> Known {
        let changes = watch::Sender::new(0);
        Known { read: RwLock::default(), changes, making: tokio::sync::Mutex::default() }
    }
}

impl Known {
    fn get(&self) -> Arc<Versioned<Templates>> {
        self.read.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, new: Versioned<Templates>) {
        let mut known = self.read.write().unwrap_or_else(PoisonError::into_inner);
        // A read may come back after a later write.
        if known.version > new.version {
            return;
        }
        let last = new.value.changes;
        *known = Arc::new(new);
        drop(known);
        self.changes.send_if_modified(|known| std::mem::replace(known, last) != last);
    }

    /// Tells of every change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Reads them anew.
    pub(super) async fn refresh(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.keep(store.templates().await?);
        Ok(())
    }

    /// Decides and writes; decided again when somebody else's write came first. `None`: nothing changed.
    async fn update(
        &self,
        store: &dyn Store,
        change: impl Fn(&Templates) -> Option<Templates>,
    ) -> Result<Option<Templates>, StoreError> {
        let mut tries = 0;
        loop {
            let base = self.get();
            let Some(next) = change(&base.value) else { return Ok(None) };
            match store.put_templates(&next, base.version).await {
                Ok(version) => {
                    self.keep(Versioned { value: next.clone(), version, leader: 0 });
                    return Ok(Some(next));
                }
                Err(StoreError::Conflict { .. }) if tries < TRIES => {
                    tries += 1;
                    self.refresh(store).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl From<NotMade> for PlaneError {
    fn from(why: NotMade) -> PlaneError {
        match why {
            NotMade::Full { .. } => PlaneError::Full(why.to_string()),
            NotMade::Invalid { .. } => PlaneError::Conflict(why.to_string()),
        }
    }
}

/// Whether a service was made from this template.
fn is_of(record: &ServiceRecord, template: &str) -> bool {
    record.made_from.as_ref().is_some_and(|from| from.template == template)
}

impl Controller {
    /// Reads the templates anew, and has their services follow, if this controller leads.
    pub async fn refresh_templates(&self) {
        if let Err(error) = self.templates.refresh(&*self.store).await {
            warn!(%error, "the templates could not be read");
        } else if self.is_leader() && self.may_act() {
            self.follow_templates(self.fence()).await;
        }
        // Names that nobody declared, and that nothing was made of.
        self.backends.tidy();
    }

    pub(super) fn all_templates(&self) -> Vec<TemplateView> {
        let known = self.templates.get();
        known.value.by_name.keys().filter_map(|name| self.template_view(&known.value, name)).collect()
    }

    fn template_view(&self, templates: &Templates, name: &str) -> Option<TemplateView> {
        let records = self.records.made();
        let services = records.iter().filter(|record| is_of(record, name)).map(|record| record.name.clone());
        Some(view::template(templates.by_name.get(name)?, services.collect()))
    }

    pub(super) async fn declare_template(
        &self,
        manifest: ServiceTemplate,
    ) -> Result<(Declared, TemplateView), PlaneError> {
        let (name, now) = (manifest.metadata.name.clone(), self.now());
        let existed = self.templates.get().value.by_name.contains_key(&name);
        let written =
            self.templates.update(&*self.store, |known| template::declare(known, &manifest, now)).await?;
        let declared = match (&written, existed) {
            (None, _) => Declared::Unchanged,
            (Some(_), false) => Declared::Created,
            (Some(_), true) => Declared::Changed,
        };
        if written.is_some() {
            info!(template = name, change = ?declared, "declared");
            self.tell_templates();
            self.follow_templates(None).await;
        }
        let view = self.template_view(&self.templates.get().value, &name);
        Ok((declared, view.ok_or(PlaneError::NoTemplate(name))?))
    }

    pub(super) async fn delete_template(&self, name: &str) -> Result<TemplateView, PlaneError> {
        let gone = || PlaneError::NoTemplate(name.to_owned());
        let last = self.template_view(&self.templates.get().value, name);
        self.templates.update(&*self.store, |known| template::delete(known, name)).await?.ok_or_else(gone)?;
        info!(template = name, "deleted");
        self.tell_templates();
        self.follow_templates(None).await;
        last.ok_or_else(gone)
    }

    /// Brings the services of templates in step with them.
    async fn follow_templates(&self, fence: Option<u64>) {
        let (templates, now) = (self.templates.get(), self.now());
        for record in self.records.made() {
            let name = &record.name;
            if template::follow(&record, &templates.value, now).is_none() {
                continue;
            }
            let followed =
                self.records.update(name, fence, |known| template::follow(known?, &templates.value, now));
            match followed.await {
                Ok(_) => {
                    self.schedule(name);
                    self.tell(name);
                    self.publish(name);
                }
                // The next full sweep tries again.
                Err(error) => warn!(service = name, %error, "it could not follow its template"),
            }
        }
    }

    /// What a wake would make of a name that nobody declared.
    pub(super) fn prospect(&self, name: &str) -> Option<Arc<ServiceView>> {
        let known = self.templates.get();
        let record = template::make(template::of(&known.value, name)?, name, None, 0, self.now()).ok()?;
        Some(self.view(&record))
    }

    /// The record to wake: the known one, or a service that is made for it. `None`: no template is for the name.
    pub(super) fn to_wake<'r>(
        &self,
        name: &str,
        known: Option<&'r ServiceRecord>,
        now: Timestamp,
    ) -> Result<Option<Cow<'r, ServiceRecord>>, PlaneError> {
        // Who was declared is being deleted by somebody; what a template made is wanted again.
        let lives = known.filter(|known| !known.deleting || known.made_from.is_none());
        let templates = self.templates.get();
        let (None, Some(template)) = (lives, template::of(&templates.value, name)) else {
            return Ok(known.map(Cow::Borrowed));
        };
        let title = &template.manifest.metadata.name;
        let made = self.records.made();
        let others = made.iter().filter(|record| is_of(record, title) && record.name != name).count();
        Ok(Some(Cow::Owned(template::make(template, name, known, others, now)?)))
    }

    /// Held while a service may be made. Nobody waits for it who wakes what is there.
    pub(super) async fn making(&self, name: &str) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let is_there = self.records.get(name).is_some_and(|known| !known.record.deleting);
        if is_there { None } else { Some(self.templates.making.lock().await) }
    }
}

//! What the controller reads of AWS.

use super::telling::Told;
use super::{Examine, Report};
use crate::clock::Clock;
use async_trait::async_trait;
use dormouse_aws::Survey;
use dormouse_core::doctor::{self, Clocks, Reading, Site, Wants};
use dormouse_core::settings::Settings;
use dormouse_core::view::ServiceView;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Examines by a survey, one at a time: each makes some thirty calls.
pub struct Inside {
    survey: Survey,
    site: Site,
    settings: Settings,
    told: Told,
    clock: Arc<dyn Clock>,
    busy: Mutex<()>,
}

impl Inside {
    /// Nothing is read yet.
    pub fn new(survey: Survey, site: Site, settings: Settings, told: Told, clock: Arc<dyn Clock>) -> Inside {
        Inside { survey, site, settings, told, clock, busy: Mutex::new(()) }
    }

    fn wants(&self, services: &[Arc<ServiceView>]) -> Wants {
        let own = [
            ("PROXY_IMAGE".to_owned(), self.settings.proxy_image.clone()),
            ("SERVICE_SIDECAR_IMAGE".to_owned(), self.settings.sidecar_image.clone()),
        ];
        let theirs = services.iter().filter_map(|service| {
            Some((format!("service {}", service.metadata.name), service.spec.image.clone()?))
        });
        let named = services.iter().filter_map(|service| {
            Some((format!("service {}", service.metadata.name), service.spec.architecture?))
        });
        let of_all =
            self.settings.architecture.map(|architecture| ("DORMOUSE_ARCHITECTURE".to_owned(), architecture));
        let on_spot = services.iter().filter(|service| service.spec.proxy.spot);
        Wants {
            wildcard: self.settings.wildcard.clone(),
            max_tasks_per_instance: self.settings.max_tasks_per_instance,
            images: own.into_iter().chain(theirs).collect(),
            spot: on_spot.map(|service| service.metadata.name.clone()).collect(),
            architectures: named.chain(of_all).collect(),
            services: services.len().try_into().unwrap_or(u32::MAX),
        }
    }
}

#[async_trait]
impl Examine for Inside {
    async fn examine(&self, services: &[Arc<ServiceView>], now: Timestamp) -> Result<Report, String> {
        let _one_at_a_time = self.busy.lock().await;
        let wants = self.wants(services);
        let images: BTreeMap<&String, ()> = wants.images.values().map(|image| (image, ())).collect();
        let facts = self.survey.facts(&self.site).await.map_err(|error| error.to_string())?;
        let around = self.survey.around(&self.site, &self.settings.install, &facts, images.into_keys()).await;
        let around = around.map_err(|error| error.to_string())?;
        let clocks = Clocks { own: self.clock.now(), aws: self.survey.clock() };
        let mut findings = doctor::everything(&self.site, &wants, &facts, &around, clocks);
        let telling = self.told.look().await.map_err(|error| error.to_string())?;
        findings.extend(doctor::telling::check(&telling));
        let (zone, name_servers) = match facts.zone {
            Reading::Known(zone) => (zone.name, zone.name_servers),
            _ => (String::new(), Vec::new()),
        };
        let wildcard = match around.wildcard {
            Reading::Known(found) => found,
            _ => Vec::new(),
        };
        Ok(Report { now, domain: self.site.domain.clone(), zone, wildcard, name_servers, findings })
    }
}

//! A control plane that reaches no cloud.

use async_trait::async_trait;
use dormouse::clock::{Clock, SystemClock};
use dormouse::probe::Probe;
use dormouse::reconcile::Parts;
use dormouse_aws::Cloud;
use dormouse_aws::count::Calls;
use dormouse_aws::ports::{
    ChangeAnswer, CloudError, Described, Groups, Instances, Interfaces, RunAnswer, RunCall, Tasks, Zones,
};
use dormouse_core::definition::{Architecture, Content};
use dormouse_core::dns::Change;
use dormouse_core::observed::{Group, Instance, RecordSet};
use dormouse_core::settings::Settings;
use dormouse_state::MemoryStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct Nowhere;

fn nowhere<T>() -> Result<T, CloudError> {
    Err(CloudError::Throttled { operation: "any" })
}

/// What a controller is started with.
pub fn parts() -> Parts {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let nowhere = Arc::new(Nowhere);
    Parts {
        settings: Settings::example(),
        secret: Vec::new(),
        cloud: Cloud {
            tasks: nowhere.clone(),
            instances: nowhere.clone(),
            groups: nowhere.clone(),
            zones: nowhere.clone(),
            interfaces: nowhere.clone(),
            calls: Arc::new(Calls::default()),
        },
        store: Arc::new(MemoryStore::new()),
        clock,
        prober: nowhere,
        lease: Duration::from_secs(15),
        api_budget: None,
        observe_only: false,
        holder: "a test".into(),
        replica_url: "http://127.0.0.1:9070".into(),
        webhook: None,
    }
}

#[async_trait]
impl Probe for Nowhere {
    async fn probe(&self, _: &str, _: u16, _: &str) -> Result<(), String> {
        Err("there is no network".into())
    }
}

#[async_trait]
impl Tasks for Nowhere {
    async fn list(&self, _: &str, _: &str) -> Result<Vec<String>, CloudError> {
        nowhere()
    }
    async fn describe(&self, _: &str, _: &str, _: &[String]) -> Result<Described, CloudError> {
        nowhere()
    }
    async fn run(&self, _: &RunCall) -> Result<RunAnswer, CloudError> {
        nowhere()
    }
    async fn stop(&self, _: &str, _: &str, _: &str) -> Result<(), CloudError> {
        nowhere()
    }
    async fn register(&self, _: &str, _: &Content) -> Result<String, CloudError> {
        nowhere()
    }
    async fn deregister(&self, _: &str, _: &str) -> Result<(), CloudError> {
        nowhere()
    }
    async fn revisions(&self, _: &str) -> Result<Vec<String>, CloudError> {
        nowhere()
    }
}

#[async_trait]
impl Instances for Nowhere {
    async fn instances(&self, _: &str) -> Result<Vec<Instance>, CloudError> {
        nowhere()
    }
    async fn listed(&self, _: &str) -> Result<Vec<String>, CloudError> {
        nowhere()
    }
    async fn set_draining(&self, _: &str, _: &[String], _: bool) -> Result<(), CloudError> {
        nowhere()
    }
}

#[async_trait]
impl Groups for Nowhere {
    async fn group(&self, _: &str) -> Result<Group, CloudError> {
        nowhere()
    }
    async fn launch_failure(&self, _: &str) -> Result<Option<String>, CloudError> {
        nowhere()
    }
    async fn launches(&self, _: &str) -> Result<Option<Architecture>, CloudError> {
        nowhere()
    }
    async fn set_desired(&self, _: &str, _: u32) -> Result<(), CloudError> {
        nowhere()
    }
    async fn protect(&self, _: &str, _: &[String]) -> Result<(), CloudError> {
        nowhere()
    }
    async fn terminate(&self, _: &str) -> Result<(), CloudError> {
        nowhere()
    }
}

#[async_trait]
impl Zones for Nowhere {
    async fn records(&self, _: &str) -> Result<Vec<RecordSet>, CloudError> {
        nowhere()
    }
    async fn change(&self, _: &str, _: &[Change], _: &str) -> Result<ChangeAnswer, CloudError> {
        nowhere()
    }
    async fn is_insync(&self, _: &str) -> Result<bool, CloudError> {
        nowhere()
    }
}

#[async_trait]
impl Interfaces for Nowhere {
    async fn public_addresses(&self, _: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        nowhere()
    }
}

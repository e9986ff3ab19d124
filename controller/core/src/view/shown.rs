//! What the API shows of a record, and of what was observed beside it.

use super::{
    ActivityView, InstanceView, MadeFromView, MetadataView, RolloutView, ServiceView, Status, TaskView,
    TemplateStatus, TemplateView, UntoldView,
};
use crate::guard;
use crate::idle::{ends_at, idle_at};
use crate::keepers;
use crate::lifecycle::View;
use crate::naming;
use crate::observed::{Fleet, Tasks};
use crate::settings::Settings;
use crate::{template, webhook};
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{KnownTemplate, Pair, ServiceRecord, TaskIntent};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What the API shows of a record.
pub fn service(settings: &Settings, record: &ServiceRecord, view: &View<'_>, now: Timestamp) -> ServiceView {
    let usage = view.usage(record, now);
    // While it goes to sleep, its last pair is still of interest.
    let pair = record.pair.as_deref().or_else(|| record.retiring.last());
    let task = |intent: &TaskIntent| {
        let task = view.task(intent);
        intent.is_open().then(|| TaskView {
            task_arn: intent.task_arn.clone(),
            address: task.and_then(|task| task.private_address.clone()),
            public_address: task.and_then(|task| task.public_address.clone()),
            state: task.map_or("INTENDED", |task| task.status.as_str()).to_owned(),
        })
    };
    let up_since = |counts: &dyn Fn(&Pair) -> bool| {
        let pairs = record.pairs().filter(|pair| counts(pair));
        pairs.filter_map(Pair::ran).map(|(from, _)| from).min()
    };
    ServiceView {
        api_version: dormouse_manifests::API_VERSION.to_owned(),
        kind: dormouse_manifests::KIND.to_owned(),
        metadata: MetadataView {
            name: record.name.clone(),
            labels: record.labels.clone(),
            generation: record.generation,
            creation_timestamp: record.created_at,
            deleting: record.deleting,
        },
        spec: record.spec.clone(),
        status: Status {
            phase: record.phase,
            desired: record.desired,
            observed_generation: record.observed_generation,
            url: naming::url(&record.name, &settings.domain),
            epoch: record.epoch,
            conditions: record.conditions.clone(),
            service: pair.and_then(|pair| task(&pair.service)),
            proxy: pair.and_then(|pair| task(&pair.proxy)),
            backend: backend(record, view),
            activity: ActivityView {
                in_flight: usage.in_flight,
                open_sockets: usage.sockets,
                last_request_at: usage.last,
                idle_at: idle_at(record, &usage, view.dependents_awake, now),
            },
            last_wake: record.last_wake.clone(),
            last_sleep: record.last_sleep.clone(),
            made_from: made_from(record),
            wakes: record.wakes.clone(),
            awake_until: record.awake_until,
            sleeps_by: ends_at(record),
            kept_awake_by: keepers::keepers(record, &usage, view.dependents_awake, now),
            wakes_today: guard::count(record, now).count,
            rollout: rollout(record, now),
            awake: record.awake.clone(),
            awake_since: up_since(&|_| true),
            awake_on_fargate: record.awake_on_fargate.clone(),
            on_fargate_since: up_since(&|pair| pair.on_fargate.is_some()),
            metered_since: record.metered_since,
            untold: webhook::waiting(record).map(|(count, since)| UntoldView { count, since }),
            failures: record.failures,
            retry_at: record.retry_at.filter(|at| *at > now),
        },
    }
}

fn made_from(record: &ServiceRecord) -> Option<MadeFromView> {
    let from = record.made_from.as_ref()?;
    let expires_at = template::expires_at(record);
    Some(MadeFromView { template: from.template.clone(), orphaned: from.orphaned, expires_at })
}

/// A template, and the names of its services.
pub fn template(known: &KnownTemplate, services: Vec<String>) -> TemplateView {
    let metadata = &known.manifest.metadata;
    TemplateView {
        api_version: dormouse_manifests::API_VERSION.to_owned(),
        kind: dormouse_manifests::template::TEMPLATE_KIND.to_owned(),
        metadata: MetadataView {
            name: metadata.name.clone(),
            labels: metadata.labels.clone(),
            generation: known.change,
            creation_timestamp: known.created_at,
            deleting: false,
        },
        spec: known.manifest.spec.clone(),
        status: TemplateStatus { services },
    }
}

fn rollout(record: &ServiceRecord, now: Timestamp) -> Option<RolloutView> {
    let known = record.rollout.as_ref();
    let successor = record.successor.as_ref();
    Some(RolloutView {
        generation: known.map(|known| known.generation).or(successor.map(|successor| successor.generation))?,
        under_way: successor.is_some(),
        tries: known.map_or(0, |known| known.tries),
        failure: known.and_then(|known| known.failure.clone()),
        rolled_back: known.is_some_and(|known| known.rolled_back),
        retry_at: known.and_then(|known| known.retry_at).filter(|at| *at > now),
    })
}

/// Where the user's container answers, directly: once its sidecar said so, and while its pair is to serve.
pub fn backend(record: &ServiceRecord, view: &View<'_>) -> Option<SocketAddr> {
    let pair = record.pair.as_ref().filter(|pair| pair.condemned.is_none())?;
    let task = view.task(&pair.service).filter(|task| !task.is_ending())?;
    let beat = view.beat(pair, Role::Service);
    let answers = beat.map_or(pair.ready_at.is_some(), |beat| beat.state == SidecarState::Serving);
    let address = task.private_address.as_ref().filter(|_| answers)?;
    let port = pair.runs.as_ref().map_or(record.spec.port, |runs| runs.port);
    Some(SocketAddr::new(address.parse().ok()?, port))
}

/// The instances of the group and of the cluster, with the services on them.
pub fn instances<'a>(
    fleet: &Fleet,
    tasks: &Tasks,
    records: impl Iterator<Item = &'a ServiceRecord>,
) -> Vec<InstanceView> {
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        for pair in record.pairs().filter(|pair| pair.service.is_open()) {
            let on = pair
                .service
                .task_arn
                .as_ref()
                .and_then(|arn| tasks.by_arn.get(arn)?.container_instance.clone());
            if let Some(on) = on {
                services.entry(on).or_default().push(record.name.clone());
            }
        }
    }
    let ids: BTreeSet<&String> = (fleet.group.members.iter().map(|member| &member.ec2_id))
        .chain(fleet.instances.iter().map(|instance| &instance.ec2_id))
        .collect();
    ids.into_iter()
        .map(|id| {
            let member = fleet.group.members.iter().find(|member| member.ec2_id == *id);
            let instance = fleet.instances.iter().find(|instance| instance.ec2_id == *id);
            InstanceView {
                id: id.clone(),
                lifecycle: member.map(|member| member.lifecycle.clone()),
                status: instance.map(|instance| instance.status.clone()),
                protected: member.is_some_and(|member| member.protected),
                tasks: instance.map_or(0, |instance| instance.tasks),
                services: instance.and_then(|instance| services.remove(&instance.arn)).unwrap_or_default(),
            }
        })
        .collect()
}

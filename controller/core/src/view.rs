//! A service, an instance and an event as the API shows them.

use crate::guard;
use crate::idle::{ends_at, idle_at};
use crate::keepers::{self, Keeper};
use crate::lifecycle::View;
use crate::naming;
use crate::observed::{Fleet, Tasks};
use crate::settings::Settings;
use crate::{template, webhook};
use dormouse_manifests::{ServiceSpec, TemplateSpec, TimeText};
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{
    Cause, Condition, Desired, Event, KnownTemplate, Months, Pair, Phase, ServiceRecord, Shared, TaskIntent,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;

/// A service as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    /// `dormouse.dev/v1`.
    pub api_version: String,
    /// `Service`.
    pub kind: String,
    /// Name, labels, and what the server adds.
    pub metadata: MetadataView,
    /// The manifest's spec, defaults resolved.
    #[schemars(with = "ServiceSpec")]
    pub spec: Shared<ServiceSpec>,
    /// What is known of it.
    pub status: Status,
}

/// Name, labels, and what the server adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetadataView {
    /// DNS label.
    pub name: String,
    /// Labels of the manifest.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Grows with each change of labels or spec.
    pub generation: u64,
    /// When it was declared.
    #[schemars(with = "TimeText")]
    pub creation_timestamp: Timestamp,
    /// It is being deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
}

/// What is known of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Derived from what is observed.
    pub phase: Phase,
    /// The remembered intention.
    pub desired: Desired,
    /// The generation that the last plan worked from.
    pub observed_generation: u64,
    /// Where users find it.
    pub url: String,
    /// Wake epoch.
    pub epoch: u64,
    /// Sorted by type.
    #[schemars(with = "Vec<Condition>")]
    pub conditions: Shared<Vec<Condition>>,
    /// The service task, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<TaskView>,
    /// The proxy task, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<TaskView>,
    /// Where the user's container answers, directly, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<SocketAddr>,
    /// Use.
    pub activity: ActivityView,
    /// The last wake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_wake: Option<Cause>,
    /// The last sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sleep: Option<Cause>,
    /// The template that it was made from; absent when somebody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFromView>,
    /// How long its last wakes took, in milliseconds, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wakes: Vec<u32>,
    /// Not put to sleep for idleness before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub awake_until: Option<Timestamp>,
    /// Put to sleep by then, even while it is used (`spec.maxAwake`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub sleeps_by: Option<Timestamp>,
    /// Who or what keeps it from falling asleep right now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_awake_by: Vec<Keeper>,
    /// Wakes by requests today, as UTC counts days.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wakes_today: u32,
    /// What became of a changed manifest, while there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutView>,
    /// How long tasks of earlier wakes were up: seconds by month.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake: Months,
    /// Since when tasks of it are up, while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub awake_since: Option<Timestamp>,
    /// The part of `awake` with its own task on Fargate and not on an instance.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake_on_fargate: Months,
    /// Since when it is there, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub on_fargate_since: Option<Timestamp>,
    /// Since when all of these are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub metered_since: Option<Timestamp>,
    /// Its events that the webhook is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<UntoldView>,
    /// Pairs of tasks in a row that were lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// After a loss: no new pair before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub retry_at: Option<Timestamp>,
}

// serde's `skip_serializing_if` hands a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Events that the webhook is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UntoldView {
    /// How many.
    pub count: usize,
    /// When the oldest of them happened.
    #[schemars(with = "TimeText")]
    pub since: Timestamp,
}

/// The template that a service was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeFromView {
    /// Its name.
    pub template: String,
    /// It is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphaned: bool,
    /// While it sleeps: when it is deleted, unless somebody wakes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub expires_at: Option<Timestamp>,
}

/// A template as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// `dormouse.dev/v1`.
    pub api_version: String,
    /// `ServiceTemplate`.
    pub kind: String,
    /// Name, labels, and what the server adds.
    pub metadata: MetadataView,
    /// As it was declared, defaults resolved.
    pub spec: TemplateSpec,
    /// What is known of it.
    pub status: TemplateStatus,
}

/// What is known of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStatus {
    /// The services that were made from it, by name.
    pub services: Vec<String>,
}

/// A changed manifest on its way into use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// Its generation.
    pub generation: u64,
    /// A pair of it is getting ready beside the one that serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// How many pairs of it did not become ready.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Why the last of them did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// It failed its check: the manifest before it is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
    /// No further try before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub retry_at: Option<Timestamp>,
}

/// A task of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// ARN; absent while it is only intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// Private address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Public address; proxies only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<String>,
    /// ECS's `lastStatus`, or `INTENDED`.
    pub state: String,
}

/// Use of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    /// Requests and sockets open right now.
    pub in_flight: u64,
    /// Of these, sockets.
    #[serde(default)]
    pub open_sockets: u64,
    /// Last use.
    #[schemars(with = "TimeText")]
    pub last_request_at: Timestamp,
    /// When it falls asleep if nobody uses it; absent: not before something changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TimeText>")]
    pub idle_at: Option<Timestamp>,
}

/// An instance as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// EC2 instance id.
    pub id: String,
    /// Auto Scaling lifecycle, e.g. `InService`; absent when the group does not list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// ECS status, e.g. `ACTIVE`; absent until it joined the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Protected from scale-in.
    pub protected: bool,
    /// Tasks on it, of whomever.
    pub tasks: u32,
    /// Names of the services on it.
    pub services: Vec<String>,
}

/// An event as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// The service it happened to.
    pub service: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// The newest events of all records, the newest last. Looks at no more than it has to: records have up to
/// [`dormouse_state::record::MAX_EVENTS`] each.
pub fn newest_events<'a>(
    records: impl IntoIterator<Item = &'a ServiceRecord>,
    count: usize,
) -> Vec<EventView> {
    let mut newest: BinaryHeap<Reverse<(Timestamp, usize, usize)>> = BinaryHeap::new();
    let records: Vec<&ServiceRecord> = records.into_iter().collect();
    for (of, record) in records.iter().enumerate() {
        for (nth, event) in record.events.iter().enumerate().rev() {
            let place = Reverse((event.at, of, nth));
            if newest.len() < count {
                newest.push(place);
            } else if newest.peek().is_some_and(|oldest| place < *oldest) {
                newest.pop();
                newest.push(place);
            } else if newest.peek().is_none_or(|Reverse((oldest, ..))| event.at < *oldest) {
                // Those before it are older still.
                break;
            }
        }
    }
    let mut newest: Vec<_> = newest.into_iter().map(|Reverse(place)| place).collect();
    newest.sort_unstable();
    let shown = |(_, of, nth): (Timestamp, usize, usize)| EventView {
        service: records[of].name.clone(),
        event: records[of].events[nth].clone(),
    };
    newest.into_iter().map(shown).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The same as all of them, sorted, and cut off.
        #[test]
        fn the_newest_events_are_those_of_all(
            times in prop::collection::vec(prop::collection::vec(0_i64..20, 0..12), 0..8),
            count in 0_usize..12,
        ) {
            let mut all = Vec::new();
            let records: Vec<ServiceRecord> = times.into_iter().enumerate().map(|(number, mut times)| {
                times.sort_unstable();
                let name = format!("s{number}");
                let spec = ServiceSpec::defaults_for("demo");
                let mut record = ServiceRecord::declared(&name, BTreeMap::new(), spec, Timestamp::UNIX_EPOCH);
                for (nth, at) in times.into_iter().enumerate() {
                    record.note(Timestamp::from_second(at).unwrap(), "R", format!("{nth}"));
                }
                all.extend(record.events.iter().map(|event| EventView { service: name.clone(), event: event.clone() }));
                record
            }).collect();
            all.sort_by_key(|event| event.event.at);
            let expected = all.split_off(all.len().saturating_sub(count));
            prop_assert_eq!(newest_events(&records, count), expected);
        }
    }
}

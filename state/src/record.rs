//! A service's remembered intention, the intents of what is done for it, and its last known status.

use crate::condition::{Condition, Event};
use crate::months::Months;
use crate::pair::{Pair, PairId};
use crate::rollout::Rollout;
use crate::shared::Shared;
use crate::template::MadeFrom;
use dormouse_manifests::{ServiceSpec, TimeText};
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many events a record keeps; the oldest go first.
pub const MAX_EVENTS: usize = 40;

/// How many wakes' durations a record keeps; the oldest go first.
pub const MAX_WAKES: usize = 20;

/// The remembered intention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Desired {
    /// Nothing of it runs.
    Asleep,
    /// It is to answer.
    Awake,
}

/// Where a service is; derived from observation, never commanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Nothing of it runs.
    Asleep,
    /// On its way up.
    Waking,
    /// Answering.
    Awake,
    /// On its way down.
    Draining,
}

/// Who flipped the intention, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// When.
    #[schemars(with = "TimeText")]
    pub at: Timestamp,
    /// `request`, `api`, `page`, `idle`, `container`, `schedule`, `dependency`, `delete` …
    pub origin: String,
    /// A sentence or less.
    pub reason: String,
    /// Wakes: milliseconds from `at` until it was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Wakes by requests on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WakeCount {
    /// The day, as UTC counts them.
    pub day: Date,
    /// How many so far.
    pub count: u32,
}

/// A registered task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Hash of the content that was asked for.
    pub hash: String,
    /// The revision; `None` while the registration is only intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
}

/// The task definitions of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Definitions {
    /// Of its proxy task.
    pub proxy: Option<Definition>,
    /// Of its service task.
    pub service: Option<Definition>,
    /// Revisions that are no longer wanted, to be deregistered when no pair names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<String>,
}

/// A change of a service's record set that is intended or under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsChange {
    /// Address to stand in the record afterwards; `None` withdraws it.
    pub address: Option<String>,
    /// The pair it belongs to.
    pub pair: PairId,
    /// When it was intended, last tried again, or first seen in the zone.
    pub intended_at: Timestamp,
    /// Route 53's id of the change, once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// It was seen in the zone: if it is not any more, somebody else undid it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
}

impl DnsChange {
    /// Whether a record of a pair's stands in the zone is to be found out: if there is one, it is withdrawn.
    pub fn sought(pair: PairId, at: Timestamp) -> DnsChange {
        DnsChange { address: None, pair, intended_at: at, change_id: None, seen: false }
    }
}

/// What is remembered of a service's record in the public zone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsMemory {
    /// The change that is intended or not yet INSYNC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<DnsChange>,
    /// Address that stands in the zone, INSYNC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// The pair that it is the address of; absent in rows from before that was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_pair: Option<PairId>,
    /// Since when that is known: what stood there before may be remembered by resolvers for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// When a record that somebody else had taken out was last put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<Timestamp>,
    /// Since when the zone is known, INSYNC, to hold no record of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
}

/// The way to sleep: nothing of it is final until the pair is condemned, and a request takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rest {
    /// Since when it is to sleep.
    pub since: Timestamp,
    /// Requests that its proxy had taken by then; one more wakes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Since when its proxy is told to be a lame duck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_at: Option<Timestamp>,
    /// Its time is up (`spec.maxAwake`): requests do not take it back, and a wake makes a new pair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
}

/// Everything remembered of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRecord {
    /// DNS label.
    pub name: String,
    /// Labels of the manifest.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The manifest's spec.
    pub spec: Shared<ServiceSpec>,
    /// The template that it was made from; absent when somebody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<MadeFrom>,
    /// Grows by one with each change of labels or spec.
    pub generation: u64,
    /// The generation that the last plan worked from.
    #[serde(default)]
    pub observed_generation: u64,
    /// When it was declared.
    pub created_at: Timestamp,
    /// It is to go: sleeps, loses its definitions, then its row.
    #[serde(default)]
    pub deleting: bool,
    /// The remembered intention.
    pub desired: Desired,
    /// Wake epoch: grows by one with each wake.
    pub epoch: u64,
    /// The last wake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_wake: Option<Cause>,
    /// The last sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sleep: Option<Cause>,
    /// How long its wakes took, in milliseconds, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wakes: Vec<u32>,
    /// Not put to sleep for idleness before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awake_until: Option<Timestamp>,
    /// Wakes by requests on the day of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes_today: Option<WakeCount>,
    /// The way to sleep, while it is on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// Last known use; the truth while awake is the proxy's, this survives a restart.
    pub last_activity: Timestamp,
    /// Its task definitions.
    #[serde(default)]
    pub definitions: Shared<Definitions>,
    /// The pair that is to serve. Boxed, as the next: most services sleep, and have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<Box<Pair>>,
    /// The pair that is to take its place, of a changed manifest, once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Box<Pair>>,
    /// Pairs that are on their way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retiring: Vec<Pair>,
    /// Tasks that carry its mark and belong to no pair of it, to be stopped: ARN → cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strays: BTreeMap<String, String>,
    /// The newest pair ever intended, so that no name is used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pair: Option<PairId>,
    /// The newest generation of which a pair was ready.
    #[serde(default)]
    pub proven: u64,
    /// What became of a changed manifest, while there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// How long tasks of its pairs that are over were up.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake: Months,
    /// How much of it with the service's task on Fargate.
    #[serde(default, skip_serializing_if = "Months::is_empty")]
    pub awake_on_fargate: Months,
    /// Since when both are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered_since: Option<Timestamp>,
    /// Its DNS record.
    #[serde(default)]
    pub dns: DnsMemory,
    /// Consecutive pairs that ended before their time.
    #[serde(default)]
    pub failures: u32,
    /// No new pair before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Where it is.
    pub phase: Phase,
    /// In words; sorted by type.
    #[serde(default)]
    pub conditions: Shared<Vec<Condition>>,
    /// The newest last.
    #[serde(default)]
    pub events: Shared<Vec<Event>>,
    /// How many events there ever were.
    #[serde(default)]
    pub noted: u64,
    /// How many of them the webhook has been told, or need not be; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<u64>,
}

impl ServiceRecord {
    /// A service that was just declared, asleep.
    pub fn declared(
        name: &str,
        labels: BTreeMap<String, String>,
        spec: ServiceSpec,
        now: Timestamp,
    ) -> ServiceRecord {
        ServiceRecord {
            name: name.to_owned(),
            labels,
            spec: spec.into(),
            made_from: None,
            generation: 1,
            observed_generation: 0,
            created_at: now,
            deleting: false,
            desired: Desired::Asleep,
            epoch: 0,
            last_wake: None,
            last_sleep: None,
            wakes: Vec::new(),
            awake_until: None,
            wakes_today: None,
            rest: None,
            last_activity: now,
            definitions: Shared::default(),
            pair: None,
            successor: None,
            retiring: Vec::new(),
            strays: BTreeMap::new(),
            last_pair: None,
            awake: Months::default(),
            awake_on_fargate: Months::default(),
            metered_since: Some(now),
            proven: 0,
            rollout: None,
            dns: DnsMemory { withdrawn_at: Some(now), ..DnsMemory::default() },
            failures: 0,
            retry_at: None,
            phase: Phase::Asleep,
            conditions: Shared::default(),
            events: Shared::default(),
            noted: 0,
            told: None,
        }
    }

    /// Adds an event and drops the oldest past [`MAX_EVENTS`].
    pub fn note(&mut self, at: Timestamp, reason: &str, message: impl Into<String>) {
        let events = &mut *self.events;
        events.push(Event { at, reason: reason.to_owned(), message: message.into() });
        events.drain(..events.len().saturating_sub(MAX_EVENTS));
        self.noted += 1;
    }

    /// Remembers how long a wake took and drops the oldest past [`MAX_WAKES`].
    pub fn took(&mut self, milliseconds: u64) {
        self.wakes.push(u32::try_from(milliseconds).unwrap_or(u32::MAX));
        let excess = self.wakes.len().saturating_sub(MAX_WAKES);
        self.wakes.drain(..excess);
    }

    /// All its pairs, the serving one first.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.pair.iter().chain(&self.successor).map(|pair| &**pair).chain(&self.retiring)
    }

    /// The same, to change them.
    pub fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pair.iter_mut().chain(&mut self.successor).map(|pair| &mut **pair).chain(&mut self.retiring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ServiceRecord {
        ServiceRecord::declared(
            "hello",
            BTreeMap::new(),
            ServiceSpec::defaults_for("demo"),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_newest_wakes_are_kept() {
        let mut record = record();
        (0..25).for_each(|n| record.took(n));
        assert_eq!(record.wakes, (5..25).collect::<Vec<u32>>());
        record.took(u64::MAX);
        assert_eq!((record.wakes.len(), record.wakes.last()), (MAX_WAKES, Some(&u32::MAX)));
    }

    #[test]
    fn a_row_from_before_there_were_rollouts_is_read() {
        let pair = serde_json::json!({
            "id": {"epoch": 1, "attempt": 1}, "intendedAt": "1970-01-01T00:00:00Z", "generation": 1,
            "proxy": intent(), "service": intent(),
        });
        let mut row = serde_json::to_value(record()).unwrap();
        row.as_object_mut().unwrap().remove("proven");
        row["pair"] = pair;
        let read = serde_json::from_value::<ServiceRecord>(row).unwrap();
        let pair = read.pair.unwrap();
        assert_eq!((read.proven, read.successor, read.rollout), (0, None, None));
        assert_eq!((pair.runs, pair.replaced, pair.drain_at), (None, false, None));
    }

    fn intent() -> serde_json::Value {
        serde_json::json!({"parameters": {
            "cluster": "c", "taskDefinition": "t", "container": "c", "subnets": [], "securityGroups": [],
            "launch": "ec2", "publicIp": false, "controllerUrl": "http://c",
        }})
    }

    #[test]
    fn a_row_from_before_events_were_counted_is_read_and_counts_on() {
        let mut row = record();
        (0..3).for_each(|_| row.note(Timestamp::UNIX_EPOCH, "Woken", ""));
        let mut row = serde_json::to_value(row).unwrap();
        assert_eq!((row["noted"].as_u64(), row.get("told")), (Some(3), None));
        row.as_object_mut().unwrap().remove("noted");
        let mut read = serde_json::from_value::<ServiceRecord>(row).unwrap();
        read.note(Timestamp::UNIX_EPOCH, "Slept", "");
        assert_eq!((read.noted, read.told, read.events.len()), (1, None, 4));
    }

    #[test]
    fn a_row_from_before_there_were_durations_is_read() {
        let mut row = serde_json::to_value(record()).unwrap();
        assert_eq!(row.get("wakes"), None);
        row["wakes"] = serde_json::json!([1500]);
        assert_eq!(serde_json::from_value::<ServiceRecord>(row).unwrap().wakes, [1500]);
    }
}

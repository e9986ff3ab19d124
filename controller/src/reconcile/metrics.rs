//! The control plane's own numbers.

use super::Controller;
use super::Key;
use super::records::{Ledger, Stirring};
use super::scheduler::Scheduler;
use crate::metrics::{Label, Metrics, Page, moments, observe, seconds};
use dormouse_core::observed::Fleet;
use dormouse_core::transition::{self, SLEEP_ORIGINS, Transition, WAKE_ORIGINS};
use dormouse_core::webhook;
use dormouse_state::{Access, ConditionType, Phase, ServiceRecord};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Histograms by one label.
type Histograms = Family<Label, Histogram, fn() -> Histogram>;

/// What is counted as it happens.
pub(super) struct Numbers {
    wakes: Family<Label<String>, Counter>,
    sleeps: Family<Label<String>, Counter>,
    took: Histogram,
    phases: Histograms,
    pairs_lost: Counter,
    drains_cut: Counter,
    reconciles: Histograms,
    idle_seconds: Counter<f64, AtomicU64>,
    /// Whether there is a webhook.
    has_webhook: bool,
    /// Events that it was told.
    pub(super) webhook_sent: Counter,
    /// Tries that failed.
    pub(super) webhook_failed: Counter,
    /// Events that it is not told any more.
    pub(super) webhook_given_up: Counter,
    /// When the fleet was last looked at, and how many instances of it had no task.
    idle: Mutex<Option<(Instant, usize)>>,
}

/// A counter for each origin, from the start: a series that began with its first count would hide that one from whoever
/// asks by how much it grew.
fn from_zero<const N: usize>(origins: [&str; N]) -> Family<Label<String>, Counter> {
    let family: Family<Label<String>, Counter> = Family::default();
    origins.iter().for_each(|origin| drop(family.get_or_create(&[("origin", (*origin).to_owned())])));
    family
}

impl Numbers {
    pub(super) fn new(has_webhook: bool) -> Numbers {
        Numbers {
            wakes: from_zero(WAKE_ORIGINS),
            sleeps: from_zero(SLEEP_ORIGINS),
            took: seconds(),
            phases: Family::new_with_constructor(seconds),
            pairs_lost: Counter::default(),
            drains_cut: Counter::default(),
            reconciles: Family::new_with_constructor(moments),
            idle_seconds: Counter::default(),
            has_webhook,
            webhook_sent: Counter::default(),
            webhook_failed: Counter::default(),
            webhook_given_up: Counter::default(),
            idle: Mutex::default(),
        }
    }
}

/// What this controller writes: no two count the same.
impl Ledger for Numbers {
    fn account(&self, before: Option<&ServiceRecord>, next: &mut ServiceRecord) -> u64 {
        if self.has_webhook {
            return webhook::account(before, next);
        }
        next.told = None;
        0
    }

    fn wrote(&self, before: &ServiceRecord, after: &ServiceRecord, lost: u64) {
        self.webhook_given_up.inc_by(lost);
        for transition in transition::between(before, after) {
            match transition {
                Transition::Woken(origin) => {
                    self.wakes.get_or_create(&[("origin", origin)]).inc();
                }
                Transition::Slept(origin) => {
                    self.sleeps.get_or_create(&[("origin", origin)]).inc();
                }
                Transition::Ready(took) => {
                    observe(&self.took, took.total);
                    for (phase, part) in took.phases() {
                        observe(&self.phases.get_or_create(&[("phase", phase)]), part);
                    }
                }
                Transition::PairLost => {
                    self.pairs_lost.inc();
                }
                Transition::DrainCut => {
                    self.drains_cut.inc();
                }
            }
        }
    }
}

impl Numbers {
    /// A key was reconciled.
    pub(super) fn reconciled(&self, key: &'static str, took: Duration) {
        observe(&self.reconciles.get_or_create(&[("key", key)]), took);
    }

    /// The fleet was read: what stood idle at the look before has done so until now.
    pub(super) fn saw(&self, fleet: &Fleet) {
        let now = Instant::now();
        let idle = fleet.instances.iter().filter(|instance| instance.tasks == 0).count();
        let before = self.idle.lock().unwrap_or_else(PoisonError::into_inner).replace((now, idle));
        if let Some((at, idle)) = before {
            // Far below 2^52.
            #[allow(clippy::cast_precision_loss)]
            self.idle_seconds.inc_by(now.duration_since(at).as_secs_f64() * idle as f64);
        }
    }

    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric("dormouse_wakes", "Wakes begun, by who asked", &self.wakes)?;
        page.metric("dormouse_sleeps", "Sleeps begun, by who asked", &self.sleeps)?;
        page.metric("dormouse_wake_duration_seconds", "From the wake until users are answered", &self.took)?;
        page.metric(
            "dormouse_wake_phase_duration_seconds",
            "Parts of it: until an instance has room, until the service answers there, until the proxy serves, \
             until users' path works",
            &self.phases,
        )?;
        page.metric("dormouse_pairs_lost", "Pairs of tasks that ended before their time", &self.pairs_lost)?;
        page.metric(
            "dormouse_drains_cut",
            "Drains after which requests or sockets were still open",
            &self.drains_cut,
        )?;
        page.metric(
            "dormouse_reconcile_duration_seconds",
            "One reconcile with its calls, by what was reconciled",
            &self.reconciles,
        )?;
        page.metric(
            "dormouse_instance_idle_seconds",
            "Time that instances stood without a task, all together",
            &self.idle_seconds,
        )?;
        page.metric("dormouse_webhook_sent", "Events that the webhook was told", &self.webhook_sent)?;
        page.metric("dormouse_webhook_failed", "Tries to tell it that failed", &self.webhook_failed)?;
        page.metric(
            "dormouse_webhook_given_up",
            "Events that it is not told any more, after a day or for want of room",
            &self.webhook_given_up,
        )
    }
}

impl Metrics for Controller {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        self.write_services(page)?;
        self.numbers.write(page)?;
        self.write_lease(page)?;
        self.write_fleet(page)?;
        self.write_calls(page)?;
        let all = |count: fn(&Scheduler<Key>) -> usize| count(&self.services) + count(&self.shared);
        page.gauge("dormouse_queue_depth", "Keys that wait to be reconciled", all(Scheduler::len))?;
        page.gauge("dormouse_queue_overdue", "Of these, keys whose time has come", all(Scheduler::overdue))
    }
}

impl Controller {
    fn write_services(&self, page: &mut Page<'_>) -> fmt::Result {
        const PHASES: [(Phase, &str); 4] = [
            (Phase::Asleep, "asleep"),
            (Phase::Waking, "waking"),
            (Phase::Awake, "awake"),
            (Phase::Draining, "draining"),
        ];
        // Those that are sound asleep have no condition that holds, and nothing that is to be told.
        let Stirring { records, others: sound, .. } = self.records.stirring();
        let count = |is: &dyn Fn(&ServiceRecord) -> bool| records.iter().filter(|record| is(record)).count();
        let phases = PHASES.map(|(phase, word)| {
            let asleep = if phase == Phase::Asleep { sound } else { 0 };
            (word, asleep + count(&|record| record.phase == phase))
        });
        page.gauges("dormouse_services", "Declared services by phase", "phase", phases)?;
        let holds = |kind: ConditionType| {
            count(&|record| record.conditions.iter().any(|known| known.kind == kind && known.status))
        };
        page.gauge(
            "dormouse_services_ready",
            "Services whose condition Ready is true",
            holds(ConditionType::Ready),
        )?;
        page.gauge(
            "dormouse_services_degraded",
            "Services whose condition Degraded is true",
            holds(ConditionType::Degraded),
        )?;
        let waiting = records.iter().filter_map(|record| webhook::waiting(record)).map(|(count, _)| count);
        page.gauge(
            "dormouse_webhook_waiting",
            "Events that the webhook is to be told",
            waiting.sum::<usize>(),
        )
    }

    fn write_lease(&self, page: &mut Page<'_>) -> fmt::Result {
        let epoch = self.epoch.load(Ordering::Acquire);
        let until = *self.may_act_until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        page.gauge("dormouse_leader", "Whether this replica leads", i64::from(epoch > 0))?;
        page.gauge("dormouse_lease_epoch", "Epoch under which this replica leads; 0: it does not", epoch)?;
        page.gauge(
            "dormouse_lease_remaining_seconds",
            "How long this replica may still act if it cannot renew its lease",
            left.as_secs_f64(),
        )?;
        page.gauge("dormouse_standbys", "Controllers that report to this one", self.world().standbys.len())
    }

    fn write_fleet(&self, page: &mut Page<'_>) -> fmt::Result {
        let fleet = self.world().fleet.whole().map(|(_, fleet)| fleet.clone()).unwrap_or_default();
        let count = |is: &dyn Fn(&dormouse_core::observed::Instance) -> bool| {
            fleet.instances.iter().filter(|instance| is(instance)).count()
        };
        let states = [
            ("active", count(&|instance| instance.active && instance.connected)),
            ("disconnected", count(&|instance| instance.active && !instance.connected)),
            ("draining", count(&|instance| !instance.active)),
        ];
        page.gauges("dormouse_instances", "Container instances of the service cluster", "state", states)?;
        page.gauge("dormouse_instances_desired", "Desired capacity of the group", fleet.group.desired)?;
        page.gauge("dormouse_instances_max", "Largest size of the group", fleet.group.max)
    }

    fn write_calls(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.cloud.calls.snapshot();
        let calls = counts.iter().map(|(operation, count)| (*operation, count.calls));
        page.counters("dormouse_aws_calls", "Calls to AWS", "operation", calls)?;
        let throttled = counts.iter().map(|(operation, count)| (*operation, count.throttled));
        page.counters("dormouse_aws_throttled", "Calls that AWS throttled", "operation", throttled)?;
        let failed = counts.iter().map(|(operation, count)| (*operation, count.failed));
        page.counters("dormouse_aws_failed", "Calls that failed in another way", "operation", failed)?;
        let accesses = Access::ALL.map(|access| (access.word(), self.accesses.count(access)));
        page.counters("dormouse_table_accesses", "Reads and writes of the table", "access", accesses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_core::observed::{Instance, Resources};

    #[test]
    fn each_origin_is_counted_from_zero() {
        let numbers = Numbers::new(false);
        for (family, origins) in [(&numbers.wakes, WAKE_ORIGINS), (&numbers.sleeps, SLEEP_ORIGINS)] {
            for origin in origins {
                let counter = family.get(&[("origin", origin.to_owned())]).map(|counter| counter.get());
                assert_eq!(counter, Some(0), "{origin}");
            }
        }
    }

    fn fleet(tasks: &[u32]) -> Fleet {
        let instance = |tasks: &u32| Instance {
            architecture: None,
            arn: String::new(),
            ec2_id: String::new(),
            active: true,
            status: "ACTIVE".into(),
            connected: true,
            registered: Resources::default(),
            remaining: Resources::default(),
            tasks: *tasks,
        };
        Fleet { instances: tasks.iter().map(instance).collect(), ..Fleet::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn instances_without_a_task_are_idle_until_the_next_look() {
        let numbers = Numbers::new(false);
        for (tasks, then) in [(&[0, 2, 0][..], 0.0), (&[0, 1, 1], 20.0), (&[3, 1, 1], 30.0), (&[], 30.0)] {
            numbers.saw(&fleet(tasks));
            assert!((numbers.idle_seconds.get() - then).abs() < 1e-6, "{tasks:?}");
            tokio::time::advance(Duration::from_secs(10)).await;
        }
    }
}

//! What many services cost a controller: processor time, calls, reads of the table, memory.
//!
//! The controller is the real one, and time is paused. The cloud answers at once, so that what is measured is the
//! controller's own work; what a call to AWS costs beside that (TLS, JSON) is not in it, and neither is HTTP around a
//! heartbeat.
//!
//! # Layout
//!
//! - `cloud`: a cloud in which nothing fails
//! - `measure`: processor time and memory

mod cloud;
mod measure;

use crate::sim::SECRET;
use cloud::{Still, TASKS_PER_INSTANCE};
use dormouse::clock::Clock;
use dormouse::plane::{Asked, Plane};
use dormouse::reconcile::world::World;
use dormouse::reconcile::{Controller, ControllerPlane, Parts};
use dormouse_core::capacity::Room;
use dormouse_core::lifecycle;
use dormouse_core::observed::Beat;
use dormouse_core::settings::Settings;
use dormouse_manifests::{IdleAfter, Service, ServiceSpec};
use dormouse_peer::token;
use dormouse_peer::wire::{Activity, Heartbeat, PeerHealth, SidecarState};
use dormouse_state::{Access, Counted, MemoryStore, Phase, ServiceRecord, Store};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long is measured, in simulated time.
const MEASURED: Duration = Duration::from_secs(600);
/// What has changed is left to settle for so long.
const SETTLED: Duration = Duration::from_secs(120);

/// What so many services cost, by the minute of steady state.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    /// Declared services.
    pub declared: usize,
    /// Of these, awake and in use.
    pub awake: usize,
    /// Processor time a minute for everything but heartbeats.
    pub reconciling: Duration,
    /// The same for heartbeats.
    pub heartbeats: Duration,
    /// Calls a minute, by operation.
    pub calls: BTreeMap<&'static str, f64>,
    /// Accesses of the table a minute.
    pub table: BTreeMap<&'static str, f64>,
    /// One plan of every service.
    pub plan: Duration,
    /// Bytes of memory for each declared service.
    pub bytes: u64,
    /// As many more while somebody watches.
    pub watched: u64,
}

/// Heartbeats of so long are one burst.
const TOGETHER: Duration = Duration::from_millis(500);

struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.0.elapsed()).unwrap_or_default();
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56) + since
    }
}

/// A controller that leads, and what it stands on.
struct Bench {
    cloud: Arc<Still>,
    rows: Arc<MemoryStore>,
    store: Arc<Counted>,
    plane: ControllerPlane,
    clock: Arc<PausedClock>,
    settings: Settings,
    stop: CancellationToken,
    /// Nanoseconds that heartbeats took.
    heard: Arc<AtomicU64>,
}

/// Measures so many services, of which so many are awake.
///
/// # Panics
/// When they do not get where they are to be.
pub fn measure(declared: usize, awake: usize) -> Costs {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    #[allow(clippy::expect_used, reason = "a bench without a runtime has nothing to say")]
    runtime.expect("a runtime").block_on(async {
        let bench = Bench::start();
        sleep(SETTLED).await;
        let before = measure::memory();
        bench.declare(declared).await;
        let bytes = measure::memory().saturating_sub(before).saturating_sub(bench.table().await);
        let before = measure::memory();
        let watch = bench.plane.changes();
        let watched = measure::memory().saturating_sub(before);
        drop(watch);
        bench.wake(awake).await;
        let mut costs = bench.steady(declared, awake).await;
        costs.bytes = bytes / declared.max(1) as u64;
        costs.watched = watched / declared.max(1) as u64;
        costs.plan = bench.plan().await;
        bench.stop.cancel();
        costs
    })
}

impl Bench {
    fn start() -> Bench {
        let cloud = Arc::new(Still::default());
        let rows = Arc::new(MemoryStore::new());
        let store = Arc::new(Counted::new(rows.clone()));
        let clock = Arc::new(PausedClock(Instant::now()));
        let settings = Settings { max_tasks_per_instance: TASKS_PER_INSTANCE, ..Settings::example() };
        let controller = Controller::new(Parts {
            settings: settings.clone(),
            secret: SECRET.to_vec(),
            cloud: cloud.cloud(),
            store: store.clone(),
            clock: clock.clone(),
            prober: cloud.clone(),
            lease: Duration::from_secs(15),
            api_budget: None,
            observe_only: false,
            holder: "bench".into(),
            replica_url: "http://bench:9070".into(),
            webhook: None,
        });
        let stop = CancellationToken::new();
        let bench = Bench {
            cloud,
            rows,
            store,
            plane: ControllerPlane(controller.clone()),
            clock,
            settings,
            stop: stop.clone(),
            heard: Arc::default(),
        };
        tokio::spawn(async move { controller.lead(&stop).await });
        tokio::spawn(beat(bench.plane.clone(), bench.cloud.clone(), bench.heard.clone()));
        bench
    }

    async fn declare(&self, count: usize) {
        for number in 0..count {
            let mut spec =
                ServiceSpec::defaults_for("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1.4.2");
            spec.idle_after = IdleAfter::Never;
            spec.env.insert("GREETING".into(), format!("hello from number {number}"));
            let declared = self.plane.declare(Service::new(format!("service-{number:05}"), spec)).await;
            assert!(declared.is_ok(), "{declared:?}");
        }
        sleep(SETTLED).await;
    }

    async fn wake(&self, count: usize) {
        for number in 0..count {
            let asked = Asked { origin: "request", reason: "GET / from 203.0.113.7 (curl/8)".into() };
            let woken = self.plane.wake(&format!("service-{number:05}"), asked, None).await;
            assert!(woken.is_ok(), "{woken:?}");
        }
        let deadline = Instant::now() + Duration::from_secs(3600);
        while self.awake().await != count {
            assert!(Instant::now() < deadline, "{} of {count} are awake", self.awake().await);
            sleep(Duration::from_secs(5)).await;
        }
        sleep(SETTLED).await;
    }

    /// Bytes that the table takes, which is somewhere else in truth: as many as another does with the same rows, and
    /// nothing of them in common with the first.
    async fn table(&self) -> u64 {
        let rows = self.rows.services().await.unwrap_or_default();
        let before = measure::memory();
        let other = MemoryStore::new();
        for row in &rows {
            let json = serde_json::to_vec(&*row.value).unwrap_or_default();
            let read = serde_json::from_slice(&json).map(|row: ServiceRecord| row);
            let written = match &read {
                Ok(row) => other.put_service(row, 0, None).await.is_ok(),
                Err(_) => false,
            };
            assert!(written, "{read:?}");
        }
        measure::memory().saturating_sub(before)
    }

    async fn awake(&self) -> usize {
        let rows = self.rows.services().await.unwrap_or_default();
        rows.iter().filter(|row| row.value.phase == Phase::Awake).count()
    }

    async fn steady(&self, declared: usize, awake: usize) -> Costs {
        let snapshot = || {
            let table = Access::ALL.map(|access| (access.word(), self.store.count(access)));
            (self.cloud.calls.snapshot(), table, self.heard.load(Ordering::Relaxed), measure::cpu())
        };
        let (calls, table, heard, cpu) = snapshot();
        sleep(MEASURED).await;
        let (calls_then, table_then, heard_then, cpu_then) = snapshot();
        let minutes = MEASURED.as_secs_f64() / 60.0;
        #[allow(clippy::cast_precision_loss, reason = "counts of ten minutes")]
        let by_minute = |before: u64, after: u64| (after - before) as f64 / minutes;
        let heartbeats = Duration::from_nanos(heard_then - heard).div_f64(minutes);
        let calls = calls_then.iter().map(|(operation, count)| {
            let before = calls.get(operation).map_or(0, |known| known.calls);
            (*operation, by_minute(before, count.calls))
        });
        let table = table.iter().zip(table_then);
        Costs {
            declared,
            awake,
            heartbeats,
            reconciling: (cpu_then - cpu).div_f64(minutes).saturating_sub(heartbeats),
            calls: calls.collect(),
            table: table.map(|((word, before), (_, after))| (*word, by_minute(*before, after))).collect(),
            ..Costs::default()
        }
    }

    /// One plan of every service as it stands, several times; the quickest.
    async fn plan(&self) -> Duration {
        let now = self.clock.now();
        let rows = self.rows.services().await.unwrap_or_default();
        let mut world = World::default();
        world.merge(self.cloud.tasks().into_values().collect(), &BTreeSet::new(), now);
        world.tasks.listed_at = Some(now);
        let tasks: Vec<_> = world.tasks.by_arn.values().filter_map(|task| task.identity.clone()).collect();
        world.beats.extend(tasks.into_iter().map(|identity| (identity, heard(now))));
        let room = Room::unknown();
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let began = measure::cpu();
            for row in &rows {
                let view = world.view(&row.value, &room, false, true);
                std::hint::black_box(lifecycle::plan(&self.settings, &row.value, &view, now));
            }
            best = best.min(measure::cpu() - began);
        }
        best
    }
}

fn report(requests: u64, seq: u64) -> Heartbeat {
    Heartbeat {
        boot: "boot".into(),
        seq,
        state: SidecarState::Serving,
        peer: Some(PeerHealth { healthy: true, ever_healthy: true, failures: 0 }),
        activity: Some(Activity { requests, ..Activity::default() }),
        sleep_requested: None,
        busy: None,
        detail: None,
    }
}

fn heard(at: Timestamp) -> Beat {
    let Heartbeat { state, peer, activity, .. } = report(1, 1);
    Beat { peer, activity, ..Beat::new(at, state) }
}

/// Every task reports when it is told to, and is always in use. Those that are due about now report together, so that
/// looking at the clock is no part of what is measured.
async fn beat(plane: ControllerPlane, cloud: Arc<Still>, heard: Arc<AtomicU64>) {
    let mut due: BTreeMap<(Instant, usize), String> = BTreeMap::new();
    let mut seq = 0;
    let mut tasks = 0;
    loop {
        for identity in cloud.fresh() {
            tasks += 1;
            due.insert((Instant::now(), tasks), token::sign(SECRET, &identity));
        }
        let later = due.split_off(&(Instant::now(), usize::MAX));
        let now = std::mem::replace(&mut due, later);
        let began = measure::cpu();
        for ((_, task), token) in now {
            seq += 1;
            if let Some(answer) = plane.heartbeat(&token, report(seq, seq)) {
                due.insert((Instant::now() + Duration::from_millis(answer.interval_ms), task), token);
            }
        }
        let took = measure::cpu().saturating_sub(began);
        heard.fetch_add(took.as_nanos().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        sleep(TOGETHER).await;
    }
}

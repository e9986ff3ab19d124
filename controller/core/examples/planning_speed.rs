//! How long one full plan of many services takes: `cargo run --release -p dormouse-core --example planning_speed`.

use dormouse_core::capacity::{self, Room};
use dormouse_core::dns::{self, Zone, wanted};
use dormouse_core::idle::AtActivator;
use dormouse_core::intent;
use dormouse_core::lifecycle::{self, View, outcome};
use dormouse_core::observed::{Fleet, Tasks};
use dormouse_core::settings::Settings;
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_state::{CapacityMemory, ServiceRecord};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Declared and asleep.
const SERVICES: usize = 10_000;

fn main() {
    let settings = Settings::example();
    let now = Timestamp::UNIX_EPOCH;
    let tasks = Tasks { listed_at: Some(now), ..Tasks::default() };
    let room = Room::unknown();
    let view = View {
        tasks: &tasks,
        beats: &[],
        activator: AtActivator::default(),
        room: &room,
        dependents_awake: false,
        probed: None,
        conflict: None,
        refusal: None,
        stop_refusal: None,
        unanswered: None,
        spot_is_short: false,
        compared: false,
    };
    let records: BTreeMap<String, ServiceRecord> = (0..SERVICES)
        .filter_map(|n| {
            let name = format!("service-{n:05}");
            let manifest = Service::new(&name, ServiceSpec::defaults_for("public.ecr.aws/nginx/nginx:1.27"));
            let declared = intent::declare(None, &manifest, now)?;
            Some((name, registered(lifecycle::plan(&settings, &declared, &view, now))))
        })
        .collect();

    let (took, changed) = measure(|| {
        records
            .values()
            .filter(|record| lifecycle::plan(&settings, record, &view, now).record != **record)
            .count()
    });
    println!("lifecycle: {took:?} for {SERVICES} services, {changed} of them to be written");

    let zone = Zone::default();
    let (took, groups) = measure(|| {
        let wants = records
            .iter()
            .filter_map(|(name, record)| Some((name.clone(), wanted::public(&settings, record, &view)?)))
            .collect();
        dns::plan(&settings, &records, &wants, &zone, now).groups.len()
    });
    println!("dns: {took:?} for as many names, {groups} groups of changes");

    let (took, steps) = measure(|| {
        let demand = capacity::demand(records.values(), &tasks, Some(now));
        let (fleet, memory) = (Fleet::default(), CapacityMemory::default());
        capacity::plan(&settings, &demand, &fleet, &memory, &BTreeMap::new(), now).steps.len()
    });
    println!("capacity: {took:?}, {steps} steps");
}

/// The record once its definitions are registered.
fn registered(plan: lifecycle::Plan) -> ServiceRecord {
    let mut record = plan.record;
    for step in plan.steps {
        if let lifecycle::Step::Register { role, content } = step {
            outcome::registered(&mut record, role, &content.hash(), "arn");
        }
    }
    record
}

/// The best of a few runs.
fn measure<T>(run: impl Fn() -> T) -> (Duration, T) {
    let once = || {
        #[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
        let began = Instant::now();
        let result = run();
        (began.elapsed(), result)
    };
    (0..4).map(|_| once()).fold(once(), |best, next| if next.0 < best.0 { next } else { best })
}

//! More than one page of everything: ListTasks has 100 a page, DescribeTasks takes 100.

use dormouse_e2e::eventually::{eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::{self, Role};
use dormouse_e2e::world::host;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const SERVICES: usize = 120;

#[test]
fn a_hundred_and_twenty_services_wake_and_sleep() {
    let options = Options { no_health_commands: true, ..Options::default() }
        .local("--eni-limit=60")
        .local("--instance-cpu=32768")
        .local("--instance-memory=131072")
        .controller("MAX_TASKS_PER_INSTANCE", "50")
        // The local AWS does one thing at a time, and 120 services have much to write at once.
        .controller("DORMOUSE_LEASE", "15s");
    run(options, |world| {
        let controller = world.controller();
        let names: Vec<String> = (0..SERVICES).map(|number| format!("s{number:03}")).collect();
        for name in &names {
            controller
                .declare(&Manifest::app(name).spec("health.interval", "10s").spec("health.timeout", "5s"));
        }
        for name in &names {
            controller.api.wake(name);
        }
        let phases = || -> Result<BTreeMap<String, usize>, String> {
            let answer = controller.api.send("GET", "/v1/services", None, Duration::from_secs(20));
            let list = answer.map_err(|error| error.to_string())?.json();
            let items = list.as_array().or_else(|| list["items"].as_array()).cloned().unwrap_or_default();
            let mut count = BTreeMap::new();
            for item in items {
                let phase = item["status"]["phase"].as_str().unwrap_or_default().to_owned();
                *count.entry(phase).or_default() += 1;
            }
            Ok(count)
        };
        let all = |phase: &str| {
            eventually(&format!("all are {phase}"), Duration::from_secs(150), || {
                let count = phases()?;
                holds(count.get(phase) == Some(&SERVICES), format!("{count:?}"))
            });
        };
        all("Awake");
        let mut count: BTreeMap<(String, Role), usize> = BTreeMap::new();
        for task in tasks::all(&world.control) {
            if let Some(role) = task.role() {
                *count.entry(role).or_default() += 1;
            }
        }
        assert_eq!(count.len(), 2 * SERVICES);
        assert!(
            count.values().all(|tasks| *tasks == 1),
            "{:?}",
            count.iter().filter(|(_, n)| **n > 1).collect::<Vec<_>>()
        );
        for name in names.iter().step_by(17) {
            assert_eq!(world.get(name, "/").status, 200, "{name}");
        }
        let ask = Request::new("GET", &host("s119"), "/").send(world.resolve("s119")).unwrap();
        assert!(ask.text().contains("s119"), "{ask}");
        assert_eq!(world.instances(), SERVICES.div_ceil(50));
        for name in &names {
            controller.api.sleep(name);
        }
        all("Asleep");
        let live: Vec<Value> = tasks::all(&world.control)
            .into_iter()
            .filter(|task| task.is_live() && task.role().is_some())
            .map(|task| task.truth().clone())
            .collect();
        // Instances go one a minute: that takes longer than this test.
        assert!(live.is_empty(), "{live:?}");
    });
}

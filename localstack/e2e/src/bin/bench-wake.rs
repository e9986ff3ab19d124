//! How long a wake takes beside the cloud's own delays, and what Dormouse costs while it waits: calls and memory.
//!
//! Waking times are measured with the default polls of the controller. `make bench-wake` runs it.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::eventually;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::{DELAYS, Options};
use dormouse_e2e::tasks::{self, Role};
use dormouse_e2e::world::{World, read};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wakes with an instance that has room.
const WARM: usize = 30;
/// Wakes without any instance.
const COLD: usize = 10;
/// Services of the steady states.
const SERVICES: usize = 100;
/// How long calls are counted.
const MINUTE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(300);

fn main() {
    println!("{:<58} {:>10} {:>10} {:>10}", "", "median", "p99", "worst");
    waking("warm", WARM);
    waking("cold", COLD);
    steady();
}

/// The controller's own defaults, but a short TTL, so that the bench does not wait for resolvers.
fn defaults() -> Options {
    Options::default()
        .controller("DORMOUSE_POLL_FAST", "1s")
        .controller("DORMOUSE_POLL_SLOW", "30s")
        .controller("DORMOUSE_LEASE", "15s")
        .controller("DORMOUSE_DNS_TTL", "1s")
        .controller("DORMOUSE_SCALE_IN_DELAY", "3m")
        .controller("DORMOUSE_DRAIN_WAIT", "15s")
}

fn delay(name: &str) -> Duration {
    DELAYS.iter().find(|(known, _)| *known == name).map(|(_, delay)| *delay).expect("a delay of that name")
}

/// Times of many wakes of one service.
fn waking(kind: &str, wakes: usize) {
    let cold = kind == "cold";
    // An instance goes soon, so that each cold wake needs a new one; the steady sweep sees that it is empty, and takes no
    // part in a wake.
    let soon = |options: Options| {
        options
            .controller("DORMOUSE_SCALE_IN_DELAY", "1s")
            .controller("DORMOUSE_DRAIN_WAIT", "1s")
            .controller("DORMOUSE_POLL_SLOW", "5s")
    };
    let world = World::start(if cold { soon(defaults()) } else { defaults() });
    let controller = world.controller();
    controller.declare(&Manifest::app("hello"));
    if !cold {
        // Keeps an instance with room.
        controller.declare(&Manifest::app("neighbour"));
        wake(&controller, "neighbour");
    }
    let task = delay("provision-delay") + delay("pull-delay");
    let own = if cold { task + delay("boot-delay") } else { task };
    let (mut runs, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..wakes {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let start = Instant::now();
        wake(&controller, "hello");
        ready.push(start.elapsed().saturating_sub(own));
        let made = Role::ALL.map(|role| {
            let created = world.task("hello", role).time("createdAt").expect("a time");
            Duration::from_secs_f64(created).saturating_sub(asked)
        });
        runs.push(made[0].max(made[1]));
        let slept = controller.api.call("POST", "/v1/services/hello/sleep?wait=60s");
        assert_eq!(slept.status, 200, "{slept}");
        if cold {
            no_instances(&world, &controller);
        }
    }
    let boot = if cold { delay("boot-delay") } else { Duration::ZERO };
    let runs = runs.into_iter().map(|time: Duration| time.saturating_sub(boot)).collect();
    let what = if cold { " beyond the boot" } else { "" };
    row(&format!("{kind}: wake to both RunTask calls{what} (ms)"), runs);
    row(&format!("{kind}: wake to Ready beyond the cloud's {} ms (ms)", own.as_millis()), ready);
}

fn wake(controller: &Controller, name: &str) {
    let answer = controller.api.call("POST", &format!("/v1/services/{name}/wake?wait=60s"));
    assert_eq!(answer.status, 200, "{answer}");
}

/// Until the controller has removed its instance, and knows that it is gone: an instance that somebody else took away
/// would be asked for in vain first, and the next try comes five seconds later.
fn no_instances(world: &World, controller: &Controller) {
    eventually("the instance is removed", LONG, || {
        let known = controller.api.instances();
        let gone = world.instances() == 0 && known["items"] == serde_json::json!([]);
        if gone { Ok(()) } else { Err(known.to_string()) }
    });
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1;
        times[index].as_secs_f64() * 1000.0
    };
    println!("{what:<58} {:>10.0} {:>10.0} {:>10.0}", at(0.5), at(0.99), at(1.0));
}

/// Calls and memory with many services, all asleep and all awake.
fn steady() {
    let options = Options { no_health_commands: true, ..defaults() }
        .local("--eni-limit=60")
        .local("--instance-cpu=32768")
        .local("--instance-memory=131072")
        .controller("MAX_TASKS_PER_INSTANCE", "50");
    let world = World::start(options);
    let controller = world.controller();
    let names: Vec<String> = (0..SERVICES).map(|number| format!("s{number:03}")).collect();
    let app = |name: &str| Manifest::app(name).spec("health.interval", "5s").spec("health.timeout", "3s");
    names.iter().for_each(|name| controller.declare(&app(name)));
    eventually("all definitions are registered", LONG, || {
        let calls = world.calls("ecs.RegisterTaskDefinition");
        if calls >= 2 * SERVICES as u64 { Ok(()) } else { Err(format!("{calls} calls")) }
    });
    println!();
    calls(&world, &format!("{SERVICES} declared, none awake: calls a minute"));
    println!("{:<58} {:>10}", "  memory of the controller (MiB)", mebibytes(controller.pid()));

    let start = Instant::now();
    names.iter().for_each(|name| {
        controller.api.wake(name);
    });
    names.iter().for_each(|name| {
        controller.ready(name);
    });
    println!(
        "{:<58} {:>10.1}",
        format!("{SERVICES} woken at once: until the last is ready (s)"),
        start.elapsed().as_secs_f64()
    );
    calls(&world, &format!("{SERVICES} awake, steady: calls a minute"));
    println!("{:<58} {:>10}", "  memory of the controller (MiB)", mebibytes(controller.pid()));
    for role in Role::ALL {
        let mut sizes: Vec<String> = names
            .iter()
            .filter_map(|name| tasks::live(&world.control, name, role).first()?.pid(role.sidecar()))
            .map(mebibytes)
            .collect();
        sizes.sort();
        let median = sizes.get(sizes.len() / 2).cloned().unwrap_or_default();
        println!("{:<58} {median:>10}", format!("  memory of a {} (MiB, median)", role.sidecar()));
    }
}

/// Counts the controller's calls for a minute, once it has come to rest.
fn calls(world: &World, what: &str) {
    sleep(Duration::from_secs(10));
    let key = world.ids["env"]["AWS_ACCESS_KEY_ID"].as_str().expect("a key").to_owned();
    world.control.post("stats/reset", &serde_json::json!({}));
    sleep(MINUTE);
    let stats = world.control.get("stats");
    let made = stats["callers"][&key].as_object().cloned().unwrap_or_default();
    let total: u64 = made.values().filter_map(serde_json::Value::as_u64).sum();
    println!("{what:<58} {total:>10}");
    for (operation, count) in made {
        println!("    {operation:<54} {count:>10}");
    }
}

fn mebibytes(pid: u32) -> String {
    let status = read(Path::new(&format!("/proc/{pid}/status")));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default();
    format!("{:.1}", kibibytes / 1024.0)
}

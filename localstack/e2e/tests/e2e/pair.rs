//! One half of a pair dies or freezes.

use dormouse_e2e::controller::Controller;
use dormouse_e2e::eventually::{SOON, eventually, holds, steadily};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::{self, Role, Task};
use dormouse_e2e::world::World;
use std::time::Duration;

/// A service that is awake, with its two tasks.
fn awake(world: &World) -> (Controller, Task, Task) {
    let controller = world.controller();
    controller.declare(&Manifest::app("hello"));
    controller.wake("hello");
    // Before they have seen each other, a loss is not yet a loss.
    controller.until("proxy and service see each other", "hello", |service| service.is("PeersHealthy"));
    let tasks = (world.task("hello", Role::Proxy), world.task("hello", Role::Service));
    (controller, tasks.0, tasks.1)
}

/// Both old tasks end, and a request is answered by a new pair whose record stands.
fn replaced(world: &World, controller: &Controller, proxy: &Task, service: &Task) {
    let answer = eventually("the new pair answers", SOON, || {
        let to = world.resolver().resolve("hello.dormouse.test")?;
        holds(to != proxy.address(), format!("{to} is the old proxy"))?;
        let answer = world.get("hello", "/");
        // Who reaches the container that is just ending is told so, and when to come again.
        let later = answer.status == 503 && answer.header("retry-after").is_some();
        if later { Err(answer.to_string()) } else { Ok(answer) }
    });
    assert_eq!(answer.status, 200, "{answer}");
    world.stopped(proxy);
    world.stopped(service);
    controller.ready("hello");
    let (new_proxy, new_service) = (world.task("hello", Role::Proxy), world.task("hello", Role::Service));
    assert!(new_proxy.id() != proxy.id() && new_service.id() != service.id());
    assert_eq!(world.record("hello").as_deref(), Some(new_proxy.address()));
    assert_eq!(world.get("hello", "/").status, 200);
    for role in Role::ALL {
        assert_eq!(world.tasks_ever("hello", role).len(), 2, "{role:?}");
    }
}

#[test]
fn the_application_is_killed() {
    run(Options::default(), |world| {
        let (controller, proxy, service) = awake(world);
        tasks::signal(&world.control, &service, "app", "SIGKILL");
        replaced(world, &controller, &proxy, &service);
    });
}

#[test]
fn the_application_fails_its_health_checks() {
    run(Options::default(), |world| {
        let (controller, proxy, service) = awake(world);
        assert_eq!(world.get("hello", "/fail").status, 200);
        world.stopped(&service);
        replaced(world, &controller, &proxy, &service);
    });
}

#[test]
fn the_service_sidecar_is_killed() {
    run(Options::default(), |world| {
        let (controller, proxy, service) = awake(world);
        tasks::signal(&world.control, &service, "dormouse-service", "SIGKILL");
        replaced(world, &controller, &proxy, &service);
    });
}

#[test]
fn the_proxy_is_killed() {
    run(Options::default(), |world| {
        let (controller, proxy, service) = awake(world);
        tasks::signal(&world.control, &proxy, "dormouse-proxy", "SIGKILL");
        replaced(world, &controller, &proxy, &service);
    });
}

#[test]
fn the_service_ends_by_itself_when_its_proxy_freezes() {
    run(Options::default(), |world| {
        let (mut controller, proxy, service) = awake(world);
        // Nobody but the sidecar is there to notice.
        controller.kill();
        tasks::signal(&world.control, &proxy, "dormouse-proxy", "SIGSTOP");
        let ended = world.stopped(&service);
        assert_eq!(ended.exit_code("dormouse-service"), Some(10), "{ended}");
        tasks::signal(&world.control, &proxy, "dormouse-proxy", "SIGCONT");
        let ended = world.stopped(&proxy);
        assert_eq!(
            ended.exit_code("dormouse-proxy"),
            Some(10),
            "the thawed proxy finds its service lost: {ended}"
        );
        controller.start_again();
        replaced(world, &controller, &proxy, &service);
    });
}

#[test]
fn the_late_stop_of_an_old_proxy_leaves_the_new_record_alone() {
    run(Options::default(), |world| {
        let (controller, proxy, service) = awake(world);
        // Frozen, it takes its whole stop time-out to end, long after the new pair is up.
        tasks::signal(&world.control, &proxy, "dormouse-proxy", "SIGSTOP");
        world.stopped(&service);
        eventually("a new proxy has the record", SOON, || {
            let record = world.record("hello");
            let new = tasks::live(&world.control, "hello", Role::Proxy)
                .into_iter()
                .find(|task| task.id() != proxy.id());
            let new = new.ok_or("no new proxy")?;
            holds(record.as_deref() == Some(new.address()), format!("{record:?}"))
                .map_err(|_| "another record")
        });
        assert!(world.again(&proxy).is_live(), "the old proxy is still ending");
        world.stopped(&proxy);
        let new = world.task("hello", Role::Proxy);
        steadily("the new record stands", Duration::from_secs(2), || {
            let record = world.record("hello");
            holds(record.as_deref() == Some(new.address()), format!("{record:?}"))
        });
        controller.ready("hello");
        assert_eq!(world.get("hello", "/").status, 200);
    });
}

#[test]
fn an_instance_dies_with_all_on_it() {
    let options = Options { instances_fail: true, ..Options::default() };
    run(options, |world| {
        let (controller, proxy, service) = awake(world);
        world.control.post(&format!("instances/{}/fail", service.instance()), &serde_json::json!({}));
        replaced(world, &controller, &proxy, &service);
        world.has_instances(1);
    });
}

//! Calls that fail, and calls whose answers are lost.

use dormouse_e2e::eventually::{eventually, holds};
use dormouse_e2e::faults::{self, Fault};
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::tasks::Role;
use dormouse_e2e::world::{World, ready};
use serde_json::json;
use std::time::Duration;

/// A change whose id was lost is waited for a minute.
const LATE: Duration = Duration::from_secs(100);

/// With the faults at work a service wakes, and sleeps; there never was more than one pair.
fn wakes_and_sleeps(world: &World, at_wake: &[Fault], at_sleep: &[Fault]) {
    let controller = world.controller();
    controller.declare(&Manifest::app("hello"));
    // Everything before the wake is none of these tests' business.
    eventually("its definitions are registered", LATE, || {
        let calls = world.calls("ecs.RegisterTaskDefinition");
        holds(calls >= 2, format!("{calls} calls"))
    });
    let installed: Vec<u64> = at_wake.iter().map(|fault| fault.install(&world.control)).collect();
    controller.api.wake("hello");
    eventually("hello is ready", LATE, || {
        let service = controller.api.find("hello")?;
        ready(&service)
    });
    let struck = |numbers: &[u64]| {
        for number in numbers {
            assert!(faults::hits(&world.control, *number) > 0, "fault {number} never struck");
        }
    };
    struck(&installed);
    faults::clear(&world.control);

    let installed: Vec<u64> = at_sleep.iter().map(|fault| fault.install(&world.control)).collect();
    controller.api.sleep("hello");
    eventually("hello is asleep", LATE, || {
        let service = controller.api.find("hello")?;
        holds(service.phase() == "Asleep", service.0["status"].to_string())
    });
    world.nothing_of("hello");
    struck(&installed);
    faults::clear(&world.control);
    for role in Role::ALL {
        assert_eq!(world.tasks_ever("hello", role).len(), 1, "{role:?}");
    }
}

#[test]
fn run_task_and_stop_task_are_throttled() {
    run(Options::default(), |world| {
        let throttled = |operation, times| Fault::throttle(operation).times(times);
        wakes_and_sleeps(world, &[throttled("ecs.RunTask", 2)], &[throttled("ecs.StopTask", 1)]);
    });
}

#[test]
fn answers_of_run_task_are_lost() {
    run(Options::default(), |world| {
        let lost = Fault::lose_answer("ecs.RunTask").times(2);
        wakes_and_sleeps(world, &[lost], &[Fault::lose_answer("ecs.StopTask").times(2)]);
    });
}

#[test]
fn run_task_and_stop_task_fail_after_the_effect() {
    run(Options::default(), |world| {
        let failed = Fault::error_after("ecs.RunTask").times(2);
        wakes_and_sleeps(world, &[failed], &[Fault::error_after("ecs.StopTask").times(2)]);
    });
}

#[test]
fn answers_of_record_changes_are_lost() {
    run(Options::default(), |world| {
        let lost = || Fault::lose_answer("route53.ChangeResourceRecordSets");
        wakes_and_sleeps(world, &[lost()], &[]);
    });
}

#[test]
fn record_changes_are_refused_for_a_while() {
    run(Options::default(), |world| {
        let refused = || Fault::throttle("route53.ChangeResourceRecordSets").times(2);
        wakes_and_sleeps(world, &[refused()], &[refused()]);
    });
}

#[test]
fn answers_of_writes_to_the_table_are_lost() {
    run(Options::default(), |world| {
        let lost = || Fault::error_after("dynamodb.UpdateItem").times(3);
        wakes_and_sleeps(world, &[lost()], &[lost()]);
    });
}

#[test]
fn reads_lag_behind() {
    run(Options::default(), |world| {
        let lag = |operation| Fault::read_lag(operation, 1500);
        let all = || {
            ["ecs.DescribeTasks", "ecs.ListTasks", "route53.ListResourceRecordSets", "autoscaling.Describe*"]
                .map(lag)
        };
        wakes_and_sleeps(world, &all(), &all()[..3]);
    });
}

#[test]
fn a_tenth_of_all_calls_fails() {
    run(Options::default(), |world| {
        let mut failing: Vec<Fault> = ["ecs.*", "route53.*", "autoscaling.*", "ec2.*", "dynamodb.*"]
            .into_iter()
            .map(|operations| Fault::http500(operations).for_ever().sometimes(0.1))
            .collect();
        // But for the lease: who cannot renew it ends, and nobody starts it again here.
        failing[4] = failing[4].clone().matching(json!({"Key": {"serviceName": {"S": "svc#*"}}}));
        let controller = world.controller();
        controller.declare(&Manifest::app("hello"));
        for fault in &failing {
            fault.install(&world.control);
        }
        for _ in 0..2 {
            eventually("it is woken and ready", LATE, || {
                let service = controller.api.find("hello")?;
                if service.0["status"]["desired"] != "Awake" {
                    let patience = Duration::from_secs(10);
                    let _ = controller.api.send("POST", "/v1/services/hello/wake", None, patience);
                }
                ready(&service)
            });
            eventually("it is put to sleep", LATE, || {
                let service = controller.api.find("hello")?;
                if service.0["status"]["desired"] != "Asleep" {
                    let patience = Duration::from_secs(10);
                    let _ = controller.api.send("POST", "/v1/services/hello/sleep", None, patience);
                }
                holds(service.phase() == "Asleep", service.0["status"].to_string())
            });
        }
        faults::clear(&world.control);
        world.nothing_of("hello");
        world.has_instances(0);
    });
}

//! Use, idleness and awake windows.

use super::*;
use crate::testing::scene::Scene;
use crate::testing::{at, idle_after, moment, secs, window};
use dormouse_peer::wire::{Activity, Role};

fn at_idle(scene: &Scene) -> Option<Timestamp> {
    idle_at(&scene.record, &scene.view().usage(&scene.record, scene.now), scene.dependents_awake, scene.now)
}

fn used(change: impl FnOnce(&mut Scene)) -> Use {
    let mut scene = Scene::ready();
    change(&mut scene);
    scene.view().usage(&scene.record, scene.now)
}

#[test]
fn the_clock_of_a_service_that_nobody_used_starts_when_it_is_ready() {
    let mut scene = Scene::ready();
    scene.count(0, 0, 9999);
    assert_eq!(at_idle(&scene), Some(at(30 + 900)));
}

#[test]
fn the_last_use_is_the_latest_that_anybody_knows() {
    let scene = |record: i64, proxy: u64, activator: Option<i64>| {
        let mut scene = Scene::ready();
        scene.pass(970);
        scene.record.last_activity = at(record);
        scene.count(1, 0, proxy);
        scene.activator.last = activator.map(at);
        scene.view().usage(&scene.record, scene.now).last
    };
    assert_eq!(scene(900, 500, Some(100)), at(900));
    assert_eq!(scene(100, 300, Some(100)), at(700));
    assert_eq!(scene(100, 500, Some(800)), at(800));
}

#[test]
fn a_proxy_that_was_never_used_adds_nothing() {
    assert_eq!(used(|scene| scene.count(0, 0, 0)).last, at(0));
    assert_eq!(used(|scene| scene.count(1, 0, 0)).last, at(30));
}

#[test]
fn whatever_is_open_is_use_right_now() {
    let socket = Activity { open_sockets: 1, idle_for_ms: 99_000, ..Activity::default() };
    let sockets = used(|scene| {
        scene.beat(Role::Proxy, dormouse_peer::wire::SidecarState::Serving).activity = Some(socket)
    });
    assert_eq!((sockets.in_flight, sockets.last), (1, at(30)));
    let held = used(|scene| scene.activator.in_flight = 2);
    assert_eq!((held.in_flight, held.last), (2, at(30)));
}

#[test]
fn counts_that_make_no_sense_do_no_harm() {
    let absurd = Activity {
        in_flight: u64::MAX,
        open_sockets: u64::MAX,
        requests: u64::MAX,
        bytes: u64::MAX,
        idle_for_ms: u64::MAX,
    };
    let found = used(|scene| {
        scene.activator.in_flight = u64::MAX;
        scene.beat(Role::Proxy, dormouse_peer::wire::SidecarState::Serving).activity = Some(absurd);
    });
    assert_eq!(found.in_flight, u64::MAX);
}

#[test]
fn a_wake_for_a_time_is_kept() {
    let mut scene = Scene::ready();
    scene.record.awake_until = Some(at(7200));
    assert_eq!(at_idle(&scene), Some(at(7200)));
    scene.record.awake_until = Some(at(60));
    assert_eq!(at_idle(&scene), Some(at(930)));
}

#[test]
fn what_keeps_it_awake_altogether() {
    let changes: [fn(&mut Scene); 6] = [
        |scene| scene.record.spec.idle_after = IdleAfter::Never,
        |scene| scene.dependents_awake = true,
        |scene| scene.count(1, 1, 0),
        |scene| scene.activator.in_flight = 1,
        |scene| scene.beats.clear(),
        |scene| scene.record.spec.awake = vec![window("daily", "00:00", "00:00", "UTC")],
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut scene = Scene::ready();
        change(&mut scene);
        assert_eq!(at_idle(&scene), None, "{n}");
    }
}

#[test]
fn what_never_came_up_has_ten_minutes_more() {
    let mut scene = Scene::with(|spec| spec.idle_after = idle_after(60)).woken();
    assert_eq!(at_idle(&scene), Some(at(660)));
    scene.activator.last = Some(at(5000));
    assert_eq!(at_idle(&scene), Some(at(5060)), "somebody asked");
    scene.activator.last = None;
    scene.record.dns.withdrawn_at = None;
    assert_eq!(at_idle(&scene), None, "somebody may have found it by name");
    scene.record.spec.idle_after = IdleAfter::After(secs(0));
    assert_eq!(at_idle(&scene), None);
}

fn open(window: &AwakeWindow, times: &[(&str, bool)]) {
    for (time, expected) in times {
        assert_eq!(is_inside(window, moment(time)), *expected, "{time}");
    }
}

#[test]
fn a_window_of_office_hours() {
    // 2026-03-02 is a Monday; Paris is an hour ahead of UTC.
    open(
        &window("Mon-Fri", "08:00", "18:00", "Europe/Paris"),
        &[
            ("2026-03-02T06:59:59Z", false),
            ("2026-03-02T07:00:00Z", true),
            ("2026-03-02T16:59:59Z", true),
            ("2026-03-02T17:00:00Z", false),
            ("2026-03-06T12:00:00Z", true),
            ("2026-03-07T12:00:00Z", false),
        ],
    );
}

#[test]
fn a_window_across_midnight_belongs_to_the_day_on_which_it_opens() {
    open(
        &window("Fri", "22:00", "06:00", "UTC"),
        &[
            ("2026-03-05T23:00:00Z", false),
            ("2026-03-06T05:00:00Z", false),
            ("2026-03-06T21:59:59Z", false),
            ("2026-03-06T22:00:00Z", true),
            ("2026-03-07T00:00:00Z", true),
            ("2026-03-07T05:59:59Z", true),
            ("2026-03-07T06:00:00Z", false),
            ("2026-03-07T22:30:00Z", false),
        ],
    );
}

#[test]
fn a_window_from_midnight_to_midnight_is_the_whole_day() {
    open(
        &window("Sat,Sun", "00:00", "00:00", "UTC"),
        &[
            ("2026-03-06T23:59:59Z", false),
            ("2026-03-07T00:00:00Z", true),
            ("2026-03-08T23:59:59Z", true),
            ("2026-03-09T00:00:00Z", false),
        ],
    );
}

#[test]
fn a_window_that_closes_when_it_opens_lasts_a_day() {
    open(
        &window("Mon", "08:00", "08:00", "UTC"),
        &[
            ("2026-03-02T07:59:59Z", false),
            ("2026-03-02T08:00:00Z", true),
            ("2026-03-03T07:59:59Z", true),
            ("2026-03-03T08:00:00Z", false),
        ],
    );
}

#[test]
fn when_clocks_go_forward_the_time_that_is_left_out_never_comes() {
    // Paris, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    open(
        &window("daily", "02:15", "02:45", "Europe/Paris"),
        &[("2026-03-28T01:30:00Z", true), ("2026-03-29T00:59:59Z", false), ("2026-03-29T01:00:00Z", false)],
    );
    open(
        &window("daily", "02:30", "04:00", "Europe/Paris"),
        &[
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:59:59Z", true),
            ("2026-03-29T02:00:00Z", false),
        ],
    );
    open(
        &window("Sat", "22:00", "06:00", "Europe/Paris"),
        &[("2026-03-28T21:00:00Z", true), ("2026-03-29T03:59:59Z", true), ("2026-03-29T04:00:00Z", false)],
    );
}

#[test]
fn when_clocks_go_back_the_time_that_is_repeated_comes_twice() {
    // Paris, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    open(
        &window("daily", "02:15", "02:45", "Europe/Paris"),
        &[
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T00:50:00Z", false),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T01:50:00Z", false),
        ],
    );
    open(
        &window("Sat", "22:00", "06:00", "Europe/Paris"),
        &[("2026-10-24T20:00:00Z", true), ("2026-10-25T04:59:59Z", true), ("2026-10-25T05:00:00Z", false)],
    );
}

#[test]
fn both_times_are_one_opening() {
    let twice = window("daily", "02:15", "02:45", "Europe/Paris");
    let opened = |time: &str| opened_on(&twice, moment(time));
    assert_eq!(opened("2026-10-25T00:30:00Z"), opened("2026-10-25T01:30:00Z"));
    let night = window("daily", "22:00", "06:00", "UTC");
    assert_eq!(
        opened_on(&night, moment("2026-03-06T22:00:00Z")),
        opened_on(&night, moment("2026-03-07T05:00:00Z"))
    );
    assert_ne!(
        opened_on(&night, moment("2026-03-06T22:00:00Z")),
        opened_on(&night, moment("2026-03-07T22:00:00Z"))
    );
}

#[test]
fn a_zone_that_does_not_exist_keeps_nothing_awake() {
    assert!(!is_inside(&window("daily", "00:00", "00:00", "Mars/Olympus"), at(0)));
}

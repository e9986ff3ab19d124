//! Which records a service is to have.

use super::*;
use crate::dns::wanted::{private, public};
use crate::observed::TaskStatus;
use crate::testing::scene::public as address;
use dormouse_peer::wire::{Role, SidecarState};
use dormouse_state::{DnsChange, DnsMemory};

fn want(scene: &Scene) -> Option<String> {
    public(&scene.settings, &scene.record, &scene.view()).map(|want| want.address)
}

/// Both halves run and serve; nothing is published yet.
fn serving() -> Scene {
    let mut scene = Scene::waking();
    scene.start_both();
    scene.serve();
    scene
}

#[test]
fn a_proxy_is_found_by_name_as_soon_as_it_forwards() {
    let mut scene = serving();
    assert_eq!(want(&scene), Some(address(1)));
    scene.beat(Role::Proxy, SidecarState::Starting);
    assert_eq!(want(&scene), None);
    scene.beats.clear();
    assert_eq!(want(&scene), None);
}

#[test]
fn what_is_asleep_or_ending_is_not() {
    let changes: [fn(&mut Scene); 5] = [
        |scene| scene.sleep(),
        |scene| scene.end(Role::Service, &[]),
        |scene| scene.end(Role::Proxy, &[]),
        |scene| {
            let proxy = scene.arn(Role::Proxy);
            scene.task(&proxy).stopping = true;
        },
        |scene| scene.record.pair.as_mut().unwrap().condemned = Some((scene.now, "why".into())),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut scene = Scene::ready();
        change(&mut scene);
        assert_eq!(want(&scene), None, "{n}");
    }
}

#[test]
fn a_proxy_that_takes_nothing_new_is_not() {
    for state in [SidecarState::Draining, SidecarState::Stopping] {
        let mut scene = Scene::ready();
        scene.beat(Role::Proxy, state);
        assert_eq!(want(&scene), None, "{state:?}");
        scene.beat(Role::Proxy, SidecarState::Serving);
        assert_eq!(want(&scene), Some(address(1)));
    }
}

#[test]
fn a_ready_proxy_that_loses_its_upstream_for_a_moment_stays() {
    let mut scene = Scene::ready();
    scene.beat(Role::Proxy, SidecarState::Starting);
    assert_eq!(want(&scene), Some(address(1)));
}

#[test]
fn after_a_restart_of_the_controller_nothing_is_withdrawn() {
    let mut scene = Scene::ready();
    scene.beats.clear();
    assert_eq!(want(&scene), Some(address(1)), "no beat");
    scene.tasks.by_arn.values_mut().for_each(|task| task.status = TaskStatus::Pending);
    assert_eq!(want(&scene), Some(address(1)), "a reading from before it ran");
    scene.tasks.by_arn.values_mut().for_each(|task| task.public_address = None);
    assert_eq!(want(&scene), Some(address(1)), "no address");
    scene.tasks.by_arn.clear();
    scene.tasks.listed_at = None;
    assert_eq!(want(&scene), Some(address(1)), "no task");
}

#[test]
fn nor_when_it_was_published_and_not_ready_yet() {
    let mut scene = serving();
    scene.publish();
    scene.beats.clear();
    assert_eq!(want(&scene), Some(address(1)));
    let change = DnsChange {
        address: Some(address(1)),
        pair: scene.pair().id,
        intended_at: scene.now,
        change_id: None,
        seen: false,
    };
    scene.record.dns = DnsMemory { pending: Some(change), ..DnsMemory::default() };
    assert_eq!(want(&scene), Some(address(1)));
    scene.tasks.by_arn.clear();
    assert_eq!(want(&scene), Some(address(1)));
}

/// EC2 may not tell a new leader the address that the zone still has.
#[test]
fn nor_when_its_withdrawal_was_intended_and_it_is_woken_again() {
    let mut scene = Scene::ready();
    scene.tasks.by_arn.values_mut().for_each(|task| task.public_address = None);
    let mut pair = scene.pair().id;
    scene.record.dns.published_pair = Some(pair);
    scene.record.dns.pending = Some(DnsChange::sought(pair, scene.now));
    assert_eq!(want(&scene), Some(address(1)));
    pair.attempt += 1;
    scene.record.dns.published_pair = Some(pair);
    assert_eq!(want(&scene), None, "another pair's");
}

#[test]
fn the_address_of_the_pair_before_is_never_taken_for_this_one_s() {
    let mut scene = serving();
    scene.record.dns.published = Some(address(99));
    scene.tasks.by_arn.values_mut().for_each(|task| task.public_address = None);
    assert_eq!(want(&scene), None);
    scene.tasks.by_arn.clear();
    assert_eq!(want(&scene), None);
}

#[test]
fn the_private_names_of_both_halves() {
    let scene = serving();
    let want = private("corp", &scene.record, &scene.view()).unwrap();
    let names: Vec<_> =
        want.records.iter().map(|(name, values)| (name.as_str(), values[0].as_str())).collect();
    assert_eq!(names, [("hello.proxy.corp", "10.0.0.1"), ("hello.service.corp", "10.0.1.1")]);
}

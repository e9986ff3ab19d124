//! What always holds, and what comes about in the end.

use super::{Fault, Toy};
use crate::dns::WILDCARD;
use dormouse_state::{Desired, Phase};
use proptest::prelude::*;

const NAMES: [&str; 2] = ["hello", "world"];

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// Seconds in which nothing fails.
    Ticks(u8),
    /// Seconds in which every fourth thing fails, drawn from a seed.
    Storm(u8, u64),
    /// Seconds in which nobody looks.
    Pass(u8),
    /// A full read; behind the truth or not.
    Sweep(bool),
    Beats,
    Plan(usize, Fault),
    Dns(Fault),
    Capacity(Fault),
    Restart,
    Wake(usize),
    Sleep(usize),
    Request(usize, u8),
    /// The n-th of all tasks ends with this code.
    End(usize, i32),
    Redeclare(usize, u8),
    Delete(usize),
    /// Somebody removes the row, and the service is declared anew.
    Forget(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::None),
        2 => (0..3usize).prop_map(Fault::Crash),
        1 => Just(Fault::Deaf),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let which = 0..NAMES.len();
    prop_oneof![
        6 => (1..15u8).prop_map(Event::Ticks),
        1 => (1..200u8).prop_map(Event::Ticks),
        4 => (1..30u8, any::<u64>()).prop_map(|(seconds, seed)| Event::Storm(seconds, seed)),
        2 => (1..40u8).prop_map(Event::Pass),
        2 => any::<bool>().prop_map(Event::Sweep),
        1 => Just(Event::Beats),
        6 => (which.clone(), fault()).prop_map(|(which, fault)| Event::Plan(which, fault)),
        3 => fault().prop_map(Event::Dns),
        3 => fault().prop_map(Event::Capacity),
        1 => Just(Event::Restart),
        4 => which.clone().prop_map(Event::Wake),
        4 => which.clone().prop_map(Event::Sleep),
        3 => (which.clone(), 0..60u8).prop_map(|(which, seconds)| Event::Request(which, seconds)),
        2 => (0..20usize, prop_oneof![Just(0), Just(1), Just(11)]).prop_map(|(n, code)| Event::End(n, code)),
        1 => which.clone().prop_map(Event::Delete),
        1 => which.clone().prop_map(Event::Forget),
        1 => (which, 1..4u8).prop_map(|(which, size)| Event::Redeclare(which, size)),
    ]
}

fn happen(toy: &mut Toy, event: &Event) {
    match *event {
        Event::Ticks(seconds) => (0..seconds).for_each(|_| toy.tick()),
        Event::Storm(seconds, mut seed) => {
            let mut fault = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                match (seed >> 33) % 12 {
                    0 => Fault::Crash(0),
                    1 => Fault::Crash(1),
                    2 => Fault::Deaf,
                    _ => Fault::None,
                }
            };
            (0..seconds).for_each(|_| toy.stormy(&mut fault));
        }
        Event::Pass(seconds) => toy.cloud.pass(seconds.into()),
        Event::Sweep(behind) => toy.sweep(behind),
        Event::Beats => toy.beats(),
        Event::Plan(which, fault) => toy.reconcile(NAMES[which], fault),
        Event::Dns(fault) => toy.reconcile_dns(fault),
        Event::Capacity(fault) => toy.reconcile_capacity(fault),
        Event::Restart => toy.restart(),
        Event::Wake(which) => toy.wake(NAMES[which]),
        Event::Sleep(which) => toy.sleep(NAMES[which]),
        Event::Request(which, seconds) => toy.request(NAMES[which], seconds.into()),
        Event::End(n, code) => {
            let ours =
                toy.cloud.lives.iter().filter(|(_, life)| life.lives() && life.task.identity.is_some());
            if let Some(arn) = ours.map(|(arn, _)| arn.clone()).nth(n) {
                toy.cloud.exit(&arn, code);
            }
        }
        Event::Delete(which) => toy.delete(NAMES[which]),
        Event::Forget(which) => {
            toy.cloud.lost_rows = true;
            toy.declare_anew(NAMES[which]);
        }
        Event::Redeclare(which, size) => toy.redeclare(NAMES[which], 512 + 32 * u32::from(size)),
    }
}

/// Ticks until `done`; fails when that takes longer than `seconds`.
fn eventually(toy: &mut Toy, seconds: u32, what: &str, done: impl Fn(&Toy) -> bool) {
    for _ in 0..seconds {
        if done(toy) {
            return;
        }
        toy.tick();
    }
    panic!("{what} does not come about within {seconds} s\n{:#?}\n{:#?}", toy.records, toy.capacity);
}

fn nothing_left(toy: &Toy) -> bool {
    let clean = toy
        .cloud
        .names
        .zone
        .iter()
        .all(|set| !NAMES.iter().any(|name| set.name.starts_with(&format!("{name}."))));
    let quiet = toy.records.values().all(|record| record.phase == Phase::Asleep);
    let ours = toy.cloud.lives.values().filter(|life| life.lives() && life.task.identity.is_some()).count();
    clean && quiet && ours == 0
}

/// From here on nothing fails: what is awake becomes ready, what is asleep is gone, and then nothing is done.
fn comes_to_rest(toy: &mut Toy) {
    for name in NAMES {
        // Declared again, it stays.
        toy.redeclare(name, 512);
        toy.wake(name);
    }
    let ready = |toy: &Toy| {
        NAMES.iter().all(|name| toy.is_ready(name) || toy.records[*name].desired == Desired::Asleep)
    };
    eventually(toy, 900, "ready", ready);
    for name in NAMES {
        toy.sleep(name);
    }
    eventually(toy, 400, "nothing left", nothing_left);
    let cloudless = |toy: &Toy| toy.cloud.machines.is_empty() && toy.cloud.desired == 0;
    eventually(toy, 600, "no instance", cloudless);
    for _ in 0..70 {
        toy.tick();
    }
    let before = toy.cloud.mutations;
    let records = toy.records.clone();
    for _ in 0..60 {
        toy.tick();
    }
    assert_eq!(toy.cloud.mutations, before, "at rest, nothing is done");
    assert_eq!(toy.records, records, "at rest, nothing is written");
    let wildcard = toy.cloud.names.zone.get("*.example.com", "A").len();
    assert_eq!(wildcard, 1, "{WILDCARD}");
}

#[test]
fn a_day_without_faults() {
    let mut toy = Toy::new(&NAMES);
    eventually(&mut toy, 10, "rest", nothing_left);
    toy.wake("hello");
    eventually(&mut toy, 60, "ready", |toy| toy.is_ready("hello"));
    toy.request("hello", 20);
    (0..100).for_each(|_| toy.tick());
    assert!(toy.is_ready("hello"), "used a moment ago");
    eventually(&mut toy, 200, "idle", |toy| toy.records["hello"].desired == Desired::Asleep);
    eventually(&mut toy, 90, "nothing left", nothing_left);
    comes_to_rest(&mut toy);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 1..60)) {
        let mut toy = Toy::new(&NAMES);
        (0..3).for_each(|_| toy.tick());
        for event in &events {
            happen(&mut toy, event);
        }
        comes_to_rest(&mut toy);
    }
}

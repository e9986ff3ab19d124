//! A service's record from intent to INSYNC and back.

use super::*;
use crate::dns::{accepted, not_made, plan_private, settled};
use crate::testing::{at, secs};
use dormouse_state::{DnsMemory, ServiceRecord};
use std::collections::BTreeMap;

/// A service that wants its first record, and an empty zone.
fn fresh() -> (Scene, Zone, Wanted) {
    (Scene::waking(), Zone::default(), wanted("hello", 1, "192.0.2.1"))
}

/// Plans, remembers, makes the changes; answers the plan.
fn step(scene: &mut Scene, want: Option<&Wanted>, zone: &mut Zone, id: Option<&str>) -> Plan {
    let plan = plan_hello(scene, want, zone);
    if let Some(memory) = plan.memories.get("hello") {
        scene.record.dns = memory.clone();
    }
    apply(zone, &plan.groups);
    if let Some(id) = id.filter(|_| !plan.groups.is_empty()) {
        accepted(&mut scene.record.dns, id);
    }
    plan
}

/// Its record stands, INSYNC.
fn published() -> (Scene, Zone, Wanted) {
    let (mut scene, mut zone, want) = fresh();
    step(&mut scene, Some(&want), &mut zone, Some("C1"));
    settled(&mut scene.record.dns, scene.now);
    (scene, zone, want)
}

fn nobody() -> BTreeMap<String, ServiceRecord> {
    BTreeMap::new()
}

#[test]
fn intent_first_then_accepted_then_insync() {
    let (mut scene, mut zone, want) = fresh();
    let plan = plan_hello(&scene, Some(&want), &zone);
    let pending = plan.memories["hello"].pending.clone().unwrap();
    assert_eq!(
        (pending.address.as_deref(), pending.pair, pending.change_id),
        (Some("192.0.2.1"), want.pair, None)
    );
    assert_eq!(plan.memories["hello"].withdrawn_at, None, "from now on a record may stand");
    step(&mut scene, Some(&want), &mut zone, Some("C1"));
    let plan = step(&mut scene, Some(&want), &mut zone, None);
    assert_eq!(plan.polls, [("C1".to_owned(), vec!["hello".to_owned()])].into());
    assert_eq!(plan.groups, []);
    settled(&mut scene.record.dns, scene.now);
    assert_eq!(scene.record.dns.published.as_deref(), Some("192.0.2.1"));
    assert_eq!(plan_hello(&scene, Some(&want), &zone), Plan::default());
}

#[test]
fn a_withdrawal_is_dated_when_it_is_insync() {
    let (mut scene, mut zone, _) = published();
    step(&mut scene, None, &mut zone, Some("C2"));
    assert_eq!(scene.record.dns.withdrawn_at, None);
    scene.pass(20);
    let plan = step(&mut scene, None, &mut zone, None);
    assert_eq!(plan.polls.keys().collect::<Vec<_>>(), ["C2"]);
    settled(&mut scene.record.dns, scene.now);
    assert_eq!(scene.record.dns, DnsMemory { withdrawn_at: Some(at(20)), ..DnsMemory::default() });
    assert_eq!(zone.iter().count(), 0);
}

#[test]
fn an_intent_that_was_never_carried_out_is_carried_out() {
    let (mut scene, zone, want) = fresh();
    scene.record.dns = plan_hello(&scene, Some(&want), &zone).memories["hello"].clone();
    scene.pass(100);
    let plan = plan_hello(&scene, Some(&want), &zone);
    assert_eq!(plan.groups.len(), 1);
    let pending = plan.memories["hello"].pending.clone().unwrap();
    assert_eq!((pending.intended_at, pending.change_id), (scene.now, None), "the intent stands, dated anew");
}

#[test]
fn a_change_that_was_not_answered_propagates_from_when_it_is_seen() {
    let (mut scene, mut zone, _) = published();
    scene.record.dns = plan_hello(&scene, None, &zone).memories["hello"].clone();
    scene.pass(100);
    // This one is carried out, and not answered: when it was is not known.
    step(&mut scene, None, &mut zone, None);
    scene.pass(14);
    step(&mut scene, None, &mut zone, None);
    scene.pass(59);
    step(&mut scene, None, &mut zone, None);
    assert_eq!(scene.record.dns.withdrawn_at, None);
    scene.pass(1);
    step(&mut scene, None, &mut zone, None);
    assert_eq!(scene.record.dns.withdrawn_at, Some(scene.now));
}

#[test]
fn a_lost_change_id_is_made_up_for_by_waiting() {
    for want in [Some(wanted("hello", 1, "192.0.2.1")), None] {
        let (mut scene, mut zone, _) = if want.is_some() { fresh() } else { published() };
        let began = scene.now;
        step(&mut scene, want.as_ref(), &mut zone, None);
        scene.pass(1);
        step(&mut scene, want.as_ref(), &mut zone, None);
        assert!(scene.record.dns.pending.as_ref().is_some_and(|pending| pending.seen), "it was made");
        scene.pass(59);
        let plan = step(&mut scene, want.as_ref(), &mut zone, None);
        assert_eq!((plan.memories.len(), plan.requeue), (0, Some(secs(1))));
        scene.pass(1);
        step(&mut scene, want.as_ref(), &mut zone, None);
        assert_eq!(scene.record.dns.pending, None);
        assert_eq!(scene.record.dns.published, want.as_ref().map(|want| want.address.clone()));
        assert_eq!(scene.record.dns.withdrawn_at.is_some(), want.is_none(), "since {began}");
    }
}

/// Public addresses are given again. What is remembered of an address is of the pair that it was for: the record of the
/// next one would count as given to nobody after a restart, and be taken out while its tasks are only not listed yet.
#[test]
fn a_record_for_the_same_address_and_another_pair_is_another_change() {
    let (next, pair) = (wanted("hello", 2, "192.0.2.1"), Some(wanted("hello", 2, "").pair));
    // Intended and never made; made, without an answer; INSYNC.
    let intended = {
        let (mut scene, zone, want) = fresh();
        scene.record.dns = plan_hello(&scene, Some(&want), &zone).memories["hello"].clone();
        (scene, zone)
    };
    let made = {
        let (mut scene, mut zone, want) = fresh();
        step(&mut scene, Some(&want), &mut zone, None);
        (scene, zone)
    };
    let known = {
        let (scene, zone, _) = published();
        (scene, zone)
    };
    for (mut scene, mut zone) in [intended, made, known] {
        let plan = step(&mut scene, Some(&next), &mut zone, Some("C2"));
        assert_eq!(plan.groups.len(), 1, "its TXT names the pair");
        assert_eq!(scene.record.dns.pending.as_ref().map(|pending| pending.pair), pair);
        assert_eq!(scene.record.dns.repaired_at, None, "nobody took anything out");
        settled(&mut scene.record.dns, scene.now);
        assert_eq!(scene.record.dns.published_pair, pair);
        assert_eq!(plan_hello(&scene, Some(&next), &zone), Plan::default());
    }
}

/// Its change overtook the intent's: the zone has the next pair's record already.
#[test]
fn a_record_that_stands_for_another_pair_than_is_remembered_is_that_pairs() {
    let (mut scene, mut zone, want) = published();
    let next = wanted("hello", 2, &want.address);
    let plan = plan_hello(&scene, Some(&next), &zone);
    apply(&mut zone, &plan.groups);
    step(&mut scene, Some(&next), &mut zone, None);
    assert_eq!(scene.record.dns.published_pair, Some(next.pair));
}

#[test]
fn a_change_that_somebody_undid_has_no_id_any_more() {
    let (mut scene, mut zone, want) = fresh();
    step(&mut scene, Some(&want), &mut zone, Some("C1"));
    zone = Zone::default();
    let plan = step(&mut scene, Some(&want), &mut zone, None);
    assert_eq!(plan.polls.len(), 0);
    assert_eq!(scene.record.dns.pending.as_ref().unwrap().change_id, None);
    assert_eq!(plan.groups.len(), 1);
}

#[test]
fn falling_asleep_before_the_first_change_was_made_leaves_nothing() {
    let (mut scene, mut zone, want) = fresh();
    scene.record.dns = plan_hello(&scene, Some(&want), &zone).memories["hello"].clone();
    // Its call may have been made and not answered, and what it made may have been taken out since.
    scene.pass(59);
    let plan = step(&mut scene, None, &mut zone, None);
    assert_eq!((plan.groups.len(), plan.requeue), (0, Some(secs(60))));
    assert_eq!(scene.record.dns.withdrawn_at, None);
    scene.pass(60);
    let plan = step(&mut scene, None, &mut zone, None);
    assert_eq!(plan.groups, []);
    assert_eq!(scene.record.dns.withdrawn_at, Some(scene.now));
}

#[test]
fn a_wake_before_the_withdrawal_was_made_keeps_the_record() {
    let (mut scene, zone, want) = published();
    scene.record.dns = plan_hello(&scene, None, &zone).memories["hello"].clone();
    let plan = plan_hello(&scene, Some(&want), &zone);
    assert_eq!(plan.groups, []);
    let memory = &plan.memories["hello"];
    assert_eq!((memory.published.as_deref(), &memory.pending), (Some("192.0.2.1"), &None));
}

#[test]
fn the_time_of_a_withdrawal_that_nobody_saw_is_not_made_up() {
    let (mut scene, _, _) = published();
    let mut zone = Zone::default();
    let plan = step(&mut scene, None, &mut zone, None);
    assert_eq!((scene.record.dns.withdrawn_at, plan.requeue), (None, Some(secs(60))));
    scene.pass(60);
    step(&mut scene, None, &mut zone, None);
    assert_eq!(scene.record.dns.withdrawn_at, Some(scene.now));
}

/// Tasks without a row: a record that was made for a pair of which nothing is left is withdrawn before their row goes; where
/// none is shown, a minute has to pass, since a reading may be older than one.
#[test]
fn who_is_buried_leaves_no_record_behind() {
    for stands in [true, false] {
        let (mut scene, there, _) = published();
        scene.record = crate::intent::bury("hello", scene.now).unwrap();
        assert!(scene.record.deleting && scene.record.dns.withdrawn_at.is_none());
        let mut zone = if stands { there } else { Zone::default() };
        let plan = step(&mut scene, None, &mut zone, None);
        assert_eq!(changes(&plan.groups).len(), if stands { 2 } else { 0 });
        step(&mut scene, None, &mut zone, None);
        assert_eq!(scene.record.dns.withdrawn_at, None, "name servers may have it still");
        scene.pass(60);
        step(&mut scene, None, &mut zone, None);
        assert_eq!(scene.record.dns.withdrawn_at, Some(scene.now), "{stands}");
    }
}

#[test]
fn a_conflict_is_told_and_nothing_is_touched() {
    let (mut scene, _, want) = fresh();
    let mut zone = Zone::new([a("hello", "203.0.113.7")]);
    let plan = step(&mut scene, Some(&want), &mut zone, None);
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (0, 1));
    assert!(scene.record.dns.withdrawn_at.is_some(), "there is no record of ours to wait for");
}

#[test]
fn an_outsider_s_change_is_a_conflict_until_it_is_taken_back() {
    let (mut scene, mut zone, want) = published();
    let changed = Zone::new([a("hello", "203.0.113.7"), txt("hello", "1.1", "192.0.2.1")]);
    let plan = plan_hello(&scene, Some(&want), &changed);
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (0, 1));
    scene.record.dns = plan.memories["hello"].clone();
    let plan = step(&mut scene, Some(&want), &mut zone, None);
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (0, 0));
    assert_eq!(scene.record.dns.published.as_deref(), Some("192.0.2.1"));
}

#[test]
fn what_belongs_to_a_service_that_is_gone_is_withdrawn() {
    let zone = Zone::new([
        a("gone", "192.0.2.1"),
        txt("gone", "1.1", "192.0.2.1"),
        a("theirs", "203.0.113.7"),
        txt("theirs", "1.1", "192.0.2.2"),
        a("foreign", "203.0.113.8"),
    ]);
    let plan = plan(&settings(), &nobody(), &Default::default(), &zone, at(0));
    let mut left = zone.clone();
    apply(&mut left, &plan.groups);
    let names: Vec<&str> = left.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["foreign.example.com", "theirs.example.com"]);
}

#[test]
fn the_wildcard_is_kept_and_goes_with_its_setting() {
    let with = Settings { wildcard: Some(vec!["203.0.113.9".into(), "203.0.113.10".into()]), ..settings() };
    let none = nobody();
    let mut zone = Zone::default();
    let first = plan(&with, &none, &Default::default(), &zone, at(0));
    assert_eq!(first.groups[0].owner, WILDCARD);
    apply(&mut zone, &first.groups);
    assert_eq!(zone.get("*.example.com", "A")[0].values, ["203.0.113.10", "203.0.113.9"]);
    assert_eq!(plan(&with, &none, &Default::default(), &zone, at(0)), Plan::default());
    let moved = Settings { wildcard: Some(vec!["203.0.113.11".into()]), ..settings() };
    let swap = plan(&moved, &none, &Default::default(), &zone, at(0));
    apply(&mut zone, &swap.groups);
    let last = plan(&settings(), &none, &Default::default(), &zone, at(0));
    apply(&mut zone, &last.groups);
    assert_eq!(zone.iter().count(), 0);
}

#[test]
fn a_foreign_wildcard_is_a_conflict() {
    let with = Settings::example();
    let zone = Zone::new([set("*.example.com", "A", &["203.0.113.7"])]);
    let plan = plan(&with, &nobody(), &Default::default(), &zone, at(0));
    assert_eq!(plan.groups.len(), 0);
    assert!(plan.conflicts.contains_key(WILDCARD));
}

#[test]
fn the_private_zone_follows() {
    let want = |proxy: &str| Wanted {
        seen: true,
        pair: PairId { epoch: 1, attempt: 1 },
        address: proxy.into(),
        records: [("hello.proxy.corp".to_owned(), vec![proxy.to_owned()])].into(),
    };
    let run = |zone: &mut Zone, wants: &std::collections::BTreeMap<String, Wanted>| {
        let plan = plan_private(&settings(), "corp", wants, zone);
        apply(zone, &plan.groups);
        plan
    };
    let mut zone = Zone::new([set("corp", "NS", &["ns"])]);
    let up = [("hello".to_owned(), want("10.0.0.1"))].into();
    assert_eq!(run(&mut zone, &up).groups.len(), 1);
    assert_eq!(run(&mut zone, &up), Plan::default());
    assert_eq!(run(&mut zone, &Default::default()).groups.len(), 1);
    assert_eq!(zone.iter().count(), 1);
}

#[test]
fn in_the_private_zone_a_conflict_leaves_no_stale_record() {
    let want = |proxy: &str| Wanted {
        seen: true,
        pair: PairId { epoch: 1, attempt: 1 },
        address: proxy.into(),
        records: [
            ("hello.proxy.corp".to_owned(), vec![proxy.to_owned()]),
            ("hello.service.corp".to_owned(), vec!["10.0.1.1".to_owned()]),
        ]
        .into(),
    };
    let mut zone = Zone::default();
    let first = plan_private(&settings(), "corp", &[("hello".to_owned(), want("10.0.0.1"))].into(), &zone);
    apply(&mut zone, &first.groups);
    // Somebody takes one of its two names.
    zone.apply(&Change::Delete(set("hello.service.corp", "A", &["10.0.1.1"])));
    zone.apply(&Change::Create(set("hello.service.corp", "A", &["203.0.113.7"])));
    for _ in 0..2 {
        let plan = plan_private(&settings(), "corp", &[("hello".to_owned(), want("10.0.0.2"))].into(), &zone);
        assert_eq!(plan.conflicts.len(), 1);
        apply(&mut zone, &plan.groups);
        assert_eq!(zone.iter().map(|set| set.values[0].as_str()).collect::<Vec<_>>(), ["203.0.113.7"]);
    }
}

#[test]
fn what_somebody_takes_out_is_put_back_once_in_five_minutes() {
    let (mut scene, _, want) = published();
    let undone = || Zone::new([txt("hello", "1.1", "192.0.2.1")]);
    let plan = step(&mut scene, Some(&want), &mut undone(), Some("C2"));
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (1, 0), "at once");
    scene.pass(100);
    // On its way, arrived, or made without an answer: undone is undone.
    for memory in [scene.record.dns.clone(), {
        let mut arrived = scene.record.dns.clone();
        settled(&mut arrived, scene.now);
        arrived
    }] {
        scene.record.dns = memory;
        let plan = step(&mut scene, Some(&want), &mut undone(), None);
        assert_eq!((plan.groups.len(), plan.conflicts.len(), plan.requeue), (0, 1, Some(secs(200))));
    }
    // A new pair is nobody's fight.
    let other = wanted("hello", 2, "192.0.2.2");
    assert_eq!(plan_hello(&scene, Some(&other), &undone()).groups.len(), 1);
    scene.pass(200);
    let plan = step(&mut scene, Some(&want), &mut undone(), Some("C3"));
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (1, 0));
}

/// A call that was throttled has put nothing back.
#[test]
fn what_was_not_put_back_is_put_back_with_the_next_try() {
    let (mut scene, _, want) = published();
    let undone = || Zone::new([txt("hello", "1.1", "192.0.2.1")]);
    for second in [0, 1, 5] {
        scene.pass(second);
        let plan = step(&mut scene, Some(&want), &mut undone(), None);
        assert_eq!((plan.groups.len(), plan.conflicts.len()), (1, 0));
        not_made(&mut scene.record.dns, scene.now);
    }
    // That one was made. Another change that is not says nothing of it.
    let plan = step(&mut scene, Some(&want), &mut undone(), Some("C2"));
    assert_eq!(plan.groups.len(), 1);
    scene.pass(5);
    not_made(&mut scene.record.dns, scene.now);
    let plan = step(&mut scene, Some(&want), &mut undone(), None);
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (0, 1));
}

/// Put to sleep and woken again before its first change was INSYNC: what the zone had before may be remembered still.
#[test]
fn a_record_whose_change_was_given_up_propagates_from_when_it_is_seen() {
    let (mut scene, mut zone, _) = published();
    let next = wanted("hello", 2, "192.0.2.2");
    step(&mut scene, Some(&next), &mut zone, Some("C2"));
    scene.record.dns = plan_hello(&scene, None, &zone).memories["hello"].clone();
    scene.pass(3);
    let plan = step(&mut scene, Some(&next), &mut zone, None);
    assert_eq!((plan.groups.len(), plan.requeue), (0, Some(secs(60))));
    assert!(scene.record.dns.pending.as_ref().is_some_and(|pending| pending.seen), "it may be on its way");
    scene.pass(60);
    step(&mut scene, Some(&next), &mut zone, None);
    assert_eq!(scene.record.dns.published_at, Some(scene.now));
}

#[test]
fn what_somebody_replaces_and_gives_back_is_put_back_no_sooner() {
    let (mut scene, _, want) = published();
    let undone = || Zone::new([txt("hello", "1.1", "192.0.2.1")]);
    step(&mut scene, Some(&want), &mut undone(), Some("C2"));
    scene.pass(70);
    let mut theirs = undone();
    theirs.apply(&Change::Create(set("hello.example.com", "A", &["203.0.113.7"])));
    let plan = step(&mut scene, Some(&want), &mut theirs, None);
    assert_eq!((plan.groups.len(), plan.conflicts.len()), (0, 1), "it is theirs");
    scene.pass(70);
    step(&mut scene, Some(&want), &mut theirs, None);
    scene.pass(70);
    let plan = step(&mut scene, Some(&want), &mut undone(), None);
    assert_eq!((plan.groups.len(), plan.conflicts.len(), plan.requeue), (0, 1, Some(secs(90))));
    scene.pass(90);
    assert_eq!(step(&mut scene, Some(&want), &mut undone(), None).groups.len(), 1);
}

/// A record is put back and is not wanted any more: whether its claim goes alone (after so many seconds, if it is seen by
/// then). Its call may not be answered, or be on its way to the name servers, or have arrived: a reading may be older.
#[test]
fn a_claim_stays_while_what_it_claims_may_come() {
    let put_back =
        [("not answered", None, false), ("accepted", Some("C2"), false), ("INSYNC", Some("C2"), true)];
    let seen = [(1, false, 0), (59, false, 0), (60, false, 1), (1, true, 2), (60, true, 2)];
    for (what, id, arrived) in put_back {
        for (seconds, came, changed) in seen {
            let (mut scene, there, want) = published();
            let undone = || Zone::new([txt("hello", "1.1", "192.0.2.1")]);
            step(&mut scene, Some(&want), &mut undone(), id);
            if arrived {
                settled(&mut scene.record.dns, scene.now);
            }
            scene.pass(seconds);
            let mut zone = if came { there } else { undone() };
            let plan = step(&mut scene, None, &mut zone, None);
            assert_eq!(changes(&plan.groups).len(), changed, "{what}, after {seconds} s, {came}");
            assert_eq!(plan.requeue.is_some(), changed == 0);
        }
    }
}

#[test]
fn nothing_is_put_into_the_zone_for_what_is_not_seen() {
    let (mut scene, _, want) = published();
    let unseen = Wanted { seen: false, ..want };
    let plan = step(&mut scene, Some(&unseen), &mut Zone::default(), None);
    assert_eq!((plan.groups, plan.memories.len()), (Vec::new(), 0));
}

#[test]
fn what_is_put_back_counts_from_when_it_is_there_again() {
    for id in [Some("C2"), None] {
        let (mut scene, _, want) = published();
        let mut zone = Zone::default();
        scene.record.dns = plan_hello(&scene, Some(&want), &zone).memories["hello"].clone();
        assert_eq!(scene.record.dns.repaired_at, Some(scene.now), "its call fails");
        scene.pass(14);
        step(&mut scene, Some(&want), &mut zone, id);
        assert_eq!(scene.record.dns.repaired_at, Some(scene.now), "this one is made");
        scene.pass(9);
        step(&mut scene, Some(&want), &mut zone, None);
        assert_eq!(scene.record.dns.repaired_at, Some(scene.now), "{id:?}");
        scene.pass(9);
        step(&mut scene, Some(&want), &mut zone, None);
        assert_ne!(scene.record.dns.repaired_at, Some(scene.now), "once");
    }
}

/// Whether it was INSYNC, or accepted long ago and nobody asked since.
#[test]
fn a_record_that_somebody_replaced_is_forgotten_when_name_servers_have_that() {
    for insync in [true, false] {
        let (mut scene, mut zone, want) = fresh();
        step(&mut scene, Some(&want), &mut zone, Some("C1"));
        if insync {
            settled(&mut scene.record.dns, scene.now);
        }
        scene.pass(300);
        let mut zone = Zone::new([a("hello", "203.0.113.7"), txt("hello", "1.1", "192.0.2.1")]);
        step(&mut scene, Some(&want), &mut zone, None);
        scene.pass(59);
        step(&mut scene, Some(&want), &mut zone, None);
        assert_eq!(scene.record.dns.withdrawn_at, None, "its propagation takes a minute");
        scene.pass(1);
        step(&mut scene, Some(&want), &mut zone, None);
        assert_eq!(scene.record.dns.withdrawn_at, Some(scene.now));
    }
}

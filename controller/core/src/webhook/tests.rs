use super::message::message;
use super::*;
use crate::intent;
use crate::settings::Settings;
use crate::testing::{at, secs};
use dormouse_manifests::{Service, ServiceSpec};
use dormouse_state::record::MAX_EVENTS;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Declared a while before anything is told.
fn declared() -> ServiceRecord {
    intent::declare(None, &Service::new("hello", ServiceSpec::defaults_for("demo")), at(-3600)).unwrap()
}

/// One under a webhook, with these events, a second after each other, of which so many are told.
fn with(reasons: &[&str], told: u64) -> ServiceRecord {
    let mut record = ServiceRecord { events: Default::default(), noted: 0, ..declared() };
    for (second, reason) in (0..).zip(reasons) {
        record.note(at(second), reason, "");
    }
    ServiceRecord { told: Some(told), ..record }
}

/// Which event a decision is to tell.
fn tells(next: &Next) -> Option<(u64, &str)> {
    match next {
        Next::Tell(notice) => Some((notice.number, notice.kind.word())),
        _ => None,
    }
}

#[test]
fn the_oldest_news_first() {
    for (reasons, told, expected) in [
        (&[][..], 0, None),
        (&["Declared", "Audit"], 0, None),
        (&["Woken"], 0, Some((1, "service.woken"))),
        (&["Woken"], 1, None),
        (&["Declared", "Woken", "Ready", "Slept"], 0, Some((2, "service.woken"))),
        (&["Declared", "Woken", "Ready", "Slept"], 2, Some((3, "service.ready"))),
        (&["Declared", "Woken", "Ready", "Slept"], 3, Some((4, "service.slept"))),
        (&["TaskEnded", "PairLost", "Woken"], 0, Some((2, "service.failed"))),
        (&["Woken", "SlowWake"], 1, Some((2, "service.failed"))),
        (&["RolloutFailed"], 0, Some((1, "service.failed"))),
        (&["RolledBack"], 0, Some((1, "service.failed"))),
    ] {
        assert_eq!(tells(&next(&with(reasons, told), None, at(60))), expected, "{reasons:?} {told}");
    }
    let without = ServiceRecord { told: None, ..with(&["Woken"], 0) };
    assert_eq!(next(&without, None, at(60)), Next::Nothing, "there is no webhook");
}

#[test]
fn what_failed_is_tried_again_later_and_later() {
    let record = with(&["Woken"], 0);
    let mut tries = None;
    let mut now = at(10);
    for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
        tries = Some(Tries::again(tries, now, 0));
        assert_eq!(next(&record, tries, now), Next::Wait(secs(wait)));
        now = later(now, secs(wait));
        assert_eq!(tells(&next(&record, tries, now)), Some((1, "service.woken")));
    }
    for spread in [1, 511, 1023, u32::MAX] {
        let Next::Wait(wait) = next(&record, Some(Tries::again(tries, now, spread)), now) else { panic!() };
        assert!((secs(150)..secs(300)).contains(&wait), "{spread}: {wait:?}");
    }
}

#[test]
fn what_is_too_old_is_given_up_together_and_noted() {
    let record = with(&["Woken", "Audit", "Slept", "Woken"], 0);
    let over = |second: i64| later(at(second), GIVE_UP_AFTER);
    for (now, late, then) in [(over(0), 1, 3), (over(1), 1, 3), (over(2), 2, 4), (over(3), 3, 5)] {
        let tries = Some(Tries::again(None, now, 0));
        assert_eq!(next(&record, tries, now), Next::GiveUp(late), "whatever was tried just now");
        let after = give_up(&record, now).unwrap();
        let said = after.events.last().unwrap();
        assert_eq!((said.reason.as_str(), after.noted), (GIVEN_UP, 5));
        assert!(said.message.ends_with(&format!(": {late}")), "{}", said.message);
        assert_eq!(tells(&next(&after, None, now)).map_or(5, |(number, _)| number), then, "{late}");
    }
    assert_eq!(give_up(&record, at(60)), None);
}

#[test]
fn an_account_begins_with_the_webhook() {
    let known = ServiceRecord { told: None, ..with(&["Woken", "Slept"], 0) };
    let mut woken = intent::wake(&known, "api", "", None, at(60)).unwrap().unwrap();
    assert_eq!(account(Some(&known), &mut woken), 0);
    assert_eq!(tells(&next(&woken, None, at(60))), Some((3, "service.woken")), "what was before is no news");
    // A row that is made and woken in one write.
    let mut made = intent::wake(&declared(), "request", "", None, at(0)).unwrap().unwrap();
    account(None, &mut made);
    assert_eq!(tells(&next(&made, None, at(60))), Some((2, "service.woken")));
    // One that a version wrote which does not count.
    let uncounted = ServiceRecord { noted: 0, ..known };
    let mut woken = intent::wake(&uncounted, "api", "", None, at(60)).unwrap().unwrap();
    account(Some(&uncounted), &mut woken);
    assert_eq!(tells(&next(&woken, None, at(60))), Some((1, "service.woken")));
    assert_eq!(waiting(&woken), Some((1, at(60))));
}

#[test]
fn what_is_no_news_waits_for_nobody() {
    let known = with(&["Woken"], 1);
    let mut audited = known.clone();
    audited.note(at(60), "Audit", "");
    account(Some(&known), &mut audited);
    assert_eq!((audited.told, waiting(&audited)), (Some(2), None));
}

#[test]
fn what_the_history_forgets_is_lost_and_counted() {
    let news: Vec<&str> = ["Woken", "Audit"].into_iter().cycle().take(MAX_EVENTS).collect();
    let mut record = with(&news, 0);
    let mut lost = 0;
    for _ in 0..5 {
        let before = record.clone();
        record.note(at(60), "Slept", "");
        lost += account(Some(&before), &mut record);
    }
    assert_eq!(lost, 3, "events 1, 3 and 5");
    assert_eq!(tells(&next(&record, None, at(60))), Some((7, "service.woken")));
}

#[test]
fn told_is_remembered_of_the_very_event() {
    let record = with(&["Woken", "Audit", "Slept"], 0);
    let Next::Tell(notice) = next(&record, None, at(60)) else { panic!() };
    let after = told(&record, &notice).unwrap();
    assert_eq!(after.told, Some(2), "and what is no news after it");
    assert_eq!(told(&after, &notice), None, "that is known");
    let another = ServiceRecord { created_at: at(0), ..record.clone() };
    assert_eq!(told(&another, &notice), None, "it was declared anew");
    let uncounted = ServiceRecord { noted: 0, told: Some(0), ..record.clone() };
    assert_eq!(told(&uncounted, &notice), None, "counted anew");
    assert_eq!(told(&ServiceRecord { told: None, ..record }, &notice), None, "there is no webhook");
}

#[test]
fn a_message_is_the_same_whenever_it_is_sent() {
    let settings = Settings::example();
    let of = |record: &ServiceRecord| match next(record, None, at(60)) {
        Next::Tell(notice) => message(&settings, &record.name, &notice),
        other => panic!("{other:?}"),
    };
    let woken = intent::wake(&with(&[], 0), "request", "GET / from 10.1.2.3", None, at(7)).unwrap().unwrap();
    let once = of(&woken);
    assert_eq!(of(&woken), once);
    insta::assert_snapshot!(once.body, @r#"{"type":"service.woken","timestamp":"2023-11-14T22:13:27Z","data":{"install":"test","service":"hello","url":"http://hello.example.com:9060","reason":"Woken","message":"request: GET / from 10.1.2.3"}}"#);
    let mut ids = BTreeSet::from([once.id]);
    for other in [
        with(&["Slept"], 0),
        with(&["Slept", "Slept"], 1),
        ServiceRecord { created_at: at(0), ..woken.clone() },
        ServiceRecord { name: "hullo".into(), ..woken },
    ] {
        assert!(ids.insert(of(&other).id), "{other:?}");
    }
    assert!(ids.iter().all(|id| id.len() == 36 && id.starts_with("msg_")));
}

/// What happens in a history that the property looks at.
#[derive(Debug, Clone)]
enum Happens {
    /// An event is written, by whichever controller.
    Noted(&'static str),
    /// Seconds pass.
    Passes(u32),
    /// The leader does what is to be done; the receiver takes it or not; the leader lives to write that down or not.
    Step { taken: bool, written: bool },
    /// Another one leads: what was tried is forgotten.
    Leads,
}

fn happens() -> impl Strategy<Value = Happens> {
    let reasons = prop::sample::select(vec!["Woken", "Ready", "Slept", "PairLost", "Audit", "TaskEnded"]);
    prop_oneof![
        4 => reasons.prop_map(Happens::Noted),
        2 => (1_u32..20_000).prop_map(Happens::Passes),
        6 => (any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(taken, written)| Happens::Step { taken, written }),
        1 => Just(Happens::Leads),
    ]
}

proptest! {
    /// Every event that became durable is told at least once and in order, or is counted as given up or lost; what did
    /// not become durable is not told; and nothing stays for ever.
    #[test]
    fn told_at_least_once_and_in_order(history in prop::collection::vec(happens(), 1..300)) {
        let settings = Settings::example();
        let mut row = with(&[], 0);
        let mut now = at(0);
        let mut tries = None;
        // Id → what the receiver knows of it, in the order in which it first came.
        let mut received: Vec<String> = Vec::new();
        let mut durable: BTreeMap<u64, String> = BTreeMap::new();
        let (mut given_up, mut lost) = (0, 0);
        let write = |row: &mut ServiceRecord, mut next: ServiceRecord, lost: &mut u64| {
            *lost += account(Some(row), &mut next);
            *row = next;
        };
        // In the end the receiver is well.
        let end = std::iter::repeat_n(Happens::Step { taken: true, written: true }, MAX_EVENTS * 2);
        let end = end.flat_map(|step| [Happens::Passes(300), step]);
        for happens in history.into_iter().chain(end) {
            match happens {
                Happens::Noted(reason) => {
                    let mut next = row.clone();
                    next.note(now, reason, "");
                    write(&mut row, next, &mut lost);
                    let event = row.events.last().unwrap().clone();
                    if let Some(kind) = Kind::of(&event) {
                        let notice = Notice { number: row.noted, incarnation: row.created_at, kind, event };
                        durable.insert(row.noted, message(&settings, "hello", &notice).id);
                    }
                }
                Happens::Passes(seconds) => now = later(now, secs(seconds.into())),
                Happens::Leads => tries = None,
                Happens::Step { taken, written } => match next(&row, tries, now) {
                    Next::Nothing | Next::Wait(_) => {}
                    Next::GiveUp(late) => {
                        let next = give_up(&row, now).unwrap();
                        if written {
                            write(&mut row, next, &mut lost);
                            given_up += late;
                        }
                    }
                    Next::Tell(notice) if taken => {
                        let id = message(&settings, "hello", &notice).id;
                        prop_assert!(durable.values().any(|known| *known == id), "told, and not durable");
                        if !received.contains(&id) {
                            received.push(id);
                        }
                        if written {
                            let next = told(&row, &notice).unwrap();
                            write(&mut row, next, &mut lost);
                            tries = None;
                        }
                    }
                    Next::Tell(_) => tries = Some(Tries::again(tries, now, 7)),
                },
            }
        }
        prop_assert_eq!(waiting(&row), None, "something stays");
        let order: Vec<&String> = durable.values().filter(|id| received.contains(id)).collect();
        prop_assert_eq!(&order, &received.iter().collect::<Vec<_>>(), "out of order");
        // What was told and could not be written down may have been given up later: both count it.
        let untold = durable.len() - received.len();
        prop_assert!(untold as u64 <= given_up + lost, "{untold} untold, {given_up} given up, {lost} lost");
    }
}

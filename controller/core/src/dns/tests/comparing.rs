//! One owner's wanted records against the zone.

use super::*;
use crate::dns::{Standing, compare};

fn hello(zone: &Zone, want: Option<&Wanted>) -> Standing {
    compare(&settings(), "example.com", zone, "hello", want)
}

fn differs(zone: &Zone, want: Option<&Wanted>) -> Vec<Change> {
    match hello(zone, want) {
        Standing::Differs(changes) => changes,
        other => panic!("{other:?}"),
    }
}

fn foreign(zone: &Zone, want: Option<&Wanted>) -> String {
    match hello(zone, want) {
        Standing::Foreign(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_absent_record_is_created_with_its_owner() {
    let changes = differs(&Zone::default(), Some(&wanted("hello", 1, "192.0.2.1")));
    assert_eq!(
        changes,
        [Change::Create(a("hello", "192.0.2.1")), Change::Create(txt("hello", "1.1", "192.0.2.1"))]
    );
}

#[test]
fn what_stands_as_wanted_is_left_alone() {
    let zone = Zone::new([a("hello", "192.0.2.1"), txt("hello", "1.1", "192.0.2.1")]);
    assert_eq!(hello(&zone, Some(&wanted("hello", 1, "192.0.2.1"))), Standing::AsWanted);
    assert_eq!(hello(&Zone::default(), None), Standing::AsWanted);
}

#[test]
fn a_new_pair_s_address_is_swapped_in_in_one_go() {
    let (old, owner) = (a("hello", "192.0.2.1"), txt("hello", "1.1", "192.0.2.1"));
    let zone = Zone::new([old.clone(), owner.clone()]);
    let changes = differs(&zone, Some(&wanted("hello", 2, "192.0.2.2")));
    assert_eq!(
        changes,
        [
            Change::Delete(old),
            Change::Delete(owner),
            Change::Create(a("hello", "192.0.2.2")),
            Change::Create(txt("hello", "1.2", "192.0.2.2")),
        ]
    );
}

#[test]
fn what_is_not_wanted_is_withdrawn_with_its_owner() {
    let (old, owner) = (a("hello", "192.0.2.1"), txt("hello", "1.1", "192.0.2.1"));
    let zone = Zone::new([old.clone(), owner.clone()]);
    assert_eq!(differs(&zone, None), [Change::Delete(old), Change::Delete(owner)]);
}

#[test]
fn another_time_to_live_is_swapped_exactly() {
    let mut old = a("hello", "192.0.2.1");
    old.ttl = Some(60);
    let zone = Zone::new([old.clone(), txt("hello", "1.1", "192.0.2.1")]);
    let changes = differs(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
    let owner = txt("hello", "1.1", "192.0.2.1");
    assert_eq!(
        changes,
        [
            Change::Delete(old),
            Change::Create(a("hello", "192.0.2.1")),
            Change::Delete(owner.clone()),
            Change::Create(owner)
        ]
    );
}

#[test]
fn a_record_that_somebody_took_out_is_put_back() {
    let zone = Zone::new([txt("hello", "1.1", "192.0.2.1")]);
    let changes = differs(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
    let owner = txt("hello", "1.1", "192.0.2.1");
    assert_eq!(
        changes,
        [Change::Create(a("hello", "192.0.2.1")), Change::Delete(owner.clone()), Change::Create(owner)]
    );
}

/// The reading may be older than the withdrawal of the claim: a record that is made then would be nobody's.
#[test]
fn no_address_is_made_unless_its_claim_stands_or_comes_with_it() {
    let owner = txt("hello", "1.1", "192.0.2.1");
    let changes = differs(&Zone::new([owner]), Some(&wanted("hello", 1, "192.0.2.1")));
    let now = Zone::default();
    let refused = changes.iter().any(|change| match change {
        Change::Delete(set) => now.get(&set.name, &set.kind) != [set.clone()],
        Change::Create(_) => false,
    });
    assert!(refused, "{changes:?}");
}

#[test]
fn whatever_answers_for_the_name_and_is_not_ours_is_in_the_way() {
    for kind in ["A", "AAAA", "CNAME", "NS"] {
        let zone = Zone::new([set("hello.example.com", kind, &["somewhere"])]);
        let why = foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
        assert!(why.contains(kind) && why.contains("somewhere"), "{why}");
        assert_eq!(hello(&zone, None), Standing::AsWanted, "{kind}");
    }
}

#[test]
fn an_alias_is_in_the_way() {
    let mut alias = set("hello.example.com", "A", &[]);
    (alias.special, alias.ttl) = (true, None);
    assert!(foreign(&Zone::new([alias]), Some(&wanted("hello", 1, "192.0.2.1"))).contains("an alias"));
}

#[test]
fn the_very_address_that_is_wanted_is_foreign_without_its_owner() {
    let zone = Zone::new([a("hello", "192.0.2.1")]);
    foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
}

#[test]
fn a_record_of_ours_that_somebody_changed_is_theirs() {
    let zone = Zone::new([a("hello", "203.0.113.7"), txt("hello", "1.1", "192.0.2.1")]);
    assert!(foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1"))).contains("203.0.113.7"));
    assert_eq!(differs(&zone, None), [Change::Delete(txt("hello", "1.1", "192.0.2.1"))], "only what is ours");
}

#[test]
fn a_record_of_ours_that_somebody_gave_a_second_address_is_theirs() {
    let theirs = set("hello.example.com", "A", &["192.0.2.1", "203.0.113.7"]);
    let zone = Zone::new([theirs, txt("hello", "1.1", "192.0.2.1")]);
    foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
    assert_eq!(differs(&zone, None), [Change::Delete(txt("hello", "1.1", "192.0.2.1"))]);
}

#[test]
fn what_somebody_sets_beside_a_record_of_ours_changes_nothing_for_it() {
    let aaaa = set("hello.example.com", "AAAA", &["2001:db8::1"]);
    let zone = Zone::new([a("hello", "192.0.2.1"), txt("hello", "1.1", "192.0.2.1"), aaaa]);
    assert_eq!(hello(&zone, Some(&wanted("hello", 1, "192.0.2.1"))), Standing::AsWanted);
    assert_eq!(differs(&zone, Some(&wanted("hello", 2, "192.0.2.2"))).len(), 4);
    assert_eq!(differs(&zone, None).len(), 2);
}

#[test]
fn an_owner_that_is_not_this_installation_is_foreign() {
    let other = set(
        "hello._dormouse.example.com",
        "TXT",
        &["\"heritage=dormouse,install=other,service=hello,pair=1.1\"", "\"a=hello.example.com:192.0.2.1\""],
    );
    let prefix = set(
        "hello._dormouse.example.com",
        "TXT",
        &["\"heritage=dormouse,install=test2,service=hello,pair=1.1\""],
    );
    let someone = set("hello._dormouse.example.com", "TXT", &["\"v=spf1 -all\""]);
    for owner in [other, prefix, someone] {
        let zone = Zone::new([a("hello", "192.0.2.1"), owner]);
        foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
        assert_eq!(hello(&zone, None), Standing::AsWanted);
    }
}

#[test]
fn an_owner_of_another_service_proves_nothing() {
    let zone = Zone::new([a("hello", "192.0.2.1"), txt("hello2", "1.1", "192.0.2.1")]);
    foreign(&zone, Some(&wanted("hello", 1, "192.0.2.1")));
}

#[test]
fn other_types_of_the_name_are_not_in_the_way() {
    let zone = Zone::new([
        set("hello.example.com", "MX", &["10 mail"]),
        set("hello.example.com", "TXT", &["\"x\""]),
    ]);
    assert_eq!(differs(&zone, Some(&wanted("hello", 1, "192.0.2.1"))).len(), 2);
}

#[test]
fn several_records_of_one_owner_change_together() {
    let both = |proxy: &str, service: &str| Wanted {
        seen: true,
        pair: PairId { epoch: 1, attempt: 1 },
        address: service.into(),
        records: [
            ("hello.proxy.example.com".to_owned(), vec![proxy.to_owned()]),
            ("hello.service.example.com".to_owned(), vec![service.to_owned()]),
        ]
        .into(),
    };
    let mut zone = Zone::default();
    let groups = |zone: &Zone, want: Option<&Wanted>| {
        vec![Group { owner: "hello".into(), changes: differs(zone, want) }]
    };
    let first = groups(&zone, Some(&both("10.0.0.1", "10.0.1.1")));
    apply(&mut zone, &first);
    assert_eq!(hello(&zone, Some(&both("10.0.0.1", "10.0.1.1"))), Standing::AsWanted);
    let second = groups(&zone, Some(&both("10.0.0.2", "10.0.1.1")));
    assert_eq!(second[0].changes.len(), 4, "one address and the owner: {second:?}");
    apply(&mut zone, &second);
    let last = groups(&zone, None);
    apply(&mut zone, &last);
    assert_eq!(zone.iter().count(), 0);
}

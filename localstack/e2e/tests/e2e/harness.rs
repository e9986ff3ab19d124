//! What the other tests stand on.

use dormouse_e2e::dns::{Record, answering};
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;

#[test]
fn a_world_starts_and_ends_without_a_trace() {
    run(Options::default(), |world| {
        assert!(world.foreign.task.is_running());
        assert_eq!(world.instances(), 0);
        assert_eq!(world.record("www").as_deref(), Some("192.0.2.80"));
        assert!(world.address(0).ends_with(".0.1"));
    });
}

#[test]
fn a_record_of_its_own_beats_the_wildcard() {
    let a = |name: &str, kind: &str, value: &str| Record {
        name: name.into(),
        kind: kind.into(),
        ttl: 1,
        values: vec![value.into()],
    };
    let records = [
        a("*.example.com", "A", "192.0.2.1"),
        a("own.example.com", "A", "192.0.2.2"),
        a("text.example.com", "TXT", "\"x\""),
        a("hello._dormouse.example.com", "TXT", "\"x\""),
    ];
    let leads =
        |name: &str| answering(&records, name).and_then(|record| record.values.first()).map(String::as_str);
    assert_eq!(leads("own.example.com"), Some("192.0.2.2"));
    assert_eq!(leads("hello.example.com"), Some("192.0.2.1"));
    assert_eq!(leads("text.example.com"), None, "any record of a name switches the wildcard off for it");
    assert_eq!(leads("elsewhere.example.net"), None);
}

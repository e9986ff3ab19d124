//! Who is waited for, and when it is there.

use super::*;
use crate::capacity::joining::{has_joined, is_awaited};
use crate::testing::fleet::{arn, group};

fn waiting() -> Demand {
    Demand { waiting: vec![want("hello", 256, 512)], ..Demand::default() }
}

#[test]
fn an_instance_is_awaited_while_it_boots_and_somebody_waits() {
    let booting = group(4).having("i-1", 1).expecting("i-2");
    let joined = group(4).having("i-1", 1).having("i-2", 0);
    let mut leaving = booting.clone();
    leaving.member("i-2").lifecycle = "Terminating:Wait".into();
    for (fleet, demand, after, expected) in [
        (&booting, waiting(), 0, true),
        (&booting, Demand::default(), 0, false),
        (&joined, waiting(), 0, false),
        (&leaving, waiting(), 0, false),
        (&booting, waiting(), 599, true),
        (&booting, waiting(), 600, false),
    ] {
        assert_eq!(is_awaited(fleet, &demand, at(after)), expected, "{fleet:?} {demand:?} after {after} s");
    }
}

#[test]
fn it_has_joined_when_it_is_listed_and_was_not_read() {
    let fleet = group(4).having("i-1", 1).expecting("i-2");
    assert!(!has_joined(&fleet, &[]), "the one that was read has gone");
    assert!(!has_joined(&fleet, &[arn("i-1")]));
    assert!(has_joined(&fleet, &[arn("i-1"), arn("i-2")]));
}

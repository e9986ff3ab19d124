//! What is remembered of a launch that failed.

use super::*;
use crate::testing::fleet::group;
use dormouse_state::Lack;

/// One instance is desired, and there is none.
fn short() -> Fleet {
    let mut fleet = group(5);
    fleet.group.desired = 1;
    fleet
}

fn failing() -> Fleet {
    Fleet { launch_failure: Some("InsufficientInstanceCapacity".into()), ..short() }
}

fn after(first: &Fleet, then: &Fleet, seconds: i64) -> (Option<Lack>, Vec<&'static str>) {
    let memory = planned(&waiting(1), first, &CapacityMemory::default(), 0).memory;
    let plan = planned(&waiting(1), then, &memory, seconds);
    (plan.memory.lack, rooms(&plan.placement))
}

#[test]
fn between_two_tries_of_the_group_it_is_still_the_reason() {
    let (lack, rooms) = after(&failing(), &short(), 299);
    assert_eq!(lack.map(|lack| lack.at), Some(at(0)));
    assert_eq!(rooms, ["LaunchFailed"]);
}

#[test]
fn it_is_forgotten_when_an_instance_starts_none_is_missing_or_it_is_long_ago() {
    let mut starting = short().expecting("i-a");
    starting.member("i-a").lifecycle = "Pending".into();
    for (then, seconds) in [(starting, 1), (group(5), 1), (short(), 300)] {
        let (lack, rooms) = after(&failing(), &then, seconds);
        assert_eq!((lack, rooms), (None, vec!["ScalingUp"]), "{then:?} after {seconds} s");
    }
}

#[test]
fn one_that_goes_on_is_written_down_once_a_minute() {
    for (seconds, expected) in [(59, 0), (60, 60)] {
        let (lack, _) = after(&failing(), &failing(), seconds);
        assert_eq!(lack.map(|lack| lack.at), Some(at(expected)));
    }
}

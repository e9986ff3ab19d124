//! Who has room where.

use super::*;
use crate::capacity::Room;
use crate::capacity::processor::is_in_doubt;
use crate::testing::fleet::{arn, group};
use dormouse_manifests::Architecture;
use dormouse_state::Removal;
use std::collections::BTreeMap;

#[test]
fn the_fullest_instance_first() {
    let fleet = group(5).having("i-a", 0).having("i-b", 2).having("i-c", 1);
    let placement = placed(&waiting(2), &fleet);
    assert_eq!(rooms(&placement), ["Yes", "Yes"]);
    assert_eq!(placement.nominated, ["i-b".to_owned(), "i-c".to_owned()].into());
}

#[test]
fn the_number_of_tasks_is_a_limit() {
    let placement = placed(&waiting(1), &group(1).having("i-a", 3));
    assert_eq!(rooms(&placement), ["AtMaximum"]);
}

#[test]
fn cpu_and_memory_are_limits() {
    for (cpu, memory) in [(4000, 100), (100, 15_900)] {
        let demand = Demand { waiting: vec![want("big", cpu, memory)], ..Demand::default() };
        assert_eq!(rooms(&placed(&demand, &group(1).having("i-a", 1))), ["AtMaximum"]);
        assert_eq!(rooms(&placed(&demand, &group(1).having("i-a", 0))), ["Yes"]);
    }
}

#[test]
fn what_fits_no_instance_is_told_so_and_starts_none() {
    let demand = Demand { waiting: vec![want("huge", 5000, 100)], ..Demand::default() };
    let placement = placed(&demand, &group(5).having("i-a", 0));
    assert_eq!((rooms(&placement), placement.grow), (vec!["TooLarge"], 0));
    let Room::No { message, .. } = &placement.rooms["huge"] else { panic!() };
    assert!(message.contains("5000") && message.contains("4096"), "{message}");
}

#[test]
fn a_task_is_placed_on_instances_of_its_processor_alone() {
    use Architecture::{Arm64, X86_64};
    // What the instances i-a and i-b are, the service's processor and the installation's; where it goes, and growth.
    type Row = ([Option<Architecture>; 2], Option<Architecture>, Option<Architecture>, &'static str, u32);
    let table: [Row; 7] = [
        ([None, None], Some(Arm64), None, "Yes", 0),
        ([Some(X86_64), Some(X86_64)], None, None, "Yes", 0),
        ([Some(X86_64), Some(X86_64)], Some(X86_64), Some(Arm64), "Yes", 0),
        ([Some(X86_64), Some(Arm64)], Some(Arm64), None, "Yes", 0),
        ([Some(X86_64), Some(X86_64)], Some(Arm64), None, "WrongArchitecture", 0),
        ([Some(X86_64), Some(X86_64)], None, Some(Arm64), "WrongArchitecture", 0),
        ([Some(X86_64), None], Some(Arm64), None, "Yes", 0),
    ];
    for (are, own, of_all, expected, grow) in table {
        let mut fleet = group(5).having("i-a", 1).having("i-b", 0);
        (fleet.instance("i-a").architecture, fleet.instance("i-b").architecture) = (are[0], are[1]);
        let demand =
            Demand { waiting: vec![Want { architecture: own, ..want("s", 288, 544) }], ..Demand::default() };
        let settings = Settings { architecture: of_all, ..Settings::example() };
        let placement = place(&settings, &demand, &fleet, &CapacityMemory::default(), &BTreeMap::new());
        assert_eq!((rooms(&placement), placement.grow), (vec![expected], grow), "{are:?} {own:?} {of_all:?}");
        if are == [Some(X86_64), Some(Arm64)] {
            assert_eq!(placement.nominated, ["i-b".to_owned()].into(), "not the fuller one");
        }
    }
}

#[test]
fn none_is_started_for_a_processor_that_the_group_does_not_launch() {
    use Architecture::{Arm64, X86_64};
    // What the group launches, the service's processor, and what has joined; the answer, and growth.
    type Row = (Option<Architecture>, Option<Architecture>, Option<Architecture>, &'static str, u32);
    let table: [Row; 8] = [
        (Some(X86_64), Some(Arm64), None, "WrongArchitecture", 0),
        (Some(Arm64), Some(Arm64), None, "ScalingUp", 1),
        (Some(X86_64), None, None, "ScalingUp", 1),
        (None, Some(Arm64), None, "ScalingUp", 1),
        // One of the right kind is left from before.
        (Some(X86_64), Some(Arm64), Some(Arm64), "Yes", 0),
        // One of the wrong kind is left from before.
        (Some(Arm64), Some(Arm64), Some(X86_64), "ScalingUp", 1),
        (None, Some(Arm64), Some(X86_64), "WrongArchitecture", 0),
        (Some(X86_64), Some(Arm64), Some(X86_64), "WrongArchitecture", 0),
    ];
    for (launches, own, joined, expected, grow) in table {
        let mut fleet = group(5);
        if joined.is_some() {
            fleet = fleet.having("i-a", 0);
            fleet.instance("i-a").architecture = joined;
        }
        fleet.launches = launches;
        let demand =
            Demand { waiting: vec![Want { architecture: own, ..want("s", 288, 544) }], ..Demand::default() };
        let placement = placed(&demand, &fleet);
        assert_eq!(
            (rooms(&placement), placement.grow),
            (vec![expected], grow),
            "{launches:?} {own:?} {joined:?}"
        );
    }
}

#[test]
fn instances_that_are_full_are_no_reason_to_start_others_in_vain() {
    use Architecture::{Arm64, X86_64};
    let mut fleet = group(5).having("i-a", 3).having("i-b", 0);
    (fleet.instance("i-a").architecture, fleet.instance("i-b").architecture) = (Some(X86_64), Some(Arm64));
    fleet.launches = Some(Arm64);
    let demand = Demand {
        waiting: vec![Want { architecture: Some(X86_64), ..want("s", 288, 544) }],
        ..Demand::default()
    };
    let placement = placed(&demand, &fleet);
    assert_eq!((rooms(&placement), placement.grow), (vec!["WrongArchitecture"], 0));
}

#[test]
fn what_the_group_launches_is_read_anew_only_where_it_decides() {
    use Architecture::{Arm64, X86_64};
    // What it launched when it was read, the installation's processor, that of who waits, what has joined.
    type Row = (
        Option<Architecture>,
        Option<Architecture>,
        Option<Option<Architecture>>,
        Option<Architecture>,
        bool,
    );
    let table: [Row; 9] = [
        (Some(X86_64), None, None, Some(X86_64), false),
        (Some(X86_64), None, None, Some(Arm64), false),
        (Some(X86_64), None, Some(Some(X86_64)), Some(X86_64), false),
        (Some(X86_64), None, Some(Some(Arm64)), None, true),
        (Some(X86_64), Some(Arm64), Some(None), None, true),
        // It was given another image: what has joined since shows it.
        (Some(X86_64), None, Some(Some(X86_64)), Some(Arm64), true),
        // Nobody minds.
        (Some(X86_64), None, Some(None), Some(Arm64), false),
        (None, None, Some(Some(Arm64)), Some(X86_64), false),
        (None, Some(X86_64), Some(Some(Arm64)), None, false),
    ];
    for (launches, of_all, waits, joined, expected) in table {
        let mut fleet = group(5).having("i-a", 0);
        fleet.instance("i-a").architecture = joined;
        fleet.launches = launches;
        let waiting = waits.map(|architecture| Want { architecture, ..want("s", 288, 544) });
        let demand = Demand { waiting: waiting.into_iter().collect(), ..Demand::default() };
        let settings = Settings { architecture: of_all, ..Settings::example() };
        let found = is_in_doubt(&settings, &demand, &fleet);
        assert_eq!(found, expected, "{launches:?} {of_all:?} {waits:?} {joined:?}");
    }
}

#[test]
fn an_instance_of_any_kind_will_do() {
    let mut fleet = group(5).having("i-a", 3).having("i-b", 0);
    fleet.instance("i-a").registered = Resources { cpu: 100, memory: 32_000 };
    let demand = Demand { waiting: vec![want("s", 4000, 1000)], ..Demand::default() };
    fleet.instance("i-b").remaining = Resources::default();
    assert_eq!(rooms(&placed(&demand, &fleet)), ["ScalingUp"], "i-b would do, if it were empty");
}

#[test]
fn no_room_on_instances_that_take_nothing() {
    let disable: [fn(&mut Fleet); 3] = [
        |fleet| fleet.instance("i-a").connected = false,
        |fleet| fleet.instance("i-a").active = false,
        |fleet| fleet.member("i-a").lifecycle = "Terminating:Wait".into(),
    ];
    for change in disable {
        let mut fleet = group(5).having("i-a", 0);
        change(&mut fleet);
        let placement = placed(&waiting(1), &fleet);
        assert_eq!((rooms(&placement), placement.nominated.len()), (vec!["ScalingUp"], 0));
    }
}

#[test]
fn an_instance_that_ecs_calls_full_is_not_counted_on() {
    let fleet = group(5).having("i-a", 0);
    let demand = waiting(1);
    let Resources { cpu, memory } = demand.waiting[0].resources;
    for (refused, room) in [
        (Resources::default(), "ScalingUp"),
        (Resources { cpu, memory }, "ScalingUp"),
        // For what is smaller there may be room.
        (Resources { cpu: cpu + 1, memory }, "Yes"),
        (Resources { cpu, memory: memory + 1 }, "Yes"),
    ] {
        let full = [(arn("i-a"), refused)].into();
        let placement = place(&Settings::example(), &demand, &fleet, &CapacityMemory::default(), &full);
        assert_eq!(
            (rooms(&placement), placement.grow),
            (vec![room], u32::from(room != "Yes")),
            "{refused:?}"
        );
    }
}

#[test]
fn what_was_placed_since_the_fleet_was_read_is_counted() {
    let resources = Resources { cpu: 4000, memory: 1000 };
    let demand = Demand { placed_since: vec![(arn("i-a"), resources)], ..waiting(1) };
    let placement = placed(&demand, &group(5).having("i-a", 0));
    assert_eq!((rooms(&placement), placement.grow), (vec!["ScalingUp"], 1));
}

#[test]
fn tasks_that_ecs_does_not_count_yet_are_counted() {
    let demand = Demand { occupied: [(arn("i-a"), 3)].into(), ..waiting(1) };
    assert_eq!(rooms(&placed(&demand, &group(1).having("i-a", 1))), ["AtMaximum"]);
}

#[test]
fn a_draining_instance_is_called_back() {
    let memory = |terminate: Option<i64>| CapacityMemory {
        removals: [(
            "i-a".to_owned(),
            Removal { intended_at: at(0), draining_at: Some(at(1)), terminate_at: terminate.map(at) },
        )]
        .into(),
        ..CapacityMemory::default()
    };
    let fleet = group(5).having("i-a", 0).drained("i-a");
    let run = |memory| place(&Settings::example(), &waiting(1), &fleet, &memory, &BTreeMap::new());
    let placement = run(memory(None));
    assert_eq!((rooms(&placement), placement.grow), (vec!["ScalingUp"], 0));
    assert_eq!(placement.recalled, ["i-a".to_owned()].into());
    let placement = run(memory(Some(16)));
    assert_eq!((placement.recalled.len(), placement.grow), (0, 1), "nobody waits for what is terminated");
}

#[test]
fn an_instance_that_somebody_else_drains_is_not_called_back() {
    let placement = placed(&waiting(1), &group(5).having("i-a", 0).drained("i-a"));
    assert_eq!((placement.recalled.len(), placement.grow), (0, 1));
}

#[test]
fn at_the_maximum_the_place_of_one_that_is_terminated_is_waited_for() {
    let removal = Removal { intended_at: at(0), draining_at: Some(at(1)), terminate_at: Some(at(16)) };
    let memory =
        CapacityMemory { removals: [("i-a".to_owned(), removal)].into(), ..CapacityMemory::default() };
    let fleet = group(1).having("i-a", 0).drained("i-a");
    let placement = place(&Settings::example(), &waiting(1), &fleet, &memory, &BTreeMap::new());
    assert_eq!(rooms(&placement), ["ScalingUp"]);
}

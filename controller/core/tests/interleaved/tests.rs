//! What holds, and that it would be noticed if it did not.

use crate::controller::Broken;
use crate::group::{Group, Left};
use crate::scenarios::SCENARIOS;
use crate::search::{Report, search};
use crate::world::World;

/// As deep as is bearable with every change; `DORMOUSE_DEPTH` asks for more.
const DEPTH: usize = 10;

fn depth() -> usize {
    // Whoever runs a test may want to know more: there is no configuration to go through.
    #[allow(clippy::disallowed_methods)]
    let named = std::env::var("DORMOUSE_DEPTH");
    named.ok().and_then(|text| text.parse().ok()).unwrap_or(DEPTH)
}

/// Every order of what may happen in a scenario.
fn holds(name: &str) {
    let (_, start) = SCENARIOS.iter().find(|(known, _)| *known == name).unwrap();
    let Report { worlds, moves, levels, violation } = search(start(), depth());
    println!("{name}: depth {}, {worlds} worlds, {moves} moves, {levels:?}", depth());
    if let Some(violation) = violation {
        panic!("{name}\n{violation}");
    }
}

macro_rules! hold {
    ($($test:ident: $name:literal,)+) => {
        $(#[test]
        fn $test() {
            holds($name);
        })+

        #[test]
        fn every_scenario_is_searched() {
            let searched = [$($name),+];
            assert_eq!(SCENARIOS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), searched);
        }
    };
}

hold! {
    a_wake: "a wake",
    an_answer_is_lost: "a wake, an answer is lost",
    one_crashes: "a wake, one crashes",
    taken_back: "a wake that is taken back",
    tasks_show_late: "a wake, tasks show late",
    a_takeover: "a takeover in the middle of a wake",
    a_sleep: "a sleep",
    a_request_comes: "a sleep, a request comes",
    the_record_is_gone: "a sleep, the record is gone",
    a_wake_while_it_drains: "a wake while it drains",
    the_proxy_dies: "the proxy dies",
    the_service_dies: "the service dies",
}

/// Where searches of a group of instances begin.
fn groups() -> [(&'static str, Group); 5] {
    let left = Left { wants: 0, ends: 0, leads: 1, losses: 0, passes: 0 };
    [
        ("one waits, then another", Group::empty(Left { wants: 2, losses: 1, ..left })),
        ("two wait, nothing is protected", Group::bare(Left { wants: 2, ..left })),
        ("another waits, one ends", Group::of(1, Left { wants: 1, ends: 1, passes: 1, ..left })),
        ("one too many, and one comes", Group::shrinking(Left { wants: 1, passes: 1, ..left })),
        ("one too many, an answer is lost", Group::shrinking(Left { losses: 1, passes: 2, ..left })),
    ]
}

#[test]
fn a_group_of_instances_holds() {
    for (name, start) in groups() {
        let Report { worlds, moves, levels, violation } = search(start, depth());
        println!("{name}: depth {}, {worlds} worlds, {moves} moves, {levels:?}", depth());
        if let Some(violation) = violation {
            panic!("{name}\n{violation}");
        }
    }
}

/// The first of all scenarios in which something is found.
fn found(change: impl Fn(&mut World), depth: usize) -> Option<(&'static str, String)> {
    SCENARIOS.iter().find_map(|(name, start)| {
        let mut world = start();
        change(&mut world);
        let violation = search(world, depth).violation?;
        println!("{name}\n{violation}");
        Some((violation.id, violation.to_string()))
    })
}

#[test]
fn a_shell_that_is_wrong_is_found() {
    let broken = [
        (Broken::LastWriteWins, "S10"),
        (Broken::ActsOnConflict, "S15"),
        (Broken::Unfenced, "S11"),
        (Broken::BeforeListing, "S13"),
    ];
    for (broken, id) in broken {
        let found = found(|world| world.broken = broken, 8);
        assert_eq!(found.map(|(id, _)| id), Some(id), "{broken:?}");
    }
}

/// Faults in the plan of the capacity, by whichever beginning brings them to light.
#[cfg(feature = "mutants")]
#[test]
fn planted_faults_of_a_group_are_found() {
    use dormouse_state::planted::{Fault::*, plant};
    let planted = [
        (AboveMaximum, "S8"),
        (ScaleInByDesired, "S8"),
        (ZeroUntilPlaced, "S8"),
        (Unprotected, "S9"),
        (NoDraining, "S7"),
        (KillsBusy, "S7"),
        (LastWriteWins, "S7"),
    ];
    for (fault, id) in planted {
        let found = groups().into_iter().find_map(|(name, start)| {
            plant(Some(fault));
            let violation = search(start, DEPTH).violation;
            plant(None);
            println!("{fault:?}: {name}: {}", violation.as_ref().map_or("-".into(), ToString::to_string));
            Some(violation?.id)
        });
        assert_eq!(found, Some(id), "{fault:?}");
    }
}

/// Faults in the planners themselves, each in the scenario that brings it to light.
#[cfg(feature = "mutants")]
#[test]
fn planted_faults_are_found() {
    use dormouse_state::planted::{Fault::*, plant};
    let planted = [
        (PrefixMatch, "a sleep", "S6"),
        (ServiceBeforeProxy, "a sleep, the record is gone", "S5"),
        (WakeRevives, "a sleep, the record is gone", "S10"),
        (BelievesWithdrawal, "a sleep", "S3"),
        (NoOwnership, "a wake", "S2"),
        (FenceIgnored, "a wake", "S11"),
        (LastWriteWins, "a wake", "S10"),
        (MissingIsGone, "a wake, tasks show late", "S13"),
        (UnansweredNeverRan, "a wake that is taken back", "S13"),
        (BeforeListing, "a wake, one crashes", "S13"),
    ];
    let missed: Vec<_> = planted
        .into_iter()
        .filter(|(fault, name, id)| {
            let (_, start) = SCENARIOS.iter().find(|(known, _)| known == name).unwrap();
            let start = start();
            plant(Some(*fault));
            let violation = search(start, DEPTH).violation;
            plant(None);
            println!("{fault:?}: {name}: {}", violation.as_ref().map_or("-".into(), ToString::to_string));
            violation.is_none_or(|violation| violation.id != *id)
        })
        .collect();
    assert_eq!(missed, []);
}

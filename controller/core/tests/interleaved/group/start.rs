//! Where searches begin.

use super::moves::Move;
use super::truth::Truth;
use super::{Group, Left, Planner, Row};
use crate::part::Part;
use crate::search::Space;
use dormouse_core::observed::Fleet;
use dormouse_state::CapacityMemory;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl Group {
    /// An empty group of at most two instances; A leads, and nobody has read anything.
    pub fn empty(left: Left) -> Group {
        let mut fleet = Fleet::default();
        fleet.group.max = 2;
        let truth = Truth {
            fleet,
            waiting: BTreeSet::new(),
            on: BTreeMap::new(),
            draining: BTreeMap::new(),
            launched: 0,
            protects: true,
        };
        let row = Row { memory: CapacityMemory::default(), version: 1, fence: 0 };
        let planner = || Part::new(Planner::default());
        let mut group = Group {
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            lease: 0,
            truth: Part::new(truth),
            row: Part::new(row),
            planners: [planner(), planner()],
            left: Left { leads: 1, ..left },
        };
        group.go(Move::Lead(0));
        group.left.leads = left.leads;
        for who in [0, 1] {
            group.reads(who);
        }
        group
    }

    /// The same, and the group protects nothing by itself.
    pub fn bare(left: Left) -> Group {
        let mut group = Group::empty(left);
        group.truth.change(|truth| truth.protects = false);
        group
    }

    /// The same with so many instances, of which the first runs a task; both know it.
    pub fn of(instances: u8, left: Left) -> Group {
        let mut group = Group::empty(left);
        group.truth.change(|truth| {
            for _ in 0..instances {
                truth.launch();
            }
            truth.fleet.group.desired = u32::from(instances);
            truth.load("instance/1", true);
            truth.on.insert(0, "instance/1".into());
        });
        for who in [0, 1] {
            group.reads(who);
        }
        group
    }

    /// The same, and A has written that an instance of it is to go.
    pub fn shrinking(left: Left) -> Group {
        let mut group = Group::of(2, Left { passes: 1, ..left });
        group.go(Move::Plan(0)).go(Move::Pass).reads(0);
        group.go(Move::Plan(0)).reads(1);
        Group { left, ..group }
    }

    fn go(&mut self, one: Move) -> &mut Group {
        let (next, wrong) = self.tried(&one);
        assert_eq!(wrong, None, "{one}");
        *self = next;
        self
    }

    fn reads(&mut self, who: usize) {
        self.go(Move::ReadFleet(who)).go(Move::ReadDemand(who)).go(Move::ReadRow(who));
    }
}

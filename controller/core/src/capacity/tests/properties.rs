//! Whatever a fleet looks like: never lowered, never above the maximum, nothing busy or nominated removed.

use super::*;
use crate::capacity::Step;
use crate::observed::{Group, Instance, Member};
use crate::testing::fleet::arn;
use dormouse_state::Removal;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LIFECYCLES: [&str; 6] =
    ["InService", "InService", "Pending", "Terminating:Wait", "Detached", "Warmed:Stopped"];

/// An instance as it may be found, and what is remembered of its removal.
fn machine() -> impl Strategy<Value = (u8, u32, bool, bool, Option<Removal>, u8)> {
    let removal = prop::option::of((0..200i64, prop::option::of(0..200i64), prop::option::of(0..200i64)));
    let removal = removal.prop_map(|removal| {
        removal.map(|(intended, draining, terminate)| Removal {
            intended_at: at(intended),
            draining_at: draining.map(at),
            terminate_at: terminate.map(at),
        })
    });
    (0..LIFECYCLES.len() as u8, 0..4u32, any::<bool>(), any::<bool>(), removal, 0..3u8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn safe_whatever_is_found(
        machines in prop::collection::vec(machine(), 0..8),
        waiting_count in 0..8usize,
        extra in 0..3u32,
        max in 0..12u32,
        min in 0..3u32,
        target in prop::option::of(0..12u32),
        occupied in 0..8u8,
        headroom in 0..6u32,
        slot in prop::option::of((0..3000u32, 0..3000u32)),
    ) {
        let mut fleet = Fleet::default();
        let mut memory = CapacityMemory { target, ..CapacityMemory::default() };
        let mut demand = waiting(waiting_count);
        demand.slot = slot.map(|(cpu, memory)| Resources { cpu, memory });
        let planned = |demand: &Demand, fleet: &Fleet, memory: &CapacityMemory| {
            let settings = Settings { headroom, ..Settings::example() };
            plan(&settings, demand, fleet, memory, &BTreeMap::new(), at(1000))
        };
        for (n, (lifecycle, tasks, active, connected, removal, joined)) in machines.into_iter().enumerate() {
            let id = format!("i-{n}");
            let lifecycle = LIFECYCLES[usize::from(lifecycle)];
            fleet.group.members.push(Member { ec2_id: id.clone(), lifecycle: lifecycle.into(), protected: n % 2 == 0 });
            if joined > 0 {
                let registered = Resources { cpu: 2048, memory: 4096 };
                let remaining = registered.minus(Resources { cpu: 300 * tasks, memory: 600 * tasks });
                let (arn, status) = (arn(&id), String::new());
                fleet.instances.push(Instance { architecture: None, arn, ec2_id: id.clone(), active, status, connected, registered, remaining, tasks });
            }
            if occupied & (1 << (n % 8)) != 0 && n % 3 == 0 {
                demand.occupied.insert(arn(&id), 1);
            }
            memory.removals.extend(removal.map(|removal| (id.clone(), removal)));
            memory.empty_since.insert(id, at(0));
        }
        let staying = fleet.group.members.iter().filter(|member| member.is_part()).count() as u32;
        let group = Group { min, max, desired: staying + extra, members: std::mem::take(&mut fleet.group.members) };
        fleet.group = group;

        let before = memory.clone();
        let plan = planned(&demand, &fleet, &memory);
        let busy = |instance: &Instance| instance.tasks > 0 || demand.occupied.contains_key(&instance.arn);
        for step in &plan.steps {
            match step {
                Step::SetDesired(n) => {
                    prop_assert!(*n > fleet.group.desired && *n <= max, "S8");
                    prop_assert!(*n >= target.unwrap_or(0).min(max), "S8: another asked for more");
                    prop_assert_eq!(plan.memory.target, Some(*n), "S15");
                }
                Step::Terminate(id) => {
                    prop_assert!(plan.memory.removals[id].terminate_at.is_some(), "S15");
                    prop_assert!(!plan.placement.nominated.contains(id), "S7: nominated");
                    prop_assert!(fleet.group.members.iter().any(|member| member.ec2_id == *id && member.is_part()));
                    let instance = fleet.instances.iter().find(|instance| instance.ec2_id == *id);
                    prop_assert!(!instance.is_some_and(|instance| instance.active || busy(instance)), "S7: busy");
                    let drained = plan.memory.removals[id].draining_at.unwrap();
                    prop_assert!(drained <= at(985), "S7: DRAINING since {drained}");
                }
                Step::Drain(arns) => {
                    for instance in fleet.instances.iter().filter(|instance| arns.contains(&instance.arn)) {
                        prop_assert!(plan.memory.removals.contains_key(&instance.ec2_id), "S15");
                        prop_assert!(!busy(instance) && !plan.placement.nominated.contains(&instance.ec2_id));
                    }
                }
                Step::Activate(_) => {}
                Step::Protect(ids) => {
                    for id in ids {
                        prop_assert!(!plan.memory.removals.contains_key(id), "S9");
                    }
                }
            }
        }
        let fresh = plan.memory.removals.keys().filter(|id| !before.removals.contains_key(*id)).count();
        prop_assert!(fresh <= 1, "S14: {fresh} removals begin at once");
        for (id, removal) in &plan.memory.removals {
            let known = before.removals.get(id).and_then(|known| known.terminate_at);
            let refused = fleet.group.desired <= fleet.group.min && known.is_some_and(|asked| asked < at(935));
            prop_assert!(known.is_none() || refused || removal.terminate_at.is_some(), "there is no way back");
        }
        prop_assert_eq!(plan.placement.rooms.len(), waiting_count, "everybody is told");
        // An instance whose removal is taken back is one to be placed on again: that takes a second look.
        let again = planned(&demand, &fleet, &plan.memory);
        let third = planned(&demand, &fleet, &again.memory);
        prop_assert_eq!(third.memory, again.memory, "it settles");
    }
}

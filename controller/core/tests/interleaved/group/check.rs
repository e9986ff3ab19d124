//! What must hold: S7 to S9.

use super::{Group, SETTINGS, STEP};
use crate::search::Wrong;
use dormouse_core::capacity::{self, Plan, Step};
use dormouse_core::intent::{later, since};
use dormouse_core::observed::Fleet;
use std::collections::BTreeSet;

impl Group {
    /// S8: no capacity above the maximum is asked for; and none below what is desired, unless it is soon asked for again,
    /// by whoever plans then: a call that another's overtook cannot be held back.
    pub(super) fn desires(&self, desired: u32) -> Option<Wrong> {
        let group = &self.truth.fleet.group;
        if desired > group.max {
            return Some(("S8", format!("{desired} are desired, and there may be {}", group.max)));
        }
        let is_needed = !self.truth.waiting.is_empty() || self.truth.there() >= group.desired;
        if desired >= group.desired || !is_needed {
            return None;
        }
        let mut fleet = self.truth.fleet.clone();
        fleet.group.desired = desired;
        let (mut memory, mut now) = (self.row.memory.clone(), self.now);
        // At once; or when what was asked for is looked up no more, and what runs is.
        for _ in 0..3 {
            let demand = self.truth.demand(now);
            let plan = capacity::plan(&SETTINGS, &demand, &fleet, &memory, &Default::default(), now);
            let asked = plan.steps.iter().rev().find_map(|step| match step {
                Step::SetDesired(again) => Some(*again),
                _ => None,
            });
            if asked >= Some(group.desired) {
                return None;
            }
            // Only what is protected counts as what is to run.
            fleet.group.members.iter_mut().for_each(|member| member.protected = true);
            memory = plan.memory;
            now = later(now, STEP * 2);
        }
        Some(("S8", format!("{desired} are desired instead of {}, for good", group.desired)))
    }

    /// S7: what is terminated has drained for long enough, and nothing runs there.
    pub(super) fn terminates(&self, id: &str) -> Option<Wrong> {
        if !self.truth.is_part(id) {
            return None;
        }
        let drained =
            self.truth.draining.get(id).is_some_and(|at| since(self.now, *at) >= SETTINGS.drain_wait);
        if !drained {
            return Some(("S7", format!("{id} is terminated and has not drained")));
        }
        let service = self.truth.busy(id)?;
        Some(("S7", format!("{id} is terminated and runs service {service}")))
    }
}

/// S9: what is seen in service, and is not to go, gets its protection.
pub(super) fn leaves_bare(fleet: &Fleet, plan: &Plan) -> Option<Wrong> {
    let protected = plan.steps.iter().flat_map(|step| match step {
        Step::Protect(ids) => ids.as_slice(),
        _ => &[],
    });
    let protected: BTreeSet<&String> = protected.collect();
    let stays = |id: &String| !plan.memory.removals.contains_key(id);
    let mut members = fleet.group.members.iter().filter(|member| member.lifecycle == "InService");
    let bare = members.find(|it| !it.protected && stays(&it.ec2_id) && !protected.contains(&it.ec2_id))?;
    Some(("S9", format!("{} is in service, and is not protected", bare.ec2_id)))
}

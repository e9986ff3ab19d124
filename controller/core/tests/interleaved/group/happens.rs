//! What comes of a move.

use super::check::leaves_bare;
use super::moves::Move;
use super::truth::Truth;
use super::{Group, Row, SETTINGS, STEP};
use crate::part::Part;
use crate::search::Wrong;
use dormouse_core::capacity::{self, Step};
use dormouse_core::intent::later;
use dormouse_core::redate;
use dormouse_state::admit;
use std::collections::BTreeMap;

impl Group {
    pub(super) fn happens(&mut self, one: &Move) -> Option<Wrong> {
        match one {
            Move::ReadFleet(who) => {
                let fleet = self.truth.fleet.clone();
                self.planners[*who].change(|own| own.fleet = Some(fleet));
            }
            Move::ReadDemand(who) => {
                let demand = self.truth.demand(self.now);
                self.planners[*who].change(|own| own.demand = demand);
            }
            Move::ReadRow(who) => {
                let read = (redate::capacity(&self.row.memory, self.now), self.row.version);
                self.planners[*who].change(|own| own.row = Some(read));
            }
            Move::Plan(who) => return self.plan(*who),
            Move::Call(who, lost) => {
                self.left.losses -= u8::from(*lost);
                let step = self.planners[*who].change(|own| own.steps.remove(0));
                if *lost {
                    // What follows waits for the next plan.
                    self.planners[*who].change(|own| own.steps.clear());
                }
                return self.call(*who, step, *lost);
            }
            Move::Lead(who) => {
                self.left.leads -= 1;
                self.lease += 1;
                let epoch = self.lease;
                self.planners[*who].change(|own| own.epoch = Some(epoch));
            }
            Move::Want => {
                self.left.wants -= 1;
                self.truth.change(|truth| {
                    let service = u8::try_from(truth.waiting.len() + truth.on.len()).unwrap();
                    truth.waiting.insert(service);
                });
            }
            Move::Place(service) => self.truth.change(|truth| {
                if let Some(arn) = truth.free().map(|instance| instance.arn.clone()) {
                    truth.load(&arn, true);
                    truth.waiting.remove(service);
                    truth.on.insert(*service, arn);
                }
            }),
            Move::End(service) => {
                self.left.ends -= 1;
                self.truth.change(|truth| {
                    if let Some(arn) = truth.on.remove(service) {
                        truth.load(&arn, false);
                    }
                });
            }
            Move::Launch => self.truth.change(Truth::launch),
            Move::ScaleIn(id) => {
                let busy = self.truth.busy(id);
                self.truth.change(|truth| truth.gone(id));
                return busy
                    .map(|service| ("S9", format!("the group ends {id}, which runs service {service}")));
            }
            Move::Pass => {
                self.left.passes -= 1;
                self.now = later(self.now, STEP);
                // No call is under way for so long.
                for planner in self.planners.iter_mut().filter(|own| !own.steps.is_empty()) {
                    planner.change(|own| own.steps.clear());
                }
            }
        }
        None
    }

    pub(super) fn plan(&mut self, who: usize) -> Option<Wrong> {
        let (memory, version) = self.planners[who].row.clone()?;
        // What is on its way out is looked at anew, right before the next step.
        if !memory.removals.is_empty() {
            let fleet = self.truth.fleet.clone();
            self.planners[who].change(|own| own.fleet = Some(fleet));
        }
        let own = &self.planners[who];
        let fleet = own.fleet.as_ref()?;
        let plan = capacity::plan(&SETTINGS, &own.demand, fleet, &memory, &BTreeMap::new(), self.now);
        let wrong = leaves_bare(fleet, &plan);
        if plan.memory != memory {
            let held = (self.row.version, self.row.fence);
            match admit("group", held, version, own.epoch) {
                Ok(fence) => {
                    let version = held.0 + 1;
                    let memory = plan.memory;
                    self.row = Part::new(Row { memory: memory.clone(), version, fence });
                    self.planners[who].change(|own| own.row = Some((memory, version)));
                }
                Err(_) => return self.happens(&Move::ReadRow(who)),
            }
        }
        if !plan.steps.is_empty() {
            self.planners[who].change(|own| own.steps = plan.steps);
        }
        wrong
    }

    pub(super) fn call(&mut self, who: usize, step: Step, lost: bool) -> Option<Wrong> {
        let wrong = match &step {
            Step::SetDesired(desired) => self.desires(*desired),
            Step::Terminate(id) => self.terminates(id),
            _ => None,
        };
        let now = self.now;
        self.truth.change(|truth| match &step {
            Step::SetDesired(desired) => truth.fleet.group.desired = *desired,
            Step::Protect(ids) => {
                for member in truth.fleet.group.members.iter_mut().filter(|it| ids.contains(&it.ec2_id)) {
                    member.protected = true;
                }
            }
            Step::Drain(arns) | Step::Activate(arns) => {
                let active = matches!(step, Step::Activate(_));
                for instance in truth.fleet.instances.iter_mut().filter(|it| arns.contains(&it.arn)) {
                    instance.active = active;
                    instance.status = if active { "ACTIVE" } else { "DRAINING" }.into();
                    if active {
                        truth.draining.remove(&instance.ec2_id);
                    } else {
                        truth.draining.entry(instance.ec2_id.clone()).or_insert(now);
                    }
                }
            }
            Step::Terminate(id) => {
                if truth.is_part(id) {
                    truth.gone(id);
                    truth.fleet.group.desired = truth.fleet.group.desired.saturating_sub(1);
                }
            }
        });
        if let (Step::SetDesired(desired), false) = (&step, lost) {
            self.planners[who].change(|own| {
                let group = own.fleet.as_mut().map(|fleet| &mut fleet.group);
                group.into_iter().for_each(|group| group.desired = group.desired.max(*desired));
            });
        }
        wrong
    }
}

//! What may happen next.

use super::Group;
use crate::search::{Space, Wrong};
use std::fmt;

/// Something that happens; `usize`: to which controller.
#[derive(Debug, Clone)]
pub enum Move {
    ReadFleet(usize),
    /// The table's rows and the tasks: who waits, and what runs where.
    ReadDemand(usize),
    ReadRow(usize),
    /// It plans, and writes what is to be remembered.
    Plan(usize),
    /// The next step; its answer arrives or is lost.
    Call(usize, bool),
    Lead(usize),
    /// One more service waits for an instance.
    Want,
    /// A service that waits gets its place.
    Place(u8),
    /// A task ends.
    End(u8),
    /// The group launches an instance, which joins.
    Launch,
    /// The group has more instances than are desired, and ends one that is not protected.
    ScaleIn(String),
    Pass,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| ["A", "B"][*who];
        match self {
            Move::ReadFleet(who) => write!(f, "{} reads the instances", name(who)),
            Move::ReadDemand(who) => write!(f, "{} reads the services and their tasks", name(who)),
            Move::ReadRow(who) => write!(f, "{} reads the group's row", name(who)),
            Move::Plan(who) => write!(f, "{} plans the capacity", name(who)),
            Move::Call(who, false) => write!(f, "{} takes its next step; the answer arrives", name(who)),
            Move::Call(who, true) => write!(f, "{} takes its next step; no answer arrives", name(who)),
            Move::Lead(who) => write!(f, "{} takes the lease", name(who)),
            Move::Want => f.write_str("one more service waits for an instance"),
            Move::Place(service) => write!(f, "service {service} gets its place"),
            Move::End(service) => write!(f, "the task of service {service} ends"),
            Move::Launch => f.write_str("the group launches an instance, which joins"),
            Move::ScaleIn(id) => write!(f, "the group ends {id}"),
            Move::Pass => f.write_str("time passes"),
        }
    }
}

impl Space for Group {
    type Move = Move;

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let (truth, left) = (&self.truth, &self.left);
        let mut add = |may: bool, one: Move| moves.extend(may.then_some(one));
        for (who, own) in self.planners.iter().enumerate() {
            if own.epoch.is_none() && left.leads == 0 {
                continue;
            }
            add(true, Move::ReadFleet(who));
            add(true, Move::ReadDemand(who));
            add(true, Move::ReadRow(who));
            add(left.leads > 0, Move::Lead(who));
            if own.epoch.is_none() {
                continue;
            }
            add(own.steps.is_empty() && own.fleet.is_some() && own.row.is_some(), Move::Plan(who));
            add(!own.steps.is_empty(), Move::Call(who, false));
            add(!own.steps.is_empty() && left.losses > 0, Move::Call(who, true));
        }
        add(left.wants > 0, Move::Want);
        truth.waiting.iter().for_each(|service| add(truth.free().is_some(), Move::Place(*service)));
        truth.on.keys().for_each(|service| add(left.ends > 0, Move::End(*service)));
        let group = &truth.fleet.group;
        add(truth.there() < group.desired, Move::Launch);
        if truth.there() > group.desired {
            let bare = group.members.iter().filter(|member| !member.protected);
            bare.for_each(|member| add(true, Move::ScaleIn(member.ec2_id.clone())));
        }
        add(left.passes > 0, Move::Pass);
        moves
    }

    fn tried(&self, one: &Move) -> (Group, Option<Wrong>) {
        let mut next = self.clone();
        let wrong = next.happens(one);
        (next, wrong)
    }
}

//! What may happen next.

use crate::check::{Moment, violated};
use crate::controller::Effect;
use crate::part::Part;
use crate::search::{Space, Wrong};
use crate::world::{Controller, World};
use dormouse_core::intent::{self, later};
use dormouse_core::observed::TaskStatus;
use dormouse_peer::wire::Role;
use std::fmt;
use std::time::Duration;

/// Something that happens; `usize`: to which controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    ReadTable(usize),
    ReadTasks(usize),
    ReadZone(usize),
    Beats(usize),
    Plan(usize),
    PlanZone(usize),
    /// The next step; its answer arrives or is lost.
    Call(usize, bool),
    Remember(usize),
    /// The next batch; its answer arrives or is lost.
    Change(usize, bool),
    RememberChange(usize),
    Poll(usize),
    Crash(usize),
    Lead(usize),
    Wake,
    Sleep,
    /// A request for the service's name comes, wherever that leads.
    Request,
    /// The open request is answered.
    Answered,
    /// A task gets on by itself: it comes to run, or its stopping ends.
    GetsOn(String),
    Dies(String),
    /// The oldest change has reached every name server.
    Propagates,
    Pass,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| ["A", "B"][*who];
        let heard = |lost: &bool| if *lost { "no answer arrives" } else { "the answer arrives" };
        match self {
            Move::ReadTable(who) => write!(f, "{} reads the table", name(who)),
            Move::ReadTasks(who) => write!(f, "{} reads the tasks", name(who)),
            Move::ReadZone(who) => write!(f, "{} reads the zone", name(who)),
            Move::Beats(who) => write!(f, "{} hears the sidecars", name(who)),
            Move::Plan(who) => write!(f, "{} plans the service", name(who)),
            Move::PlanZone(who) => write!(f, "{} plans the zone", name(who)),
            Move::Call(who, lost) => write!(f, "{} takes its next step; {}", name(who), heard(lost)),
            Move::Remember(who) => write!(f, "{} remembers what came of its steps", name(who)),
            Move::Change(who, lost) => write!(f, "{} changes the zone; {}", name(who), heard(lost)),
            Move::RememberChange(who) => write!(f, "{} remembers the change's id", name(who)),
            Move::Poll(who) => write!(f, "{} asks whether the change is INSYNC", name(who)),
            Move::Crash(who) => write!(f, "{} crashes, and starts anew", name(who)),
            Move::Lead(who) => write!(f, "{} takes the lease", name(who)),
            Move::Wake => f.write_str("somebody wakes the service"),
            Move::Sleep => f.write_str("somebody puts the service to sleep"),
            Move::Request => f.write_str("a request comes"),
            Move::Answered => f.write_str("the request is answered"),
            Move::GetsOn(arn) => write!(f, "{arn} gets on"),
            Move::Dies(arn) => write!(f, "{arn} dies"),
            Move::Propagates => f.write_str("a change reaches every name server"),
            Move::Pass => f.write_str("time passes"),
        }
    }
}

impl Space for World {
    type Move = Move;

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (who, own) in self.controllers.iter().enumerate() {
            of_controller(who, own, self, &mut moves);
        }
        let left = &self.left;
        let mut add = |may: bool, one: Move| moves.extend(may.then_some(one));
        add(left.wakes > 0, Move::Wake);
        add(left.sleeps > 0, Move::Sleep);
        add(left.requests > 0, Move::Request);
        add(self.cloud.lives.values().any(|life| life.open > 0), Move::Answered);
        for (arn, life) in self.cloud.lives.iter().filter(|(_, life)| life.task.identity.is_some()) {
            let moving = life.task.status < TaskStatus::Running || life.task.status == TaskStatus::Stopping;
            add(moving, Move::GetsOn(arn.clone()));
            add(left.deaths > 0 && life.runs(), Move::Dies(arn.clone()));
        }
        add(self.cloud.changes.iter().any(|(_, insync)| insync.is_none()), Move::Propagates);
        add(left.passes > 0, Move::Pass);
        moves
    }

    fn tried(&self, one: &Move) -> (World, Option<Wrong>) {
        let (after, effect) = self.after(one);
        let wrong = violated(&Moment { before: self, effect: effect.as_ref(), after: &after });
        (after, wrong)
    }
}

impl World {
    /// The world after it, and what was done to it.
    pub fn after(&self, one: &Move) -> (World, Option<Effect>) {
        let mut next = self.clone();
        let effect = next.happens(one);
        (next, effect)
    }

    pub fn happens(&mut self, one: &Move) -> Option<Effect> {
        let now = self.now;
        match one {
            Move::ReadTable(who) => self.read_table(*who),
            Move::ReadTasks(who) => self.read_tasks(*who),
            Move::ReadZone(who) => self.read_zone(*who),
            Move::Beats(who) => self.beats(*who),
            Move::Plan(who) => return self.plan(*who),
            Move::PlanZone(who) => return self.plan_zone(*who),
            Move::Call(who, lost) => {
                self.left.losses -= u8::from(*lost);
                return self.call(*who, *lost);
            }
            Move::Remember(who) => return self.remember(*who),
            Move::Change(who, lost) => {
                self.left.losses -= u8::from(*lost);
                return self.change(*who, *lost);
            }
            Move::RememberChange(who) => return self.remember_change(*who),
            Move::Poll(who) => return self.poll(*who),
            Move::Crash(who) => {
                self.left.crashes -= 1;
                self.controllers[*who] = Part::new(Controller::started());
            }
            Move::Lead(who) => {
                self.left.leads -= 1;
                self.lead(*who);
            }
            Move::Wake => {
                self.left.wakes -= 1;
                return self.update(None, |record| intent::wake(record, "api", "", None, now).ok().flatten());
            }
            Move::Sleep => {
                self.left.sleeps -= 1;
                return self.update(None, |record| intent::sleep(record, "api", "", None, now));
            }
            Move::Request => {
                self.left.requests -= 1;
                return self.request();
            }
            Move::Answered => self.cloud.change(|cloud| {
                for life in cloud.lives.values_mut().filter(|life| life.open > 0) {
                    (life.open, life.used_at) = (0, now);
                }
            }),
            Move::GetsOn(arn) => self.cloud.change(|cloud| {
                let Some(life) = cloud.lives.get_mut(arn) else { return };
                match life.task.status {
                    TaskStatus::Stopping => cloud.end(arn),
                    _ => life.task.status = TaskStatus::Running,
                }
            }),
            Move::Dies(arn) => {
                self.left.deaths -= 1;
                self.cloud.change(|cloud| cloud.end(arn));
            }
            Move::Propagates => drop(self.cloud.change(|cloud| cloud.propagate(now))),
            Move::Pass => {
                self.left.passes -= 1;
                self.now = later(now, Duration::from_secs(self.left.seconds.unsigned_abs()));
                let now = self.now;
                if self.cloud.changes.iter().any(|(_, insync)| insync.is_none()) {
                    self.cloud.change(|cloud| cloud.pass(now));
                }
            }
        }
        None
    }

    /// A resolver leads it to a proxy that takes it, or to the activator, which wakes.
    fn request(&mut self) -> Option<Effect> {
        let (now, settings) = (self.now, self.settings);
        let found = self.cloud.lives.iter().find(|(_, life)| {
            let own = life.task.identity.as_ref().is_some_and(|own| own.role == Role::Proxy);
            let address = life.task.public_address.as_ref().filter(|_| own && life.runs() && !life.drains);
            address.is_some_and(|address| self.cloud.leads_to(settings, address, now))
        });
        let Some(arn) = found.map(|(arn, _)| arn.clone()) else {
            return self.update(None, |record| intent::wake(record, "request", "", None, now).ok().flatten());
        };
        self.cloud.change(|cloud| {
            if let Some(life) = cloud.lives.get_mut(&arn) {
                (life.open, life.requests, life.used_at) = (life.open + 1, life.requests + 1, now);
            }
        });
        None
    }
}

fn of_controller(who: usize, own: &Controller, world: &World, moves: &mut Vec<Move>) {
    // What it knows is of no use any more.
    if own.epoch.is_none() && world.left.leads == 0 {
        return;
    }
    let mut add = |may: bool, one: Move| moves.extend(may.then_some(one));
    add(true, Move::ReadTable(who));
    add(own.row.is_some(), Move::ReadTasks(who));
    add(true, Move::ReadZone(who));
    add(own.row.is_some(), Move::Beats(who));
    add(world.left.crashes > 0, Move::Crash(who));
    add(world.left.leads > 0, Move::Lead(who));
    if own.epoch.is_none() {
        return;
    }
    // One plan of a key at a time: the next begins when all that the last one asked for is done.
    let idle = own.steps.is_empty() && own.started.is_empty();
    add(idle && own.row.is_some(), Move::Plan(who));
    add(own.steps.is_empty() && !own.started.is_empty(), Move::Remember(who));
    let idle = own.batches.is_empty() && own.accepted.is_empty() && own.polls.is_empty();
    add(idle && own.zone.is_some() && own.row.is_some(), Move::PlanZone(who));
    add(!own.accepted.is_empty(), Move::RememberChange(who));
    add(own.accepted.is_empty() && own.batches.is_empty() && !own.polls.is_empty(), Move::Poll(who));
    for lost in [false, true] {
        let may = !lost || world.left.losses > 0;
        add(may && !own.steps.is_empty(), Move::Call(who, lost));
        add(may && own.accepted.is_empty() && !own.batches.is_empty(), Move::Change(who, lost));
    }
}

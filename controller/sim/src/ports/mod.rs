//! The ports of a controller, over the truth: every call can fail, be late, be throttled, or lose its answer.
//!
//! A call that has left its process is an event of the world: it arrives when it arrives, whatever has become of its
//! caller by then. Before that it is in the process, and dies with it, or waits while it is frozen.
//!
//! # Layout
//!
//! - this file: the way of one call; [`flight`]: from when it has left
//! - [`cloud`]: ECS, Auto Scaling, Route 53, EC2; [`store`]: the table; [`clock`]: the wall clock and the probe
//! - [`link`]: the way to another controller; [`receiver`]: whoever the webhook tells

pub mod clock;
pub mod cloud;
pub mod flight;
pub mod link;
pub mod receiver;
pub mod store;

use crate::check;
use crate::profile::{Ms, SECOND};
use crate::sim::{Odd, Sim, World};
use dormouse_aws::ports::CloudError;
use dormouse_core::budget::Kind;
use std::time::Duration;
use tokio::time::{sleep, sleep_until, timeout_at};

/// The SDK gives a call up after this. It looks for an answer first: one that came while the process was frozen counts.
const TIMEOUT: Ms = 15 * SECOND;

/// One controller's way to the world.
#[derive(Clone)]
pub struct Port {
    /// The world.
    pub world: World,
    /// Whose.
    pub controller: usize,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It takes effect and is answered.
    Clean,
    /// It never arrives.
    Fails,
    /// It is throttled.
    Throttled,
    /// It takes effect, and nobody hears of it.
    AnswerLost,
    /// It takes effect long after it was given up.
    Late(Ms),
}

impl Port {
    fn note(&self, line: std::fmt::Arguments<'_>) {
        let mut sim = self.world.sim();
        let now = sim.now;
        sim.trace.note(now, line);
    }

    fn fate(sim: &mut Sim, operation: &str, kind: Kind) -> (Fate, Ms, Ms) {
        let (mut before, after) = (sim.rng.between(2, 30), sim.rng.between(2, 30));
        let (now, taken) = (sim.now, sim.profile.neighbours);
        if sim.is_out(operation) {
            return (Fate::Fails, before, after);
        }
        if !sim.truth.quota.take(kind, taken, now) {
            return (Fate::Throttled, before, after);
        }
        let profile = &sim.profile;
        let (throttled, fails, lost, late, slow) =
            (profile.throttled, profile.call_fails, profile.answer_lost, profile.late_effect, profile.slow);
        if sim.rng.chance(slow) {
            before = sim.rng.between(SECOND, 14 * SECOND);
        }
        let fate = if sim.rng.chance(throttled) {
            Fate::Throttled
        } else if sim.rng.chance(fails) {
            Fate::Fails
        } else if sim.rng.chance(lost) {
            Fate::AnswerLost
        } else if sim.rng.chance(late) {
            Fate::Late(sim.rng.between(SECOND, 20 * SECOND))
        } else {
            Fate::Clean
        };
        (fate, before, after)
    }

    /// A call that changes something. `call` looks at the moment it is made, `effect` is what it does.
    pub async fn change<R: Send + 'static>(
        &self,
        operation: &'static str,
        kind: Kind,
        call: impl FnOnce(&mut Sim),
        effect: impl FnOnce(&mut Sim) -> Result<R, CloudError> + Send + 'static,
    ) -> Result<R, CloudError> {
        let given_up_at = self.world.instant(self.world.now() + TIMEOUT);
        let unknown = || CloudError::Unknown { operation, message: "no answer".to_owned() };
        let (fate, before, after) = {
            let mut sim = self.world.sim();
            check::called(&mut sim, self.controller, operation, kind, true);
            call(&mut sim);
            Port::fate(&mut sim, operation, kind)
        };
        let leaves = flight::leaves(before);
        pause(leaves).await;
        let lasts = match fate {
            Fate::Throttled => {
                pause(before - leaves).await;
                return Err(CloudError::Throttled { operation });
            }
            Fate::Fails => {
                pause(before - leaves).await;
                self.note(format_args!("{operation} fails"));
                pause(after * 10).await;
                return Err(unknown());
            }
            Fate::Late(by) => {
                self.note(format_args!("{operation} comes {by} ms late"));
                before - leaves + by
            }
            Fate::Clean | Fate::AnswerLost => before - leaves,
        };
        let answered = self.send(lasts, Some(operation), effect);
        let result = timeout_at(given_up_at, answered).await;
        match (fate, result) {
            (Fate::Clean, Ok(Ok(result))) => {
                pause(after).await;
                result
            }
            (Fate::AnswerLost, Ok(Ok(_))) => {
                pause(after).await;
                self.note(format_args!("{operation}: its answer is lost"));
                Err(unknown())
            }
            // Nobody answers any more, or it is waited for no longer.
            _ => {
                sleep_until(given_up_at).await;
                Err(unknown())
            }
        }
    }

    /// So many calls that the next one needs beside itself, each of which can be throttled.
    pub fn also(&self, operation: &'static str, kind: Kind, calls: usize) -> Result<(), CloudError> {
        let mut sim = self.world.sim();
        for _ in 0..calls {
            check::called(&mut sim, self.controller, operation, kind, false);
            let (now, taken) = (sim.now, sim.profile.neighbours);
            if !sim.truth.quota.take(kind, taken, now) {
                return Err(CloudError::Throttled { operation });
            }
        }
        Ok(())
    }

    /// A call that changes nothing.
    pub async fn read<R>(
        &self,
        operation: &'static str,
        kind: Kind,
        look: impl FnOnce(&mut Sim) -> Result<R, CloudError>,
    ) -> Result<R, CloudError> {
        let (fate, before, after, answer) = {
            let mut sim = self.world.sim();
            check::called(&mut sim, self.controller, operation, kind, false);
            let (mut fate, before, after) = Port::fate(&mut sim, operation, kind);
            let odd = sim.odd_read(operation);
            if odd == Some(Odd::Missed) {
                fate = Fate::Fails;
            }
            sim.backward = odd == Some(Odd::Stale);
            let answer = if matches!(fate, Fate::Clean) { Some(look(&mut sim)) } else { None };
            sim.backward = false;
            (fate, before, after, answer)
        };
        pause(before + after).await;
        match (fate, answer) {
            (_, Some(answer)) => answer,
            (Fate::Throttled, _) => Err(CloudError::Throttled { operation }),
            _ => Err(CloudError::Unknown { operation, message: "no answer".to_owned() }),
        }
    }
}

async fn pause(span: Ms) {
    if span > 0 {
        sleep(Duration::from_millis(span)).await;
    }
}

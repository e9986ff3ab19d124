//! The ports of a controller, over the truth: every call can fail, be late, be throttled, or lose its answer.
//!
//! # Layout
//!
//! - this file: the way of one call
//! - [`cloud`]: ECS, Auto Scaling, Route 53, EC2; [`store`]: the table; [`clock`]: the wall clock and the probe
//! - [`link`]: the way to another controller; [`receiver`]: whoever the webhook tells

pub mod clock;
pub mod cloud;
pub mod link;
pub mod receiver;
pub mod store;

use crate::check;
use crate::profile::{Ms, SECOND};
use crate::queue::Event;
use crate::sim::{Odd, Sim, World};
use dormouse_aws::ports::CloudError;
use dormouse_core::budget::Kind;
use std::time::Duration;
use tokio::time::sleep;

/// The SDK gives a call up after this, and so does a process that was frozen meanwhile.
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
    /// The controller crashes before it, or after.
    Crash,
}

/// Whether a systematic crash is due at this effect, and whether the effect happens first.
pub(crate) fn crash_here(sim: &mut Sim) -> Option<bool> {
    let crash = sim.crash.as_mut()?;
    let here = crash.effects.iter().find(|(effect, _)| *effect == crash.count).map(|(_, after)| *after);
    crash.count += 1;
    here
}

impl Port {
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
        let made_at = self.world.now();
        let unknown = || CloudError::Unknown { operation, message: "no answer".to_owned() };
        let (fate, before, after) = {
            let mut sim = self.world.sim();
            check::called(&mut sim, self.controller, operation, kind, true);
            call(&mut sim);
            Port::fate(&mut sim, operation, kind)
        };
        pause(before).await;
        if self.world.now() > made_at + TIMEOUT {
            // It was frozen: the call was never sent.
            return Err(unknown());
        }
        let (fate, crash_after) = {
            let mut sim = self.world.sim();
            match crash_here(&mut sim) {
                Some(after) => {
                    if let Some(crash) = &mut sim.crash {
                        crash.due.insert(self.controller);
                    }
                    sim.trace.note(
                        made_at,
                        format_args!("CRASH {} {operation}", if after { "after" } else { "before" }),
                    );
                    (Fate::Crash, after)
                }
                None => (fate, false),
            }
        };
        match fate {
            Fate::Throttled => Err(CloudError::Throttled { operation }),
            Fate::Fails => {
                self.world.sim().trace.note(made_at, format_args!("{operation} fails"));
                pause(after * 10).await;
                Err(unknown())
            }
            Fate::Late(by) => {
                {
                    let mut sim = self.world.sim();
                    sim.trace.note(made_at, format_args!("{operation} comes {by} ms late"));
                    sim.plan(
                        by,
                        Event::Do(Box::new(move |sim| {
                            // Nobody waits for its answer any more.
                            let _ = effect(sim);
                        })),
                    );
                }
                self.world.planned.notify_one();
                pause(TIMEOUT - before).await;
                Err(unknown())
            }
            Fate::Crash => {
                if crash_after {
                    let _ = effect(&mut self.world.sim());
                }
                self.world.planned.notify_one();
                std::future::pending().await
            }
            Fate::Clean | Fate::AnswerLost => {
                let result = effect(&mut self.world.sim());
                self.world.planned.notify_one();
                pause(after).await;
                if fate == Fate::AnswerLost {
                    self.world.sim().trace.note(made_at, format_args!("{operation}: its answer is lost"));
                    return Err(unknown());
                }
                result
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
    sleep(Duration::from_millis(span)).await;
}

//! A call that has left its process.

use super::Port;
use crate::check;
use crate::profile::Ms;
use crate::queue::Event;
use crate::sim::Sim;
use tokio::sync::oneshot;

/// How much of a call's time passes before it leaves its process: none of it as a rule; or a quarter of it to three, for
/// a connection that is to be made first. As random as the whole.
pub const fn leaves(whole: Ms) -> Ms {
    if whole % 2 == 0 { 0 } else { whole / 4 * (whole / 2 % 4) }
}

impl Port {
    /// Has an effect happen after so long, whether its caller still lives by then or not. The answer comes at that moment,
    /// if there is one. `counted`: its name, if a crash is to be tried at it.
    pub fn send<R: Send + 'static>(
        &self,
        lasts: Ms,
        counted: Option<&'static str>,
        effect: impl FnOnce(&mut Sim) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (answer, answered) = oneshot::channel();
        let controller = self.controller;
        let arrives = move |sim: &mut Sim| match counted.and_then(|what| crash_here(sim, controller, what)) {
            // It never happens.
            Some(false) => {}
            Some(true) => drop(effect(sim)),
            // Nobody may wait for it any more.
            None => drop(answer.send(effect(sim))),
        };
        self.world.sim().plan(lasts, Event::Do(Box::new(arrives)));
        self.world.planned.notify_one();
        answered
    }

    /// Whose a call is that was made then and arrives now: nobody's, if the process that made it is gone.
    pub(super) fn sender(sim: &Sim, controller: usize, made_at: Ms) -> usize {
        let lives = sim.audit.running.get(&controller).is_some_and(|running| running.born <= made_at);
        if lives { controller } else { check::GONE }
    }
}

/// Whether a systematic crash is due at this effect, and whether the effect happens first.
fn crash_here(sim: &mut Sim, controller: usize, what: &str) -> Option<bool> {
    let crash = sim.crash.as_mut()?;
    let here = crash.effects.iter().find(|(effect, _)| *effect == crash.count).map(|(_, after)| *after);
    crash.count += 1;
    if let Some(after) = here {
        crash.due.insert(controller);
        let now = sim.now;
        sim.trace.note(now, format_args!("CRASH {} {what}", if after { "after" } else { "before" }));
    }
    here
}

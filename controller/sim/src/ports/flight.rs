//! A call that has left its process.

use super::{Port, TIMEOUT};
use crate::check;
use crate::profile::Ms;
use crate::queue::Event;
use crate::sim::Sim;
use crate::stroke::Stroke;
use tokio::sync::oneshot;

/// How much of a call's time passes before it leaves its process: none of it as a rule; or a quarter of it to three, for
/// a connection that is to be made first. As random as the whole.
pub const fn leaves(whole: Ms) -> Ms {
    if whole.is_multiple_of(2) { 0 } else { whole / 4 * (whole / 2 % 4) }
}

impl Port {
    /// Has an effect happen after so long, whether its caller still lives by then or not. The answer comes at that moment,
    /// if there is one. `counted`: its name, if it is one of those at which something is tried.
    pub fn send<R: Send + 'static>(
        &self,
        lasts: Ms,
        counted: Option<&'static str>,
        effect: impl FnOnce(&mut Sim) -> R + Send + 'static,
    ) -> oneshot::Receiver<R> {
        let (answer, answered) = oneshot::channel();
        let controller = self.controller;
        // Nobody may wait for it any more.
        let lands = move |sim: &mut Sim| drop(answer.send(effect(sim)));
        let arrives = move |sim: &mut Sim| match counted.and_then(|what| strike(sim, controller, what)) {
            None => lands(sim),
            Some(stroke) => match stroke.delay() {
                // It never happens.
                None => {}
                Some(0) => lands(sim),
                Some(delay) => sim.plan(delay, Event::Do(Box::new(lands))),
            },
        };
        self.world.sim().plan(lasts, Event::Do(Box::new(arrives)));
        self.world.planned.notify_one();
        answered
    }

    /// Whether a call that was made then arrives when nobody waits for it any more, and another leads than its caller.
    pub(super) fn is_overtaken(sim: &Sim, controller: usize, made_at: Ms) -> bool {
        let leads = sim.truth.leader.map(|(leader, _)| leader);
        sim.now > made_at + TIMEOUT && leads != Some(Port::sender(sim, controller, made_at))
    }

    /// Whose a call is that was made then and arrives now: nobody's, if the process that made it is gone.
    pub(super) fn sender(sim: &Sim, controller: usize, made_at: Ms) -> usize {
        let lives = sim.audit.running.get(&controller).is_some_and(|running| running.born <= made_at);
        if lives { controller } else { check::GONE }
    }
}

/// What befalls a controller at this effect, if anything does.
fn strike(sim: &mut Sim, controller: usize, what: &str) -> Option<Stroke> {
    let here = sim.strokes.as_mut()?.fall(controller)?;
    let now = sim.now;
    sim.trace.note(now, format_args!("STROKE {here} {what}"));
    Some(here)
}

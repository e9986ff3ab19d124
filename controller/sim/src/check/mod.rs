//! What must always be true, asked of the truth at every effect; and what must come true.
//!
//! An invariant is a function of the world and of a [`Moment`], which says what is wrong, if anything. [`ALL`] is the
//! table of them. What they need to know of the past is in [`Audit`]; it changes after they have looked.
//!
//! # Layout
//!
//! - [`moment`]: the moments at which they look
//! - [`memory`]: what they remember of a run
//! - `names`, `tasks`, `fleet`, `leading`, `calls`, `intents`, `answers`: S1 to S17
//! - `made`: what S6, S14 and L9 ask of services that templates make
//! - `liveness`: L1 to L9
//! - `news`: S18 and L10, of what the webhook tells
//! - `report`: how ports, driver and truth tell of moments

mod answers;
mod calls;
mod fleet;
mod intents;
mod leading;
mod liveness;
mod made;
pub mod memory;
pub mod moment;
mod names;
mod news;
mod report;
mod tasks;

pub use liveness::is_at_rest;
pub use memory::Audit;
pub use moment::Moment;
pub use report::*;

use crate::profile::{MINUTE, Ms, SECOND};
use crate::sim::Sim;

/// The lease that controllers have.
pub const LEASE: Ms = 15 * SECOND;
/// Whoever wrote what arrives after its process is gone: no controller that there is.
pub const GONE: usize = usize::MAX;
/// A world without faults comes to rest within this.
pub const SETTLES_IN: Ms = 15 * MINUTE;
/// And stays so for this.
pub const RESTS_FOR: Ms = 30 * MINUTE;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Ms,
    /// Which property: `S5`, `L1` …
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

/// A property of every run.
pub struct Invariant {
    /// `S1` … `S18`, `L1` … `L10`.
    pub id: &'static str,
    /// In two words.
    pub name: &'static str,
    /// In a sentence.
    pub says: &'static str,
    /// What is wrong at a moment.
    pub check: fn(&Sim, &Moment<'_>) -> Option<String>,
}

macro_rules! invariants {
    ($($(#[doc = $says:literal])+ $id:ident $name:literal $module:ident::$check:ident,)+) => {
        /// Every invariant.
        pub const ALL: &[Invariant] = &[$(Invariant {
            id: stringify!($id),
            name: $name,
            says: concat!($($says),+),
            check: $module::$check,
        }),+];
    };
}

invariants! {
    /// A change of ours hits a name that is absent, or a record that we made and nobody changed since.
    S1 "own DNS" names::s1_own_dns,
    /// Once the wildcard is published, every declared name resolves; a record and its ownership TXT change together.
    S2 "no gap" names::s2_no_gap,
    /// No record leads to a planned end; 30 s after an unplanned one (120 s while throttled) none does.
    S3 "no stale DNS" names::s3_no_stale_dns,
    /// At most one task of a service and role; two only of different pairs, for ten minutes; one ever for a token.
    S4 "one pair" tasks::s4_one_pair,
    /// A proxy drains once nobody finds it, and is stopped once nothing is in flight or its drain is over; then its service.
    S5 "no cut" tasks::s5_no_cut,
    /// Only what carries this installation's mark is stopped, terminated or deregistered; only what expired is deleted
    /// without being told to.
    S6 "only ours" tasks::s6_only_ours,
    /// An instance is terminated after 15 s of DRAINING, with nothing on it and nobody waiting for it.
    S7 "no busy kill" fleet::s7_no_busy_kill,
    /// SetDesiredCapacity never lowers the desired capacity, nor raises it above the maximum.
    S8 "monotone capacity" fleet::s8_monotone_capacity,
    /// What is in service and not chosen for removal is protected from scale-in, after 30 s.
    S9 "protection" fleet::s9_protection,
    /// What a wake wants is not stopped, nor put to sleep while used; nothing is done for an older epoch.
    S10 "wake beats sleep" tasks::s10_wake_beats_sleep,
    /// A later leader's row is not written by an earlier one; the lease is changed by its holder; no call without it.
    S11 "fence" leading::s11_fence,
    /// Two controllers never hold a lease that is good at the same time, and all else holds while two believe to lead.
    S12 "split brain" leading::s12_split_brain,
    /// Nothing is created, destroyed or taken for gone that an incomplete reading does not show.
    S13 "unknown is not absent" calls::s13_unknown_is_not_absent,
    /// Half of AWS's rates over any minute; retries of RunTask 5, 10, 20 … 300 s apart; one removal in ten a minute; no
    /// more services of a template than it may make.
    S14 "budget" calls::s14_budget,
    /// Every call that creates or destroys has a durable intent from before it.
    S15 "intent first" intents::s15_intent_first,
    /// Ready, or to take over, is said after a probe of the address that users are led to, at most 10 s old.
    S16 "truth of ready" answers::s16_truth_of_ready,
    /// An accepted request gets one answer: the service's, or a refusal; no planned end cuts it off.
    S17 "no lost request" answers::s17_no_lost_request,
    /// The webhook is told of what happened and was written, in its order; what counts as told was taken.
    S18 "truth of news" news::s18_truth_of_news,
    /// What is awake is ready 2 s after the cloud's own delays, or says why not within ten minutes; and so is what it needs.
    L1 "wake" liveness::l1_wake,
    /// What sleeps is gone after propagation, TTL, drain, stop time-out and 60 s; what is idle sleeps.
    L2 "sleep" liveness::l2_sleep,
    /// Eight minutes after the last task no instance is left; no more of them than are of use.
    L3 "zero" liveness::l3_zero,
    /// Fifteen minutes after the last fault and wish all is as desired, and nothing is changed any more.
    L4 "convergence" liveness::l4_convergence,
    /// So it is after a crash at every single effect, and at pairs of them.
    L5 "crash anywhere" liveness::l5_crash_anywhere,
    /// A dead leader is replaced within 17.4 s by one that waits, and that one has read everything soon after.
    L6 "takeover" liveness::l6_takeover,
    /// What is woken is tried within 60 s, however many calls are throttled.
    L7 "no starvation" liveness::l7_no_starvation,
    /// What an outsider removes is put back, or said to be in conflict; at most once in five minutes.
    L8 "drift" liveness::l8_drift,
    /// A task, instance or record of ours that nobody intends is gone within five minutes.
    L9 "no leak" liveness::l9_no_leak,
    /// Ten minutes after it happened, and after the last fault, the webhook was told of every event.
    L10 "news" news::l10_news,
}

/// Has every invariant look.
pub fn look(sim: &mut Sim, moment: &Moment<'_>) {
    for invariant in ALL {
        if let Some(what) = (invariant.check)(sim, moment) {
            sim.violate(invariant.id, what);
        }
    }
    news::remember(sim, moment);
    memory::remember(sim, moment);
}

impl Sim {
    /// Writes a violation down.
    pub fn violate(&mut self, id: &'static str, what: String) {
        self.trace.note(self.now, format_args!("VIOLATION {id}: {what}"));
        self.audit.violate(self.now, id, what);
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn all_are_there_in_order() {
        let safety = (1..=18).map(|number| format!("S{number}"));
        let ids: Vec<String> = safety.chain((1..=10).map(|number| format!("L{number}"))).collect();
        assert_eq!(ALL.iter().map(|invariant| invariant.id).collect::<Vec<_>>(), ids);
        assert!(ALL.iter().all(|invariant| !invariant.says.trim().is_empty()));
    }
}

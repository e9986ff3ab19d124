//! Which processor a task is for, that of each instance, and what the group launches next.
//!
//! What the group launches is read at the start, and anew only where that would decide something: it may have been given
//! another image since, and instances of the one before live on for a while.

use super::demand::{Demand, Want};
use super::place::Room;
use crate::observed::{Fleet, Instance};
use crate::settings::Settings;
use dormouse_manifests::Architecture;

/// Whether an instance's processor is the one that a task is for, as far as both are known.
pub(super) fn runs(instance: &Instance, want: &Want) -> bool {
    instance.architecture.zip(want.architecture).is_none_or(|(is, wanted)| is == wanted)
}

/// Where the group launches instances of another processor, more of them are of no use; nor where all are, if what it
/// launches is not known.
pub(super) fn of_another(fleet: &Fleet, want: &Want) -> Option<Room> {
    let wanted = want.architecture?;
    let is = match fleet.launches {
        Some(launched) => launched,
        None if fleet.own().any(|instance| runs(instance, want)) => return None,
        None => fleet.own().next()?.architecture?,
    };
    let message = format!(
        "its task is for {wanted}, and the group's instances are {is}: have its image built for these, and name them in \
         `architecture`, or have the group launch others"
    );
    (is != wanted).then_some(Room::No { reason: "WrongArchitecture", message })
}

/// Whether to read anew what the group launches: somebody waits for another processor, or an instance of another one is
/// there.
pub fn is_in_doubt(settings: &Settings, demand: &Demand, fleet: &Fleet) -> bool {
    let Some(launched) = fleet.launches else { return false };
    let other = |is: Architecture| is != launched;
    let mut waited_for = demand.waiting.iter().filter_map(|want| want.architecture.or(settings.architecture));
    let mut there = fleet.own().filter_map(|instance| instance.architecture);
    // Whoever waits for what is launched is in doubt only if another one has joined.
    waited_for.next().is_some_and(|first| other(first) || waited_for.any(other) || there.any(other))
}

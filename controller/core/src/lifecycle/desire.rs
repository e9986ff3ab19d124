//! When the intention flips by itself: idleness, the container's own wish, a clean end, a late request, a window.

use super::View;
use crate::idle;
use crate::intent;
use dormouse_manifests::{IdleAfter, format_duration};
use dormouse_peer::wire::Role;
use dormouse_state::{Desired, ServiceRecord};
use jiff::Timestamp;

pub(super) fn decide(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let flipped = match next.desired {
        Desired::Awake => asks_to_sleep(next, view, now).and_then(|(origin, reason)| {
            intent::sleep(next, origin, &reason, proxy_requests(next, view), now)
        }),
        Desired::Asleep => {
            note_requests(next, view);
            asks_to_wake(next, view, now)
                .and_then(|(origin, reason)| intent::wake(next, origin, reason, None, now).ok().flatten())
        }
    };
    if let Some(flipped) = flipped {
        *next = flipped;
    }
    remember_use(next, view, now);
}

fn asks_to_sleep(next: &ServiceRecord, view: &View<'_>, now: Timestamp) -> Option<(&'static str, String)> {
    let pair = next.pair.as_ref()?;
    // A wish counts once for a pair: a request that came after it is worth more.
    let heard = next
        .last_sleep
        .as_ref()
        .is_some_and(|last| last.origin == "container" && last.at >= pair.intended_at);
    let wish = view.beat(&next.name, pair, Role::Service).and_then(|beat| beat.sleep_requested.clone());
    if let Some(wish) = wish.filter(|_| !heard) {
        return Some(("container", wish));
    }
    if let Some(end) = Role::ALL.iter().find_map(|role| pair.task(*role).end.as_ref().filter(|end| end.clean))
    {
        return Some(("container", end.reason.clone()));
    }
    let usage = view.usage(next, now);
    let idle_at = idle::idle_at(next, &usage, view.dependents_awake, now)?;
    let IdleAfter::After(after) = next.spec.idle_after else { return None };
    (idle_at <= now).then(|| ("idle", format!("not used for {}", format_duration(after))))
}

fn asks_to_wake(
    next: &ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
) -> Option<(&'static str, &'static str)> {
    if next.deleting {
        return None;
    }
    let taken = next.rest.as_ref().and_then(|rest| rest.requests);
    if let (Some(taken), Some(requests)) = (taken, proxy_requests(next, view))
        && requests > taken
    {
        return Some(("request", "a request came while it was falling asleep"));
    }
    let opens = next.spec.awake.iter().any(|window| idle::is_inside(window, now));
    // Put to sleep by hand within a window, it stays asleep until the next one.
    let by_hand = next
        .last_sleep
        .as_ref()
        .is_some_and(|last| next.spec.awake.iter().any(|window| idle::is_inside(window, last.at)));
    (opens && !by_hand).then_some(("schedule", "an awake window is open"))
}

/// How many requests the serving pair's proxy has taken, when it was heard.
fn proxy_requests(next: &ServiceRecord, view: &View<'_>) -> Option<u64> {
    let beat = view.beat(&next.name, next.pair.as_ref()?, Role::Proxy)?;
    beat.activity.map(|activity| activity.requests)
}

/// The count to compare with, when it was not known at the flip.
fn note_requests(next: &mut ServiceRecord, view: &View<'_>) {
    let requests = proxy_requests(next, view);
    if let Some(rest) = &mut next.rest
        && rest.requests.is_none()
    {
        rest.requests = requests;
    }
}

/// Keeps the record's last use near the truth, so that it survives controller and proxy, at a bounded number
/// of writes.
fn remember_use(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let step = match next.spec.idle_after {
        IdleAfter::After(after) => after / 4,
        IdleAfter::Never => std::time::Duration::from_secs(3600),
    };
    let last = view.usage(next, now).last;
    if intent::since(last, next.last_activity) >= step.max(std::time::Duration::from_secs(5)) {
        next.last_activity = last;
    }
}

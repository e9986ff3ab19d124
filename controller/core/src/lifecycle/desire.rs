//! When the intention flips by itself: idleness, a time that is up, the container's own wish, a clean end, a late
//! request, a window.

use super::{View, rollout};
use crate::idle;
use crate::intent;
use crate::keepers;
use crate::template;
use dormouse_manifests::{IdleAfter, format_duration};
use dormouse_peer::wire::Role;
use dormouse_state::{Cause, Desired, ServiceRecord, planted};
use jiff::Timestamp;
use std::time::Duration;

/// A report travels: what it says was used this shortly after the flip may have been used before it.
const FLIP_MARGIN: Duration = Duration::from_millis(250);

pub(super) fn decide(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let flipped = match next.desired {
        Desired::Awake => match time_is_up(next, now) {
            Some(reason) => intent::force_sleep(next, &reason, now),
            None => asks_to_sleep(next, view, now).and_then(|(origin, reason)| {
                intent::sleep(next, origin, &reason, proxy_requests(next, view), now)
            }),
        },
        Desired::Asleep => {
            note_requests(next, view);
            note_wish(next, view, now);
            asks_to_wake(next, view, now).and_then(|(origin, reason)| wake(next, origin, reason, now))
        }
    };
    if let Some(flipped) = flipped {
        *next = flipped;
    }
    if view.activator.in_flight == 0
        && let Some(over) = template::expire(next, now)
    {
        *next = over;
    }
    remember_use(next, view, now);
}

fn wake(next: &ServiceRecord, origin: &str, reason: &str, now: Timestamp) -> Option<ServiceRecord> {
    let mut woken = intent::wake(next, origin, reason, None, now).ok().flatten()?;
    if let Some(rollout) = &mut woken.rollout {
        rollout.woken = true;
    }
    Some(woken)
}

/// Whether it has been awake for as long as it may be, used or not.
fn time_is_up(next: &ServiceRecord, now: Timestamp) -> Option<String> {
    let limit = next.spec.max_awake?;
    (idle::ends_at(next)? <= now).then(|| format!("awake for {}", format_duration(limit)))
}

fn asks_to_sleep(next: &ServiceRecord, view: &View<'_>, now: Timestamp) -> Option<(&'static str, String)> {
    if let Some(wish) = wish(next, view) {
        return Some(("container", wish));
    }
    let ends = next.pair.iter().flat_map(|pair| Role::ALL.map(|role| pair.task(role).end.as_ref()));
    // Somebody waits at the activator: the end came too early for them, and a new pair is to answer.
    if let Some(end) = ends.flatten().find(|end| end.clean && view.activator.in_flight == 0) {
        return Some(("container", end.reason.clone()));
    }
    let usage = view.usage(next, now);
    if has_passed_its_check(next, &usage, view, now) {
        return Some((rollout::ORIGIN, format!("generation {} came up", next.generation)));
    }
    let idle_at = idle::idle_at(next, &usage, view.dependents_awake, now)?;
    let IdleAfter::After(after) = next.spec.idle_after else { return None };
    // What came since the proxy's last report is not known: only a report from after that moment proves idleness.
    let pair = next.pair.as_ref().filter(|pair| pair.ready_at.is_some());
    let proven = pair.is_none_or(|pair| view.beat(pair, Role::Proxy).is_some_and(|beat| beat.at >= idle_at));
    (idle_at <= now && (proven || planted!(IdlenessUnproven)))
        .then(|| ("idle", format!("not used for {}", format_duration(after))))
}

/// Whether it was woken to see whether it comes up, it did, and nobody else has a use for it.
fn has_passed_its_check(next: &ServiceRecord, usage: &idle::Use, view: &View<'_>, now: Timestamp) -> bool {
    let keeps = |keeper: &keepers::Keeper| keeper.reason != "Never";
    rollout::is_for_the_check(next)
        && next
            .pair
            .as_ref()
            .and_then(|pair| pair.ready_at)
            .is_some_and(|at| intent::since(now, at) >= rollout::CHECKED_FOR)
        && next.rollout.as_ref().is_none_or(|rollout| !rollout.check)
        && next.last_wake.as_ref().is_some_and(|wake| usage.last <= wake.at)
        && !keepers::keepers(next, usage, view.dependents_awake, now).iter().any(keeps)
}

/// The container's wish to sleep. It counts once for a pair: a request that came after it is worth more.
fn wish(next: &ServiceRecord, view: &View<'_>) -> Option<String> {
    let pair = next.pair.as_ref()?;
    let heard = next
        .last_sleep
        .as_ref()
        .is_some_and(|last| last.origin == "container" && last.at >= pair.intended_at);
    let wish = view.beat(pair, Role::Service)?.sleep_requested.clone();
    wish.filter(|_| !heard)
}

/// A wish that comes while it falls asleep anyway is heard too: a wake that keeps the pair is worth more.
fn note_wish(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    if let Some(reason) = wish(next, view) {
        next.last_sleep = Some(Cause { at: now, origin: "container".into(), reason, duration_ms: None });
    }
}

fn asks_to_wake(
    next: &ServiceRecord,
    view: &View<'_>,
    now: Timestamp,
) -> Option<(&'static str, &'static str)> {
    if next.deleting {
        return None;
    }
    if has_new_requests(next, view) && !planted!(LateRequestIgnored) {
        return Some(("request", "a request came while it was falling asleep"));
    }
    if next.rollout.as_ref().is_some_and(|rollout| rollout.check && !rollout.woken) {
        return Some((rollout::ORIGIN, "whether it comes up is tried"));
    }
    // The wake that was to come with another's was lost on the way, or came before this one's last sleep.
    if view.dependents_awake && !planted!(DependenciesUnwoken) {
        return Some(("dependency", "a service that depends on it was woken"));
    }
    // Put to sleep by hand while a window is open, it stays asleep until that one opens again.
    let last_sleep = next.last_sleep.as_ref().map(|last| last.at);
    let opens = next.spec.awake.iter().any(|window| {
        let opened = idle::opened_on(window, now);
        let asleep_since = last_sleep.and_then(|at| idle::opened_on(window, at));
        opened.is_some() && (opened != asleep_since || planted!(WindowOverrules))
    });
    (opens && !planted!(WindowsWakeNobody)).then_some(("schedule", "an awake window is open"))
}

/// How many requests the serving pair's proxy has taken, when it was heard.
fn proxy_requests(next: &ServiceRecord, view: &View<'_>) -> Option<u64> {
    let beat = view.beat(next.pair.as_ref()?, Role::Proxy)?;
    beat.activity.map(|activity| activity.requests)
}

/// Whether the proxy took a request after the flip. Its count at the flip may be some seconds old; so the time of
/// its last use must lie behind the flip, too.
fn has_new_requests(next: &ServiceRecord, view: &View<'_>) -> bool {
    let Some(rest) = next.rest.as_ref().filter(|rest| !rest.forced) else { return false };
    let (Some(taken), Some(requests)) = (rest.requests, proxy_requests(next, view)) else { return false };
    requests > taken
        && proxy_used_at(next, view).is_some_and(|at| at > intent::later(rest.since, FLIP_MARGIN))
}

/// When the serving pair's proxy was last used, by its own report.
fn proxy_used_at(next: &ServiceRecord, view: &View<'_>) -> Option<Timestamp> {
    let beat = view.beat(next.pair.as_ref()?, Role::Proxy)?;
    beat.activity.map(|activity| idle::used_at(beat, &activity))
}

/// The count to compare with: what the proxy had taken at the flip, as soon as that is known.
fn note_requests(next: &mut ServiceRecord, view: &View<'_>) {
    let requests = proxy_requests(next, view);
    let new = has_new_requests(next, view);
    if let Some(rest) = &mut next.rest
        && !rest.forced
        && !new
        && requests > rest.requests
    {
        rest.requests = requests;
    }
}

/// Keeps the record's last use near the truth, so that it survives controller and proxy, at a bounded number
/// of writes.
fn remember_use(next: &mut ServiceRecord, view: &View<'_>, now: Timestamp) {
    let step = match next.spec.idle_after {
        // Nobody but the record remembers it once that pair is gone.
        _ if next.retiring.iter().any(|pair| pair.replaced) => Duration::ZERO,
        IdleAfter::After(after) => after / 4,
        IdleAfter::Never => Duration::from_secs(3600),
    };
    let last = view.usage(next, now).last;
    if intent::since(last, next.last_activity) >= step.max(Duration::from_secs(5)) {
        next.last_activity = last;
    }
}

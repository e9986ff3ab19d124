//! When a service was last used, and when it falls asleep.

use crate::intent::{later, since};
use crate::observed::Beat;
use dormouse_manifests::{AwakeWindow, IdleAfter};
use dormouse_peer::wire::Activity;
use dormouse_state::{Desired, Pair, ServiceRecord, planted};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A proxy's report older than this says nothing about use any more.
pub const FRESH: Duration = Duration::from_secs(30);
/// A container that said it is busy is believed for this long; its sidecar reports every few seconds.
const BUSY_FOR: Duration = Duration::from_secs(300);
/// A service that comes up at all has done so by then.
const COMES_UP_IN: Duration = Duration::from_secs(600);

/// Requests that the activator holds or forwards for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AtActivator {
    /// Right now.
    pub in_flight: u64,
    /// When the last one ended; `None`: none since the controller started.
    pub last: Option<Timestamp>,
}

/// Use of a service as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Requests and sockets open right now, at the proxy and at the activator.
    pub in_flight: u64,
    /// Of these, the sockets at the proxy.
    pub sockets: u64,
    /// The container says that it must not fall asleep for idleness.
    pub busy: bool,
    /// Last use; `now` while something is open.
    pub last: Timestamp,
    /// Whether the proxy was heard of lately. Without it nothing is known to be idle.
    pub is_known: bool,
}

/// Puts together what the record, the serving pair's two sidecars and the activator know.
pub fn usage(
    record: &ServiceRecord,
    proxy: Option<&Beat>,
    service: Option<&Beat>,
    activator: AtActivator,
    now: Timestamp,
) -> Use {
    let activity = proxy.and_then(|beat| beat.activity.map(|activity| (beat, activity)));
    if planted!(TrafficIgnored) {
        let (last, is_known) = (record.last_activity, activity.is_some());
        return Use { in_flight: 0, sockets: 0, busy: false, last, is_known };
    }
    let mut last = record.last_activity.max(activator.last.unwrap_or(Timestamp::MIN));
    let mut in_flight = activator.in_flight;
    let mut sockets = 0;
    let mut is_known = false;
    if let Some((beat, activity)) = activity {
        is_known = since(now, beat.at) <= FRESH;
        in_flight = in_flight.saturating_add(open(&activity));
        sockets = activity.open_sockets;
        last = last.max(last_use(beat, now).unwrap_or(Timestamp::MIN));
    }
    if in_flight > 0 {
        last = last.max(now);
    }
    let busy = service.is_some_and(|beat| beat.busy == Some(true) && since(now, beat.at) <= BUSY_FOR);
    Use { in_flight, sockets, busy, last, is_known }
}

/// When a proxy was last used, if it ever was, by its own report; `now` while something is open. One that was never used
/// is idle since its start: that is no use.
pub fn last_use(beat: &Beat, now: Timestamp) -> Option<Timestamp> {
    let activity = beat.activity?;
    let was_used = activity.requests > 0 || activity.open_sockets > 0 || activity.bytes > 0;
    if open(&activity) > 0 { Some(now) } else { was_used.then(|| used_at(beat, &activity)) }
}

/// When a proxy was last used, by its own report.
pub fn used_at(beat: &Beat, activity: &Activity) -> Timestamp {
    let idle = SignedDuration::from_millis(activity.idle_for_ms.try_into().unwrap_or(i64::MAX));
    beat.at.checked_sub(idle).unwrap_or(Timestamp::MIN)
}

/// Requests and sockets that a proxy has open. Whatever a sidecar counts, the sum is one.
pub fn open(activity: &Activity) -> u64 {
    activity.in_flight.saturating_add(activity.open_sockets)
}

/// When the service falls asleep if nobody uses it any more; `None`: not before something changes.
pub fn idle_at(
    record: &ServiceRecord,
    usage: &Use,
    dependents_awake: bool,
    now: Timestamp,
) -> Option<Timestamp> {
    let IdleAfter::After(after) = record.spec.idle_after else { return None };
    let is_needed = dependents_awake && !planted!(DependenciesSleep);
    if planted!(NoIdleDetection)
        || record.desired == Desired::Asleep
        || is_needed
        // Its users are still at the pair before, whose use is not counted.
        || record.retiring.iter().any(Pair::serves_on)
        || usage.in_flight > 0
        || usage.busy
    {
        return None;
    }
    // Waking takes its time; the clock starts when there is something to use. A changed manifest that comes into use is
    // no use: a service that is changed every few minutes must fall asleep, too.
    let usable_at = match record.pair.as_ref().and_then(|pair| pair.service_ready_at()) {
        Some(ready_at) => usage.is_known.then_some(ready_at)?,
        // It does not come up. Tries cost money too: they end when nobody has asked for long. Without a record
        // in the zone, whoever asks is seen at the activator.
        None => {
            let known = usage.is_known || record.dns.withdrawn_at.is_some();
            later(record.last_wake.as_ref().filter(|_| known)?.at, COMES_UP_IN)
        }
    };
    if record.spec.awake.iter().any(|window| is_inside(window, now)) && !planted!(WindowsKeepNobody) {
        return None;
    }
    let idle = later(usage.last.max(usable_at), after);
    Some(record.awake_until.map_or(idle, |until| idle.max(until)))
}

/// When its time is up, used or not (`spec.maxAwake`). A wake that kept the pair it found gives no more time.
pub fn ends_at(record: &ServiceRecord) -> Option<Timestamp> {
    let limit = record.spec.max_awake.filter(|_| record.desired == Desired::Awake)?;
    let woken = record.last_wake.as_ref()?.at;
    let kept = record.pair.as_ref().filter(|pair| pair.condemned.is_none());
    let began = kept.map_or(woken, |pair| woken.min(pair.intended_at));
    Some(later(began, limit))
}

/// Whether a manifest's window keeps the service awake now.
pub fn is_inside(window: &AwakeWindow, now: Timestamp) -> bool {
    opened_on(window, now).is_some()
}

/// The local day on which the window that is open at `at` was opened; `None` while it is closed. What counts is
/// what a clock on the wall shows: a time that a change of clocks leaves out never comes, one that it repeats
/// comes twice. A zone that cannot be read keeps nothing awake: the manifest's validation refuses those.
pub fn opened_on(window: &AwakeWindow, at: Timestamp) -> Option<Date> {
    let local = TimeZone::get(&window.timezone).ok()?.to_datetime(at);
    let (day, time) = (local.weekday(), local.time());
    if window.from < window.to {
        let open = window.days.contains(day) && (window.from..window.to).contains(&time);
        return open.then_some(local.date());
    }
    // Across midnight: the window belongs to the day on which it begins.
    if window.days.contains(day) && time >= window.from {
        return Some(local.date());
    }
    let open = window.days.contains(day.previous()) && time < window.to;
    open.then(|| local.date().yesterday().ok()).flatten()
}

#[cfg(test)]
mod tests;

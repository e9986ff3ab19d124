//! When a service was last used, and when it falls asleep.

use crate::intent::{later, since};
use crate::observed::Beat;
use dormouse_manifests::{AwakeWindow, IdleAfter};
use dormouse_state::{Desired, ServiceRecord};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A proxy's report older than this says nothing about use any more.
pub const FRESH: Duration = Duration::from_secs(30);

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
    /// Last use; `now` while something is open.
    pub last: Timestamp,
    /// Whether the proxy was heard of lately. Without it nothing is known to be idle.
    pub is_known: bool,
}

/// Puts together what the record, the proxy and the activator know.
pub fn usage(record: &ServiceRecord, proxy: Option<&Beat>, activator: AtActivator, now: Timestamp) -> Use {
    let activity = proxy.and_then(|beat| beat.activity.map(|activity| (beat, activity)));
    let mut last = record.last_activity.max(activator.last.unwrap_or(Timestamp::MIN));
    let mut in_flight = activator.in_flight;
    let mut is_known = false;
    if let Some((beat, activity)) = activity {
        is_known = since(now, beat.at) <= FRESH;
        in_flight += activity.in_flight + activity.open_sockets;
        let idle = SignedDuration::from_millis(activity.idle_for_ms.try_into().unwrap_or(i64::MAX));
        // A proxy that was never used is idle since its start: that is no use.
        if activity.requests + activity.open_sockets + activity.bytes > 0 {
            last = last.max(beat.at.checked_sub(idle).unwrap_or(last));
        }
    }
    if in_flight > 0 {
        last = last.max(now);
    }
    Use { in_flight, last, is_known }
}

/// When the service falls asleep if nobody uses it any more; `None`: not before something changes.
pub fn idle_at(
    record: &ServiceRecord,
    usage: &Use,
    dependents_awake: bool,
    now: Timestamp,
) -> Option<Timestamp> {
    let IdleAfter::After(after) = record.spec.idle_after else { return None };
    // Waking takes its time; the clock starts when there is something to use.
    let ready_at = record.pair.as_ref()?.ready_at?;
    if record.desired == Desired::Asleep || dependents_awake || usage.in_flight > 0 || !usage.is_known {
        return None;
    }
    if record.spec.awake.iter().any(|window| is_inside(window, now)) {
        return None;
    }
    let idle = later(usage.last.max(ready_at), after);
    Some(record.awake_until.map_or(idle, |until| idle.max(until)))
}

/// Whether a manifest's window keeps the service awake now. A zone that cannot be read keeps nothing awake:
/// the manifest's validation refuses those.
pub fn is_inside(window: &AwakeWindow, now: Timestamp) -> bool {
    let Ok(zone) = TimeZone::get(&window.timezone) else { return false };
    let local = now.to_zoned_datetime(zone);
    let (day, time) = (local.weekday(), local.time());
    if window.from < window.to {
        return window.days.contains(day) && (window.from..window.to).contains(&time);
    }
    // Across midnight: the window belongs to the day on which it begins.
    let before: Weekday = day.previous();
    (window.days.contains(day) && time >= window.from) || (window.days.contains(before) && time < window.to)
}

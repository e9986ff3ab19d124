//! How many wakes by requests a day allows (`spec.wake.dailyBudget`). The count stands in the record: a restart of the
//! controller starts no new day.

use crate::intent::{self, Deleting, since};
use dormouse_state::{Desired, ServiceRecord, WakeCount};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Why a request does not wake a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotWoken {
    /// It is being deleted.
    #[error(transparent)]
    Deleting(#[from] Deleting),
    /// The day's wakes are used up.
    #[error("requests have woken it {budget} times today (spec.wake.dailyBudget)")]
    Spent {
        /// How many a day allows.
        budget: u32,
        /// Until the next day.
        retry_after: Duration,
    },
}

/// Wakes a service for a request. Only what was asleep costs one of the day's wakes; operators, windows and dependents
/// neither pay nor are refused.
pub fn wake_by_request(
    known: &ServiceRecord,
    origin: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Option<ServiceRecord>, NotWoken> {
    if known.desired == Desired::Awake {
        return Ok(intent::wake(known, origin, reason, None, now)?);
    }
    let counted = count(known, now);
    if let Some(budget) = known.spec.wake.daily_budget.filter(|budget| counted.count >= *budget)
        && !known.deleting
    {
        return Err(NotWoken::Spent { budget, retry_after: until_tomorrow(now) });
    }
    let mut next = intent::wake(known, origin, reason, None, now)?;
    if let Some(next) = &mut next {
        next.wakes_today = Some(WakeCount { count: counted.count.saturating_add(1), ..counted });
    }
    Ok(next)
}

/// Wakes by requests on the day of `now`.
pub fn count(record: &ServiceRecord, now: Timestamp) -> WakeCount {
    let day = day(now);
    // A clock that goes back gives nothing back.
    record.wakes_today.filter(|known| known.day >= day).unwrap_or(WakeCount { day, count: 0 })
}

fn day(now: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(now).date()
}

fn until_tomorrow(now: Timestamp) -> Duration {
    let midnight = day(now).tomorrow().ok().and_then(|day| TimeZone::UTC.to_timestamp(day.into()).ok());
    let midnight = midnight.unwrap_or(Timestamp::MAX);
    since(midnight, now).max(SignedDuration::from_secs(1).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{moment, secs};
    use dormouse_manifests::{Service, ServiceSpec};

    fn asleep(budget: Option<u32>) -> ServiceRecord {
        let mut spec = ServiceSpec::defaults_for("demo");
        spec.wake.daily_budget = budget;
        intent::declare(None, &Service::new("hello", spec), moment("2026-03-01T00:00:00Z")).unwrap()
    }

    /// Wakes by a request at this time, and puts it to sleep again.
    fn use_once(record: &ServiceRecord, time: &str) -> Result<ServiceRecord, NotWoken> {
        let woken = wake_by_request(record, "request", "", moment(time))?.unwrap();
        Ok(intent::sleep(&woken, "idle", "", None, moment(time)).unwrap())
    }

    #[test]
    fn the_budget_is_for_a_day() {
        let mut record = asleep(Some(2));
        for (time, woken) in [
            ("2026-03-01T10:00:00Z", Ok(1)),
            ("2026-03-01T11:00:00Z", Ok(2)),
            ("2026-03-01T23:59:00Z", Err(NotWoken::Spent { budget: 2, retry_after: secs(60) })),
            ("2026-03-02T00:00:00Z", Ok(1)),
            // A clock that goes back does not open the day before again, nor a new one.
            ("2026-03-01T23:59:59Z", Ok(2)),
            ("2026-03-01T23:59:59Z", Err(NotWoken::Spent { budget: 2, retry_after: secs(1) })),
            ("2026-03-09T12:00:00Z", Ok(1)),
        ] {
            let result = use_once(&record, time);
            if let Ok(next) = &result {
                record = next.clone();
            }
            assert_eq!(result.map(|next| next.wakes_today.unwrap().count), woken, "{time}");
        }
    }

    #[test]
    fn without_one_wakes_are_counted_all_the_same() {
        let mut record = asleep(None);
        for expected in 1..=5 {
            record = use_once(&record, "2026-03-01T10:00:00Z").unwrap();
            assert_eq!(count(&record, moment("2026-03-01T10:00:00Z")).count, expected);
        }
        assert_eq!(count(&record, moment("2026-03-02T10:00:00Z")).count, 0);
    }

    #[test]
    fn what_is_awake_costs_nothing() {
        let now = moment("2026-03-01T10:00:00Z");
        let woken = wake_by_request(&asleep(Some(1)), "request", "", now).unwrap().unwrap();
        assert_eq!(wake_by_request(&woken, "request", "", now).unwrap(), None);
        assert_eq!(woken.wakes_today.unwrap().count, 1);
    }

    #[test]
    fn operators_windows_and_dependents_are_not_counted() {
        let now = moment("2026-03-01T10:00:00Z");
        let spent = use_once(&asleep(Some(1)), "2026-03-01T09:00:00Z").unwrap();
        let woken = intent::wake(&spent, "api", "", None, now).unwrap().unwrap();
        assert_eq!(woken.wakes_today, spent.wakes_today);
    }

    #[test]
    fn what_is_deleted_is_not_woken() {
        let now = moment("2026-03-01T10:00:00Z");
        let going = intent::delete(&asleep(Some(1)), now).unwrap();
        assert_eq!(wake_by_request(&going, "request", "", now), Err(NotWoken::Deleting(Deleting)));
    }
}

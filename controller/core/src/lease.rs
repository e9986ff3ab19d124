//! When to take, renew and give up the lease.
//!
//! Times are the caller's own monotonic clock: how long ago it began to see the nonce that it sees now, and
//! how long ago its own last successful renewal *began*. Nobody compares wall clocks.

use dormouse_state::{Lease, planted};
use std::time::Duration;

/// What to do about the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Take it: replace the lease with this nonce (`None`: there is none) by one of this epoch.
    Take {
        /// The nonce that must still be there.
        expected: Option<String>,
        /// Epoch of the new lease.
        epoch: u64,
    },
    /// It is another's and alive: look again.
    Watch,
}

/// The move of one that does not lead. `newest_epoch`: of all rows, the newest that a leader wrote one under; it is
/// asked for when there is no lease.
pub fn candidate(
    seen: Option<&Lease>,
    newest_epoch: u64,
    unchanged_for: Duration,
    duration: Duration,
) -> Move {
    match seen {
        // Nobody has ever led. Or the lease's row was taken away: whoever held it may act until it would have run out,
        // and what it wrote is written only under later epochs than its own.
        None if newest_epoch == 0 || unchanged_for >= dead_after(duration) => {
            Move::Take { expected: None, epoch: newest_epoch + 1 }
        }
        None => Move::Watch,
        // Released: free to take at once.
        Some(lease) if lease.nonce.is_empty() => {
            Move::Take { expected: Some(String::new()), epoch: lease.epoch + 1 }
        }
        // A slow clock of the holder is allowed for.
        Some(lease) if unchanged_for >= dead_after(duration) => {
            Move::Take { expected: Some(lease.nonce.clone()), epoch: lease.epoch + 1 }
        }
        Some(_) => Move::Watch,
    }
}

/// Whether one that leads may go on: its last renewal began less than a lease duration ago.
pub fn may_lead(renewal_began: Duration, duration: Duration) -> bool {
    renewal_began < duration
}

/// How often a holder renews.
pub fn renew_every(duration: Duration) -> Duration {
    duration / 3
}

/// How long until a candidate looks again: soon, and right when it may take what has not changed for so long.
pub fn watch_again(unchanged_for: Duration, duration: Duration) -> Duration {
    let left = dead_after(duration).saturating_sub(unchanged_for);
    watch_every(duration).min(left.max(Duration::from_millis(1)))
}

/// How often a candidate that nobody tells of changes reads a table of so many rows: 500 rows a second at most, however
/// many there are.
pub fn read_again(rows: usize) -> Duration {
    Duration::from_millis(2) * u32::try_from(rows).unwrap_or(u32::MAX)
}

/// How often a candidate looks.
fn watch_every(duration: Duration) -> Duration {
    duration / 10
}

/// A lease that has not changed for so long is nobody's.
fn dead_after(duration: Duration) -> Duration {
    if planted!(LeaseHeldForLong) {
        return duration * 60;
    }
    if planted!(TakesLiveLease) {
        return duration / 5;
    }
    duration + margin(duration)
}

/// Clocks that run at different rates, by 2 % each, and the time a write takes.
fn margin(duration: Duration) -> Duration {
    duration / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn held(nonce: &str) -> Lease {
        Lease { holder: "other".into(), nonce: nonce.into(), epoch: 4, url: None, at: None }
    }

    #[test]
    fn a_live_lease_is_left_alone() {
        assert_eq!(candidate(Some(&held("n")), 0, LEASE, LEASE), Move::Watch);
    }

    #[test]
    fn a_dead_or_released_lease_is_taken() {
        let take = |expected: Option<&str>, epoch| Move::Take { expected: expected.map(Into::into), epoch };
        assert_eq!(candidate(Some(&held("")), 0, Duration::ZERO, LEASE), take(Some(""), 5));
        assert_eq!(candidate(Some(&held("n")), 0, LEASE + LEASE / 20, LEASE), take(Some("n"), 5));
    }

    #[test]
    fn a_lease_that_was_taken_away_begins_behind_what_is_written() {
        let take = |epoch| Move::Take { expected: None, epoch };
        for (newest_epoch, unchanged_for, expected) in [
            (0, Duration::ZERO, take(1)),
            (7, Duration::ZERO, Move::Watch),
            (7, LEASE, Move::Watch),
            (7, LEASE + LEASE / 20, take(8)),
        ] {
            assert_eq!(candidate(None, newest_epoch, unchanged_for, LEASE), expected, "{newest_epoch}");
        }
    }

    #[test]
    fn a_larger_table_is_read_less_often() {
        for (rows, milliseconds) in [(0, 0), (100, 200), (1_000, 2_000), (10_000, 20_000)] {
            assert_eq!(read_again(rows), Duration::from_millis(milliseconds));
        }
    }

    #[test]
    fn takeover_takes_at_most_17_4_seconds() {
        let worst = LEASE + margin(LEASE) + watch_every(LEASE);
        assert!(worst <= Duration::from_millis(17_400), "{worst:?}");
    }

    #[test]
    fn a_holder_stops_before_another_may_begin() {
        assert!(may_lead(LEASE - Duration::from_millis(1), LEASE));
        assert!(!may_lead(LEASE, LEASE));
    }
}

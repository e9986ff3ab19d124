//! When the next heartbeat is due.

use crate::jitter::Jitter;
use std::time::Duration;

/// Between heartbeats while no answer was received yet.
pub const FIRST: Duration = Duration::from_millis(500);
/// The longest delay after errors.
pub const SLOWEST: Duration = Duration::from_secs(5);
/// The least time between two heartbeats, however much changes: what changes meanwhile is told in one.
pub const CLOSEST: Duration = Duration::from_millis(50);
/// What the controller may ask for: it can neither flood itself nor fall silent by mistake.
const ASKED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// Doubles after each error, does what the controller asks after each answer.
#[derive(Debug)]
pub struct Pace {
    errors: u32,
    jitter: Jitter,
}

impl Pace {
    /// Before the first heartbeat.
    pub const fn new(jitter: Jitter) -> Pace {
        Pace { errors: 0, jitter }
    }

    /// After an answer that asks for this interval.
    pub fn answered(&mut self, interval_ms: u64) -> Duration {
        self.errors = 0;
        Duration::from_millis(interval_ms).clamp(ASKED.0, ASKED.1)
    }

    /// After an error: 0.5 s, 1 s, 2 s, 4 s, 5 s, 5 s …, each shortened by up to 20 %.
    pub fn failed(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.errors.min(8)).min(SLOWEST);
        self.errors = self.errors.saturating_add(1);
        self.jitter.shorten(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_slow_it_down_and_an_answer_restores_it() {
        let mut pace = Pace::new(Jitter::seeded(3));
        for full in [500, 1000, 2000, 4000, 5000, 5000] {
            let (got, full) = (pace.failed(), Duration::from_millis(full));
            assert!(got <= full && got >= full * 79 / 100, "{got:?} for {full:?}");
        }
        assert_eq!(pace.answered(1000), Duration::from_secs(1));
        assert!(pace.failed() <= FIRST);
    }

    #[test]
    fn the_controller_cannot_ask_for_nonsense() {
        let mut pace = Pace::new(Jitter::seeded(3));
        assert_eq!(pace.answered(0), Duration::from_millis(100));
        assert_eq!(pace.answered(u64::MAX), Duration::from_secs(60));
    }
}

//! How long a wake takes, from those that this service had.

use super::words::Span;
use std::fmt;
use std::time::Duration;

/// Fewer wakes say nothing about the slowest ones.
const ENOUGH: usize = 5;

/// What past wakes let expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Estimate {
    /// Half of them were no slower.
    pub(super) usual: Duration,
    /// Nine of ten were no slower; unknown when there were few.
    pub(super) slow: Option<Duration>,
    count: usize,
}

impl Estimate {
    /// From durations in milliseconds.
    pub(super) fn of(wakes: &[u32]) -> Option<Estimate> {
        let mut sorted = wakes.to_vec();
        sorted.sort_unstable();
        // The nearest rank.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map(|milliseconds| Duration::from_millis(u64::from(*milliseconds)))
        };
        let slow = if sorted.len() >= ENOUGH { at(90) } else { None };
        Some(Estimate { usual: at(50)?, slow, count: sorted.len() })
    }

    /// More than this is unusual.
    pub(super) fn longest(&self) -> Duration {
        self.slow.unwrap_or(self.usual * 3 / 2).max(self.usual)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |span: Duration| Span(Duration::from_secs(span.as_secs_f64().round().max(1.0) as u64));
        let usual = whole(self.usual);
        match self.slow {
            _ if self.count == 1 => write!(f, "last time it took {usual}"),
            Some(slow) if whole(slow).to_string() != usual.to_string() => {
                write!(f, "usually {usual}, rarely more than {}", whole(slow))
            }
            _ => write!(f, "usually {usual}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_wakes_in_words() {
        for (wakes, words) in [
            (&[][..], ""),
            (&[41_234], "last time it took 41 s"),
            (&[300], "last time it took 1 s"),
            (&[40_000, 60_000], "usually 40 s"),
            (&[10_000, 30_000, 20_000, 50_000, 90_000], "usually 30 s, rarely more than 1 min 30 s"),
            (&[20_000; 20], "usually 20 s"),
        ] {
            assert_eq!(Estimate::of(wakes).map_or_else(String::new, |found| found.to_string()), words);
        }
    }

    #[test]
    fn one_slow_wake_of_twenty_is_no_rule() {
        let mut wakes = [20_000; 20];
        wakes[7] = 600_000;
        assert_eq!(Estimate::of(&wakes).unwrap().longest(), Duration::from_secs(20));
    }
}

//! Small random numbers: good enough to spread retries and to tell processes apart, not for secrets.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A xorshift generator.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// Seeded from the system's randomness, as hash maps are.
    pub fn new() -> Jitter {
        Jitter::seeded(RandomState::new().hash_one(std::process::id()))
    }

    /// The same numbers for the same seed: for tests.
    pub const fn seeded(seed: u64) -> Jitter {
        // Zero is the one state that xorshift never leaves.
        Jitter(if seed == 0 { 0x9E37_79B9_7F4A_7C15 } else { seed })
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Between 80 % and 100 % of a duration: jitter only shortens, so that a sum of delays keeps its bound.
    pub fn shorten(&mut self, full: Duration) -> Duration {
        let per_mille = 800 + self.number() % 201;
        let nanos = u64::try_from(full.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos / 1000 * per_mille + nanos % 1000 * per_mille / 1000)
    }
}

impl Default for Jitter {
    fn default() -> Jitter {
        Jitter::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_within_a_fifth(seed: u64, ms in 0u64..10_000_000) {
            let full = Duration::from_millis(ms);
            let got = Jitter::seeded(seed).shorten(full);
            prop_assert!(got <= full && got >= full * 79 / 100, "{got:?} of {full:?}");
        }
    }

    #[test]
    fn two_processes_differ() {
        assert_ne!(Jitter::new().number(), Jitter::new().number());
    }
}

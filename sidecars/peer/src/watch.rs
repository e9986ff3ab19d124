//! The watch over another process, as a pure state machine: check results in, verdict and next check out.
//!
//! - Until the first success, a check every 200 ms: a wake waits for it. Failures do not count yet.
//! - They count after the first success, or once the grace period is over.
//! - While healthy, a check every `base`. After a counted failure the next ones come sooner, then back off:
//!   `base/4`, `base/2`, `base`, `base` … each shortened by up to 20 %, so that many watchers spread out.
//! - `max_failures` counted ones in a row: lost.
//!
//! Delays run from one check's *start* to the next one's, and a check takes at most [`Settings::timeout`]
//! (≤ `base`). Jitter only shortens. So a peer that dies or freezes is found lost within
//! `max_failures × base` plus one time-out, whatever the settings.

use crate::jitter::Jitter;
use crate::wire::PeerHealth;
use std::time::Duration;

/// Between checks until the first success.
const EAGER: Duration = Duration::from_millis(200);
/// A frozen process takes the connection but never answers; nobody healthy needs longer for a health check.
const LONGEST_CHECK: Duration = Duration::from_secs(3);

/// What makes a watch patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Between checks of a healthy process.
    pub base: Duration,
    /// So many counted failures in a row make it lost; at least 1.
    pub max_failures: u32,
    /// Failures before the first success count only after this.
    pub grace: Duration,
}

impl Settings {
    /// How long one check may take: `base`, but at most 3 s.
    pub fn timeout(&self) -> Duration {
        self.base.min(LONGEST_CHECK)
    }
}

/// What a check says about the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has never answered, and still may take its time.
    Awaited,
    /// The last check succeeded.
    Healthy,
    /// The last check failed, and counted.
    Failing,
    /// Too many counted failures in a row.
    Lost,
}

/// The state of a watch. Times are since any fixed instant, as long as it is the same one.
#[derive(Debug)]
pub struct Watch {
    settings: Settings,
    since: Duration,
    ever: bool,
    healthy: bool,
    failures: u32,
    jitter: Jitter,
}

impl Watch {
    /// Starts to watch a process whose address becomes known now.
    pub const fn new(settings: Settings, now: Duration, jitter: Jitter) -> Watch {
        Watch { settings, since: now, ever: false, healthy: false, failures: 0, jitter }
    }

    /// Another process took its place: it gets the whole grace period, as a new one.
    pub const fn replaced(&mut self, now: Duration) {
        self.since = now;
        self.ever = false;
        self.healthy = false;
        self.failures = 0;
    }

    /// Takes in a check's result; gives the verdict, and the delay from this check's start to the next one's.
    pub fn record(&mut self, healthy: bool, now: Duration) -> (Verdict, Duration) {
        self.healthy = healthy;
        if healthy {
            self.ever = true;
            self.failures = 0;
            return (Verdict::Healthy, self.settings.base);
        }
        if !self.ever && now.saturating_sub(self.since) < self.settings.grace {
            return (Verdict::Awaited, EAGER.min(self.settings.base));
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.settings.max_failures {
            return (Verdict::Lost, Duration::ZERO);
        }
        let full = match self.failures {
            1 => self.settings.base / 4,
            2 => self.settings.base / 2,
            _ => self.settings.base,
        };
        (Verdict::Failing, self.jitter.shorten(full))
    }

    /// For the heartbeat.
    pub const fn health(&self) -> PeerHealth {
        PeerHealth { healthy: self.healthy, ever_healthy: self.ever, failures: self.failures }
    }

    /// The settings it was made with.
    pub const fn settings(&self) -> Settings {
        self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Awaited, Failing, Healthy, Lost};
    use proptest::prelude::*;

    const S: Settings =
        Settings { base: Duration::from_secs(5), max_failures: 3, grace: Duration::from_secs(60) };

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    /// A row: at this second a check ended like this; then the verdict and the counted failures are those.
    fn table(settings: Settings, rows: &[(u64, bool, Verdict, u32)]) {
        let mut watch = Watch::new(settings, secs(0), Jitter::seeded(1));
        for (at, healthy, verdict, failures) in rows {
            let (got, _) = watch.record(*healthy, secs(*at));
            assert_eq!((got, watch.health().failures), (*verdict, *failures), "at {at}");
        }
    }

    #[test]
    fn failures_count_after_the_first_success() {
        table(
            S,
            &[
                (1, false, Awaited, 0),
                (2, false, Awaited, 0),
                (3, true, Healthy, 0),
                (8, false, Failing, 1),
                (9, false, Failing, 2),
                (11, true, Healthy, 0),
                (16, false, Failing, 1),
                (17, false, Failing, 2),
                (19, false, Lost, 3),
            ],
        );
    }

    #[test]
    fn failures_count_after_the_grace_period() {
        table(
            S,
            &[
                (59, false, Awaited, 0),
                (60, false, Failing, 1),
                (61, false, Failing, 2),
                (64, false, Lost, 3),
            ],
        );
    }

    #[test]
    fn one_failure_can_be_enough() {
        table(Settings { max_failures: 1, ..S }, &[(1, true, Healthy, 0), (6, false, Lost, 1)]);
    }

    #[test]
    fn a_new_process_gets_a_new_grace_period() {
        let mut watch = Watch::new(S, secs(0), Jitter::seeded(1));
        assert_eq!(watch.record(true, secs(1)).0, Healthy);
        assert_eq!(watch.record(false, secs(6)).0, Failing);
        watch.replaced(secs(7));
        assert_eq!(watch.health(), PeerHealth::default());
        assert_eq!(watch.record(false, secs(66)).0, Awaited);
        assert_eq!(watch.record(false, secs(67)).0, Failing);
    }

    #[test]
    fn checks_are_eager_then_steady_then_back_off() {
        let settings = Settings { max_failures: 9, ..S };
        let mut watch = Watch::new(settings, secs(0), Jitter::seeded(7));
        assert_eq!(watch.record(false, secs(1)).1, EAGER);
        assert_eq!(watch.record(true, secs(2)).1, secs(5));
        let within = |got: Duration, full: u64| {
            let full = Duration::from_millis(full);
            assert!(got <= full && got >= full * 79 / 100, "{got:?} for {full:?}");
        };
        within(watch.record(false, secs(7)).1, 1250);
        within(watch.record(false, secs(8)).1, 2500);
        within(watch.record(false, secs(10)).1, 5000);
        within(watch.record(false, secs(15)).1, 5000);
        assert_eq!(watch.record(true, secs(20)).1, secs(5));
    }

    proptest! {
        /// Dead or frozen right after a success: found within `max_failures × base` and one time-out.
        #[test]
        fn a_lost_process_is_found_in_time(
            seed: u64, base_ms in 1u64..60_000, max_failures in 1u32..20, frozen: bool,
        ) {
            let settings = Settings { base: Duration::from_millis(base_ms), max_failures, grace: secs(600) };
            let mut watch = Watch::new(settings, secs(0), Jitter::seeded(seed));
            let takes = if frozen { settings.timeout() } else { Duration::ZERO };
            let mut start = watch.record(true, secs(0)).1;
            let lost_at = loop {
                let end = start + takes;
                let (verdict, delay) = watch.record(false, end);
                if verdict == Lost {
                    break end;
                }
                start = (start + delay).max(end);
            };
            prop_assert!(lost_at <= settings.base * max_failures + settings.timeout());
        }

        /// Never lost before `max_failures` failures in a row, counted from the last success.
        #[test]
        fn a_success_forgives(seed: u64, results in prop::collection::vec(any::<bool>(), 1..200)) {
            let mut watch = Watch::new(S, secs(0), Jitter::seeded(seed));
            let mut in_a_row = 0;
            let mut ever = false;
            for (i, healthy) in results.into_iter().enumerate() {
                let now = secs(i as u64);
                let counts = ever || now >= S.grace;
                in_a_row = if healthy { 0 } else { in_a_row + u32::from(counts) };
                ever |= healthy;
                let (verdict, delay) = watch.record(healthy, now);
                prop_assert_eq!(verdict == Lost, in_a_row >= S.max_failures);
                prop_assert_eq!(watch.health(), PeerHealth { healthy, ever_healthy: ever, failures: in_a_row });
                prop_assert!(delay <= S.base);
                if verdict == Lost { return Ok(()); }
            }
        }
    }
}

//! How many calls may be made: token buckets that keep to a share of AWS's rates over any minute.
//!
//! Sources: Amazon ECS API throttling (ECS API Reference, "Request throttling"), Amazon Route 53 quotas ("five
//! requests per second per account"), Amazon CloudWatch Logs quotas (FilterLogEvents: five a second in most
//! regions). Where AWS publishes no rate, a modest one is assumed.

use std::time::Duration;

/// Calls that AWS counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// RunTask on EC2, StopTask, UpdateContainerInstancesState.
    Modify,
    /// RunTask on Fargate.
    RunFargate,
    /// List and Describe of tasks and container instances.
    Read,
    /// Register and Deregister of task definitions.
    Define,
    /// Everything of Route 53.
    Zone,
    /// Auto Scaling.
    Scale,
    /// DescribeNetworkInterfaces.
    Network,
    /// FilterLogEvents.
    Logs,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::Modify,
        Kind::RunFargate,
        Kind::Read,
        Kind::Define,
        Kind::Zone,
        Kind::Scale,
        Kind::Network,
        Kind::Logs,
    ];

    /// AWS's sustained rate in calls a second, and the burst that we allow ourselves.
    fn limits(self) -> (f64, f64) {
        match self {
            Kind::Modify => (40.0, 40.0),
            Kind::RunFargate => (20.0, 20.0),
            Kind::Read => (20.0, 40.0),
            Kind::Define => (1.0, 12.0),
            Kind::Zone | Kind::Logs => (5.0, 5.0),
            Kind::Scale | Kind::Network => (10.0, 20.0),
        }
    }
}

/// A bucket of calls. Time is whatever monotonic clock the caller has.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket that hands out at most `share` (0 to 1) of the kind's sustained rate in any minute, its
    /// burst included.
    pub fn new(kind: Kind, share: f64, now: Duration) -> Bucket {
        let (rate, burst) = kind.limits();
        let minute = rate * share * 60.0;
        let burst = burst.min(minute / 2.0).max(1.0);
        Bucket { burst, per_second: ((minute - burst) / 60.0).max(0.01), tokens: burst, at: now }
    }

    /// Takes `calls` if `reserve` are left afterwards for those that are more urgent; otherwise how long to wait
    /// before asking again. More calls at once than the bucket holds are handed out once it is full.
    pub fn take(&mut self, calls: u32, reserve: u32, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = self.at.max(now);
        let needed = (f64::from(calls) + f64::from(reserve)).min(self.burst);
        if self.tokens >= needed {
            self.tokens -= f64::from(calls);
            return Ok(());
        }
        let wait = (needed - self.tokens) / self.per_second;
        Err(Duration::from_secs_f64(wait.clamp(0.001, 60.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(Kind::Zone, 0.5, MS(0));
        for _ in 0..5 {
            assert_eq!(bucket.take(1, 0, MS(0)), Ok(()));
        }
        let wait = bucket.take(1, 0, MS(0)).unwrap_err();
        assert!(wait > MS(400) && wait < MS(450), "{wait:?}");
        assert_eq!(bucket.take(1, 0, wait + MS(1)), Ok(()));
    }

    #[test]
    fn the_urgent_find_a_reserve() {
        let mut bucket = Bucket::new(Kind::Define, 0.5, MS(0));
        while bucket.take(1, 6, MS(0)).is_ok() {}
        assert_eq!(bucket.take(1, 0, MS(0)), Ok(()), "what the others leave");
    }

    proptest! {
        #[test]
        fn never_more_than_the_share_in_any_minute(
            kind in proptest::sample::select(Kind::ALL.to_vec()),
            share in 0.1f64..=1.0,
            gaps in proptest::collection::vec(0u64..2_000, 1..600),
        ) {
            let mut bucket = Bucket::new(kind, share, MS(0));
            let (mut now, mut taken) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                while bucket.take(1, 0, MS(now)).is_ok() {
                    taken.push(now);
                }
            }
            let most = kind.limits().0 * share * 60.0;
            for (i, from) in taken.iter().enumerate() {
                let within = taken[i..].iter().take_while(|at| **at < from + 60_000).count();
                prop_assert!(within as f64 <= most.max(1.0) + 1.0, "{within} calls in a minute, {most} allowed");
            }
        }
    }
}

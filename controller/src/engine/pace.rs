//! The budget of calls, kept against the monotonic clock.

use dormouse_core::budget::{Bucket, Kind};
use dormouse_state::planted;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Hands out calls. Without a share there is no limit: for clouds that have none.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    buckets: Mutex<BTreeMap<Kind, Bucket>>,
}

impl Pace {
    /// At most `share` (0 to 1) of AWS's sustained rates.
    pub fn new(share: Option<f64>) -> Pace {
        let bucket = |share| Kind::ALL.map(|kind| (kind, Bucket::new(kind, share, Duration::ZERO)));
        let buckets = share.map(bucket).into_iter().flatten().collect();
        Pace { start: Instant::now(), buckets: Mutex::new(buckets) }
    }

    /// Waits until so many calls may be made.
    pub async fn take(&self, kind: Kind, calls: usize) {
        while let Err(wait) = self.try_take(kind, calls, 0) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes so many calls if `reserve` are left for those that are more urgent; otherwise answers when to ask
    /// again.
    pub fn try_take(&self, kind: Kind, calls: usize, reserve: u32) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.get_mut(&kind).filter(|_| !planted!(NoBudget)) else { return Ok(()) };
        bucket.take(calls.try_into().unwrap_or(u32::MAX), reserve, self.start.elapsed())
    }
}

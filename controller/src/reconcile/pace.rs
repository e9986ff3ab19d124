//! The budget of calls, kept against the monotonic clock.

use dormouse_aws::ports::CloudError;
use dormouse_core::budget::{Bucket, Kind};
use dormouse_state::planted;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a read that was throttled waits before it is made again, time after time: others of the account may leave
/// very little of a quota, and to begin the whole sweep anew would use that up.
const THROTTLED: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Hands out calls. Without a share there is no limit: for clouds that have none.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    buckets: Mutex<BTreeMap<Kind, Bucket>>,
    /// Who waits for calls of a kind waits in the order of coming: whoever needs several at once would find them taken
    /// one by one, for as long as somebody is there who needs one.
    turns: BTreeMap<Kind, tokio::sync::Mutex<()>>,
}

impl Pace {
    /// At most `share` (0 to 1) of AWS's sustained rates.
    pub fn new(share: Option<f64>) -> Pace {
        let bucket = |share| Kind::ALL.map(|kind| (kind, Bucket::new(kind, share, Duration::ZERO)));
        let buckets = share.map(bucket).into_iter().flatten().collect();
        let turns = Kind::ALL.map(|kind| (kind, tokio::sync::Mutex::default())).into();
        Pace { start: Instant::now(), buckets: Mutex::new(buckets), turns }
    }

    /// Waits until so many calls may be made.
    pub async fn take(&self, kind: Kind, calls: usize) {
        let _turn = match self.turns.get(&kind) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        while let Err(wait) = self.try_take(kind, calls, 0) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Reads once so many calls may be made, and again while it is throttled.
    pub async fn read<T, F>(&self, kind: Kind, calls: usize, read: impl Fn() -> F) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, CloudError>>,
    {
        let mut waits = THROTTLED.into_iter();
        loop {
            self.take(kind, calls).await;
            match (read().await, waits.next()) {
                (Err(CloudError::Throttled { .. }), Some(wait)) => tokio::time::sleep(wait).await,
                (result, _) => return result,
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// (How often it is throttled before it is answered) → how often it is made, and for how long, if it succeeds.
    #[tokio::test(start_paused = true)]
    async fn a_throttled_read_is_made_again_a_few_times() {
        for (throttled, expected) in [(0, Some((1, 0))), (1, Some((2, 500))), (3, Some((4, 3500))), (4, None)]
        {
            let made = Cell::new(0);
            let began = Instant::now();
            let read = || async {
                made.set(made.get() + 1);
                if made.get() > throttled { Ok(()) } else { Err(CloudError::Throttled { operation: "read" }) }
            };
            let result = Pace::new(None).read(Kind::Read, 1, read).await;
            let took = began.elapsed().as_millis();
            assert_eq!(result.ok().map(|()| (made.get(), took)), expected, "throttled {throttled} times");
        }
    }

    /// A sweep that sidecars nudge takes one call after another, as soon as there is one.
    #[tokio::test(start_paused = true)]
    async fn whoever_needs_two_calls_has_them_before_one_that_comes_later_and_needs_one() {
        let pace = Pace::new(Some(0.5));
        while pace.try_take(Kind::Read, 1, 0).is_ok() {}
        let sweep = async {
            loop {
                pace.take(Kind::Read, 1).await;
            }
        };
        let began = Instant::now();
        tokio::select! {
            biased;
            () = sweep => {}
            () = pace.take(Kind::Read, 2) => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_otherwise_is_not_made_again() {
        let made = Cell::new(0);
        let read = || async {
            made.set(made.get() + 1);
            Err::<(), _>(CloudError::Unknown { operation: "read", message: String::new() })
        };
        assert!(Pace::new(None).read(Kind::Read, 1, read).await.is_err());
        assert_eq!(made.get(), 1);
    }
}

//! What the proxy counts: requests, sockets, bytes, and since when nothing happened.
//!
//! Sleep is decided on these numbers, so they err towards "busy": a count goes up before the work begins and
//! down after it ended, and where a request turns into a socket the two overlap.

use crate::clock;
use dormouse_peer::wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::Instant;

/// A request after this much idleness is news for the controller.
const IDLE_IS_NEWS: Duration = Duration::from_secs(1);

/// The counters of one proxy process.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    in_flight: AtomicU64,
    sockets: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// Milliseconds after `start`.
    last: AtomicU64,
}

impl Activity {
    /// All zero, from now.
    pub fn new() -> Activity {
        Activity {
            start: Instant::now(),
            in_flight: AtomicU64::new(0),
            sockets: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    /// A request begins. It is in flight until the guard goes; `true`: it ends an idle time of a second or more.
    pub fn request(self: &Arc<Self>) -> (Busy, bool) {
        let news = self.is_quiet();
        self.in_flight.fetch_add(1, SeqCst);
        self.requests.fetch_add(1, SeqCst);
        self.touch();
        (Busy { activity: Arc::clone(self), what: What::Request, quiet: false }, news)
    }

    /// An upgraded socket opens. It is open until the guard goes.
    pub fn socket(self: &Arc<Self>) -> Busy {
        self.sockets.fetch_add(1, SeqCst);
        self.touch();
        Busy { activity: Arc::clone(self), what: What::Socket, quiet: false }
    }

    /// A raw connection begins: a socket, and a request taken, but none in flight.
    pub fn connection(self: &Arc<Self>) -> (Busy, bool) {
        let news = self.is_quiet();
        self.requests.fetch_add(1, SeqCst);
        (self.socket(), news)
    }

    /// Payload bytes went one way or the other.
    pub fn moved(&self, bytes: usize) {
        if bytes > 0 {
            self.bytes.fetch_add(bytes as u64, SeqCst);
            self.touch();
        }
    }

    /// The numbers now.
    pub fn snapshot(&self) -> wire::Activity {
        // In this order: a request that becomes a socket is seen as one of them, and work that begins and
        // ends in between shows as recent.
        let in_flight = self.in_flight.load(SeqCst);
        let open_sockets = self.sockets.load(SeqCst);
        wire::Activity {
            in_flight,
            open_sockets,
            requests: self.requests.load(SeqCst),
            bytes: self.bytes.load(SeqCst),
            idle_for_ms: self.now().saturating_sub(self.last.load(SeqCst)),
        }
    }

    fn is_quiet(&self) -> bool {
        let now = self.snapshot();
        now.in_flight == 0 && now.open_sockets == 0 && u128::from(now.idle_for_ms) >= IDLE_IS_NEWS.as_millis()
    }

    fn now(&self) -> u64 {
        u64::try_from(clock::now().saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn touch(&self) {
        self.last.fetch_max(self.now(), SeqCst);
    }
}

impl Default for Activity {
    fn default() -> Activity {
        Activity::new()
    }
}

#[derive(Debug)]
enum What {
    Request,
    Socket,
}

/// Something that goes on until this is dropped.
#[derive(Debug)]
pub struct Busy {
    activity: Arc<Activity>,
    what: What,
    quiet: bool,
}

impl Busy {
    /// It goes on, and counts no more: nothing has happened for long, and this is nothing that happens.
    pub fn end_quietly(mut self) {
        self.quiet = true;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.quiet {
            self.activity.touch();
        }
        match self.what {
            What::Request => self.activity.in_flight.fetch_sub(1, SeqCst),
            What::Socket => self.activity.sockets.fetch_sub(1, SeqCst),
        };
    }
}

/// Whether a proxy should end itself: idle for `limit`, and nobody there to say so for as long.
pub fn is_abandoned(limit: Duration, silent: Duration, now: &wire::Activity) -> bool {
    now.in_flight == 0
        && now.open_sockets == 0
        && silent >= limit
        && u128::from(now.idle_for_ms) >= limit.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn idleness_runs_from_the_last_sign_of_life() {
        let activity = Arc::new(Activity::new());
        advance(Duration::from_secs(5)).await;
        assert_eq!(activity.snapshot().idle_for_ms, 5000);
        let (busy, news) = activity.request();
        assert!(news);
        assert!(!activity.request().1, "a second one is none");
        advance(Duration::from_secs(2)).await;
        assert_eq!((activity.snapshot().in_flight, activity.snapshot().idle_for_ms), (1, 2000));
        activity.moved(0);
        assert_eq!(activity.snapshot().idle_for_ms, 2000, "no byte moved");
        activity.moved(3);
        assert_eq!(activity.snapshot().idle_for_ms, 0);
        advance(Duration::from_secs(2)).await;
        drop(busy);
        let after = activity.snapshot();
        assert_eq!((after.in_flight, after.requests, after.bytes, after.idle_for_ms), (0, 2, 3, 0));
        assert!(!activity.request().1, "idle for less than a second");
    }

    #[test]
    fn abandoned_only_when_idle_and_alone() {
        let limit = Duration::from_secs(10);
        let idle = wire::Activity { idle_for_ms: 10_000, ..Default::default() };
        assert!(is_abandoned(limit, limit, &idle));
        assert!(!is_abandoned(limit, Duration::from_millis(9999), &idle));
        assert!(!is_abandoned(limit, limit, &wire::Activity { idle_for_ms: 9999, ..idle }));
        assert!(!is_abandoned(limit, limit, &wire::Activity { in_flight: 1, ..idle }));
        assert!(!is_abandoned(limit, limit, &wire::Activity { open_sockets: 1, ..idle }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// Whatever four threads do at once, the counts are those of a reference; and no snapshot, at any
        /// moment, misses a request that lasts all the while.
        #[test]
        fn counts_are_exact_under_concurrency(work in prop::collection::vec((0u8..4, 0usize..1000), 40..400)) {
            let activity = Arc::new(Activity::new());
            let (lasting, _) = activity.request();
            std::thread::scope(|scope| {
                for quarter in work.chunks(work.len().div_ceil(4)) {
                    let activity = &activity;
                    scope.spawn(move || {
                        let mut kept = Vec::new();
                        for (what, bytes) in quarter {
                            match what {
                                0 => kept.push(activity.request().0),
                                1 => kept.push(activity.socket()),
                                2 => drop(kept.pop()),
                                _ => activity.moved(*bytes),
                            }
                            assert!(activity.snapshot().in_flight >= 1);
                        }
                    });
                }
            });
            let count = |what: u8| work.iter().filter(|(w, _)| *w == what).count() as u64;
            let now = activity.snapshot();
            let bytes: usize = work.iter().filter(|(w, _)| *w == 3).map(|(_, b)| b).sum();
            prop_assert_eq!((now.in_flight, now.open_sockets), (1, 0));
            prop_assert_eq!((now.requests, now.bytes), (count(0) + 1, bytes as u64));
            drop(lasting);
            prop_assert_eq!(activity.snapshot().in_flight, 0);
        }
    }
}

//! The time of a world: asked for far more often than it changes.

use crate::profile::Ms;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Instant;

/// Raised by whoever lets time pass.
pub type Passed = Arc<AtomicBool>;

/// Milliseconds since a world began. Paused time passes only while the runtime's thread is parked.
#[derive(Debug)]
pub struct Time {
    start: Instant,
    passed: Option<Passed>,
    now: AtomicU64,
}

impl Time {
    /// A time that begins now. Without `passed` the clock is asked every time.
    pub fn begin(passed: Option<Passed>) -> Time {
        Time { start: Instant::now(), passed, now: AtomicU64::new(0) }
    }

    /// Now.
    pub fn now(&self) -> Ms {
        if self.passed.as_ref().is_none_or(|passed| passed.swap(false, Ordering::Relaxed)) {
            let now = self.start.elapsed().as_millis().try_into().unwrap_or(Ms::MAX);
            self.now.store(now, Ordering::Relaxed);
        }
        self.now.load(Ordering::Relaxed)
    }

    /// The instant of a time of this world.
    pub fn instant(&self, at: Ms) -> Instant {
        self.start + std::time::Duration::from_millis(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::sleep;

    #[test]
    fn it_is_what_the_clock_says() {
        let passed = Passed::default();
        let passes = passed.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true);
        runtime.on_thread_unpark(move || passes.store(true, Ordering::Relaxed));
        runtime.build().unwrap().block_on(async {
            let (cached, asked) = (Time::begin(Some(passed)), Time::begin(None));
            for span in [0, 1, 63, 64, 5_000, 3, 300_000] {
                sleep(Duration::from_millis(span)).await;
                assert_eq!(cached.now(), asked.now());
                assert_eq!(cached.now(), asked.now(), "nothing passed meanwhile");
            }
            assert!(cached.now() >= 305_131);
        });
    }
}

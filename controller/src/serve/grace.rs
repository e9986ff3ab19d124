//! How long what is under way may take, once it is to end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// A time that begins to run when the end is asked for, wherever that is waited for.
#[derive(Debug, Clone)]
pub struct Grace {
    total: Duration,
    since: Arc<OnceLock<Instant>>,
}

impl Grace {
    /// So long from [`Grace::begin`] on.
    pub fn of(total: Duration) -> Grace {
        Grace { total, since: Arc::default() }
    }

    /// It runs from now on; again, it runs already.
    pub fn begin(&self) {
        self.since.get_or_init(Instant::now);
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.since.get().map_or(self.total, |since| self.total.saturating_sub(since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_runs_from_its_beginning() {
        let grace = Grace::of(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(grace.left(), Duration::from_secs(10));
        grace.clone().begin();
        tokio::time::advance(Duration::from_secs(4)).await;
        grace.begin();
        assert_eq!(grace.left(), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(grace.left(), Duration::ZERO);
    }
}

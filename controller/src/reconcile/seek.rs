//! A name that a standby does not know: it may have been declared at the leader a moment ago.

use super::Controller;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many names may be looked for at once.
const AT_ONCE: u32 = 10;
/// And then one in this time: whoever thinks of names has next to nothing read.
const EVERY: Duration = Duration::from_secs(1);

/// How many names may still be looked for.
#[derive(Debug, Default)]
pub(super) struct Seeking(Mutex<Option<Instant>>);

impl Seeking {
    /// Takes one, if there is one.
    fn take(&self, now: Instant) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // When all of them will be there again.
        let full_at = spent.unwrap_or(now).max(now) + EVERY;
        let may = full_at <= now + EVERY * AT_ONCE;
        if may {
            *spent = Some(full_at);
        }
        may
    }
}

impl Controller {
    /// Reads what the table has of a name that nobody here knows, and the templates, which may be for it. Answers whether
    /// anything was read; the leader knows all there is.
    pub(super) async fn seek(&self, name: &str) -> bool {
        if self.is_leader() || !self.seeking.take(Instant::now()) {
            return false;
        }
        self.reread(name).await;
        if self.records.contains(name) {
            self.publish(name);
        } else {
            self.refresh_templates().await;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_one_a_second() {
        let (seeking, begin) = (Seeking::default(), Instant::now());
        let taken = |after: u64| (0..20).filter(|_| seeking.take(begin + Duration::from_secs(after))).count();
        assert_eq!([taken(0), taken(0), taken(1), taken(4), taken(100)], [10, 0, 1, 3, 10]);
    }
}

//! What was true a while ago.

use crate::profile::Ms;

/// How far back a read can be.
const KEPT: Ms = 90_000;

/// Values by the time since when they were true.
#[derive(Debug, Clone)]
pub struct History<T>(Vec<(Ms, T)>);

impl<T> Default for History<T> {
    fn default() -> History<T> {
        History(Vec::new())
    }
}

impl<T> History<T> {
    /// A new value, from now on.
    pub fn push(&mut self, now: Ms, value: T) {
        // Whatever ended before the oldest read can be forgotten.
        while self.0.len() > 1 && self.0[1].0 + KEPT < now {
            self.0.remove(0);
        }
        self.0.push((now, value));
    }

    /// The value at a time; `None` before the first.
    pub fn at(&self, time: Ms) -> Option<&T> {
        self.0.iter().rev().find(|(since, _)| *since <= time).map(|(_, value)| value)
    }
}

//! How many calls were made to AWS, and how they went: what metrics and budgets read.

use crate::ports::CloudError;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Calls of one operation since the start. A read that the SDK tried twice counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCount {
    /// All of them.
    pub calls: u64,
    /// Those that were throttled.
    pub throttled: u64,
    /// Those that failed in another way.
    pub failed: u64,
}

/// Counts calls by operation, e.g. `ecs:RunTask`.
#[derive(Debug, Default)]
pub struct Calls {
    by_operation: Mutex<BTreeMap<&'static str, CallCount>>,
}

impl Calls {
    /// The counts so far, by operation.
    pub fn snapshot(&self) -> BTreeMap<&'static str, CallCount> {
        self.by_operation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call whose error is an answer.
    pub fn note(&self, operation: &'static str, error: Option<&CloudError>) {
        let mut counts = self.by_operation.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation).or_default();
        count.calls += 1;
        match error {
            None => {}
            Some(CloudError::Throttled { .. }) => count.throttled += 1,
            Some(_) => count.failed += 1,
        }
    }
}

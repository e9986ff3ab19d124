//! How many requests may wait, and how long they did.

use crate::metrics::{observe, seconds};
use prometheus_client::metrics::histogram::Histogram;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// How many requests may be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one service.
    pub per_service: usize,
    /// For all services together.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { per_service: 1_000, total: 10_000 }
    }
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_service: HashMap<String, usize>,
}

/// The places in front of sleeping services.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    limits: Limits,
    held: Arc<Mutex<Held>>,
    durations: Histogram,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    service: String,
    since: Instant,
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Slots {
        Slots { limits, held: Arc::default(), durations: seconds() }
    }

    /// A place, unless all are taken.
    pub(super) fn take(&self, service: &str) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.by_service.get(service).copied().unwrap_or(0);
        if held.total >= self.limits.total || before >= self.limits.per_service {
            return None;
        }
        held.total += 1;
        held.by_service.insert(service.to_owned(), before + 1);
        Some(Slot { slots: self.clone(), service: service.to_owned(), since: Instant::now() })
    }

    /// How many requests are held right now.
    pub(super) fn held(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// How long requests were held that are not any more.
    pub(super) fn durations(&self) -> &Histogram {
        &self.durations
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        observe(&self.slots.durations, self.since.elapsed());
        let mut held = self.slots.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total = held.total.saturating_sub(1);
        if let Some(count) = held.by_service.get_mut(&self.service) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.by_service.remove(&self.service);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let slots = Slots::new(Limits { per_service: 2, total: 3 });
        let first = slots.take("a").unwrap();
        let _second = slots.take("a").unwrap();
        assert!(slots.take("a").is_none(), "one service's limit");
        let _third = slots.take("b").unwrap();
        assert!(slots.take("c").is_none(), "the limit of all");
        assert_eq!(slots.held(), 3);
        drop(first);
        assert!(slots.take("c").is_some());
        assert_eq!(slots.held(), 2);
    }
}

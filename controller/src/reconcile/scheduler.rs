//! When a key is due: one entry a key, the earliest time wins. Generic; knows nothing of what keys mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Debug)]
struct Queue<K> {
    due: BTreeMap<Instant, BTreeSet<K>>,
    /// No hash table: it would keep the room for all who ever waited at once.
    at: BTreeMap<K, Instant>,
}

/// A queue of keys by the time at which they are due.
#[derive(Debug)]
pub struct Scheduler<K> {
    queue: Mutex<Queue<K>>,
    changed: Notify,
}

impl<K: Ord + Clone> Default for Scheduler<K> {
    fn default() -> Self {
        Scheduler {
            queue: Mutex::new(Queue { due: BTreeMap::new(), at: BTreeMap::new() }),
            changed: Notify::new(),
        }
    }
}

impl<K: Ord + Clone> Scheduler<K> {
    /// Makes `key` due in `after`, unless it is due earlier already.
    pub fn schedule(&self, key: K, after: Duration) {
        let at = Instant::now() + after;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = queue.at.get(&key).copied() {
            if known <= at {
                return;
            }
            queue.remove(&key, known);
        }
        queue.at.insert(key.clone(), at);
        queue.due.entry(at).or_default().insert(key);
        drop(queue);
        self.changed.notify_one();
    }

    /// Waits for the next key to be due and takes it out. Cancel safe.
    pub async fn next(&self) -> K {
        loop {
            let first = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                match queue.due.first_key_value().map(|(at, keys)| (*at, keys.first().cloned())) {
                    Some((at, Some(key))) if at <= Instant::now() => {
                        queue.remove(&key, at);
                        return key;
                    }
                    other => other.map(|(at, _)| at),
                }
            };
            let changed = self.changed.notified();
            match first {
                Some(at) => {
                    tokio::select! { biased; () = changed => {}, () = tokio::time::sleep_until(at) => {} }
                }
                None => changed.await,
            }
        }
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).at.len()
    }

    /// How many of them are due: they wait for others to be done.
    pub fn overdue(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.due.range(..=Instant::now()).map(|(_, keys)| keys.len()).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Ord> Queue<K> {
    fn remove(&mut self, key: &K, at: Instant) {
        self.at.remove(key);
        if let Some(keys) = self.due.get_mut(&at) {
            keys.remove(key);
            if keys.is_empty() {
                self.due.remove(&at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn earliest_wins_and_each_key_comes_once() {
        let scheduler = Scheduler::default();
        scheduler.schedule("a", Duration::from_secs(9));
        scheduler.schedule("a", Duration::from_secs(2));
        scheduler.schedule("a", Duration::from_secs(5));
        scheduler.schedule("b", Duration::from_secs(3));
        assert_eq!((scheduler.len(), scheduler.overdue()), (2, 0));
        let start = Instant::now();
        assert_eq!(scheduler.next().await, "a");
        assert_eq!(start.elapsed().as_secs(), 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(scheduler.overdue(), 1);
        assert_eq!(scheduler.next().await, "b");
        assert!(scheduler.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_comes_earlier_than_the_awaited_one_is_not_missed() {
        let scheduler = std::sync::Arc::new(Scheduler::default());
        scheduler.schedule(1, Duration::from_secs(60));
        let waiting = tokio::spawn({
            let scheduler = scheduler.clone();
            async move { scheduler.next().await }
        });
        tokio::task::yield_now().await;
        scheduler.schedule(2, Duration::ZERO);
        assert_eq!(waiting.await.unwrap(), 2);
    }
}

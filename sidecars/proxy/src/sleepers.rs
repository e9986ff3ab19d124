//! Whoever sleeps until the proxy's stage changes.
//!
//! A connection looks at the stage whenever it wakes, which costs one load. So that a change wakes it, its task's waker
//! stands here for as long as it lives: to subscribe anew for each request would take a lock and a list each time.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The wakers.
#[derive(Debug, Default)]
pub struct Sleepers(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    taken: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// A place among them, until it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    sleepers: &'a Sleepers,
    number: usize,
}

impl Sleepers {
    /// Registers the task that awaits this. It must stay the one that polls whatever looks at the stage.
    pub async fn register(&self) -> Place<'_> {
        poll_fn(|cx| {
            let waker = Some(cx.waker().clone());
            let mut places = self.places();
            let number = match places.free.pop() {
                Some(number) => {
                    places.taken[number] = waker;
                    number
                }
                None => {
                    places.taken.push(waker);
                    places.taken.len() - 1
                }
            };
            Poll::Ready(Place { sleepers: self, number })
        })
        .await
    }

    /// Wakes all.
    pub fn wake(&self) {
        let all: Vec<Waker> = self.places().taken.iter().flatten().cloned().collect();
        all.into_iter().for_each(Waker::wake);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.sleepers.places();
        let waker = places.taken.get_mut(self.number).and_then(Option::take);
        places.free.push(self.number);
        if places.free.len() == places.taken.len() {
            *places = Places::default();
        }
        drop(places);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[tokio::test]
    async fn all_are_woken_and_none_is_kept() {
        let (sleepers, stage) = (Arc::new(Sleepers::default()), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (sleepers, stage) = (Arc::clone(&sleepers), Arc::clone(&stage));
                tokio::spawn(async move {
                    let _place = sleepers.register().await;
                    poll_fn(|_| if stage.load(SeqCst) > 0 { Poll::Ready(()) } else { Poll::Pending }).await;
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(sleepers.places().taken.len(), 20);
        stage.store(1, SeqCst);
        sleepers.wake();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(sleepers.places().taken.is_empty());
    }
}

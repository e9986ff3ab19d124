//! Single flight: a key's work runs once at a time, all keys together at most so many at once. Generic.

use super::scheduler::Scheduler;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Runs `work` for each key as it becomes due, until `stop`. Work answers after what time its key is due again.
/// A key that becomes due while it runs is run once more afterwards.
pub async fn run<K, W, F>(scheduler: &Scheduler<K>, at_once: usize, stop: &CancellationToken, work: W)
where
    K: Ord + Clone,
    W: Fn(K) -> F,
    F: Future<Output = Option<Duration>>,
{
    let mut running = FuturesUnordered::new();
    // Key → whether it became due while it ran.
    let mut active: BTreeMap<K, bool> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some((key, again)) = running.next(), if !running.is_empty() => {
                let missed = active.remove(&key) == Some(true);
                match (missed, again) {
                    (true, _) => scheduler.schedule(key, Duration::ZERO),
                    (false, Some(after)) => scheduler.schedule(key, after),
                    (false, None) => {}
                }
            }
            key = scheduler.next(), if running.len() < at_once => {
                if let Some(missed) = active.get_mut(&key) {
                    *missed = true;
                } else {
                    active.insert(key.clone(), false);
                    running.push(work(key.clone()).map(move |again| (key, again)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_none_missed() {
        let scheduler = Scheduler::default();
        let stop = CancellationToken::new();
        let log = RefCell::new(Vec::new());
        scheduler.schedule("a", Duration::ZERO);
        scheduler.schedule("b", Duration::ZERO);
        let work = |key: &'static str| {
            log.borrow_mut().push(format!("{key} begins"));
            let (log, scheduler, stop) = (&log, &scheduler, &stop);
            async move {
                if key == "a" && log.borrow().len() < 4 {
                    scheduler.schedule("a", Duration::ZERO);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                log.borrow_mut().push(format!("{key} ends"));
                if log.borrow().len() >= 6 {
                    stop.cancel();
                }
                None
            }
        };
        run(&scheduler, 8, &stop, work).await;
        assert_eq!(*log.borrow(), ["a begins", "b begins", "a ends", "b ends", "a begins", "a ends"]);
    }

    #[tokio::test(start_paused = true)]
    async fn bounded() {
        let scheduler = Scheduler::default();
        let stop = CancellationToken::new();
        let (now, most) = (RefCell::new(0), RefCell::new(0));
        let left = RefCell::new(10);
        (0..10).for_each(|key| scheduler.schedule(key, Duration::ZERO));
        run(&scheduler, 3, &stop, |_| {
            *now.borrow_mut() += 1;
            let most_now = (*now.borrow()).max(*most.borrow());
            *most.borrow_mut() = most_now;
            let (now, left, stop) = (&now, &left, &stop);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                *now.borrow_mut() -= 1;
                *left.borrow_mut() -= 1;
                if *left.borrow() == 0 {
                    stop.cancel();
                }
                None
            }
        })
        .await;
        assert_eq!(*most.borrow(), 3);
    }
}

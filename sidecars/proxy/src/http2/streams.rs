//! The streams of a connection: what ends with each, and the end of a connection that has none.

use crate::access::Entry;
use crate::origin::Origin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A connection's streams.
#[derive(Debug)]
pub struct Streams {
    origin: Origin,
    open: AtomicUsize,
    changed: Notify,
}

impl Streams {
    /// None yet.
    pub fn of(origin: Origin) -> Arc<Streams> {
        Arc::new(Streams { origin, open: AtomicUsize::new(0), changed: Notify::new() })
    }

    /// Who asks.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A request begins. It goes on until the guard goes, which happens when its answer has been sent.
    pub fn begin(self: &Arc<Self>) -> Stream {
        self.open.fetch_add(1, SeqCst);
        self.changed.notify_one();
        Stream { streams: Arc::clone(self), entry: None, bytes: 0 }
    }

    /// Waits until there was none for so long.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.open.load(SeqCst) > 0 {
                changed.await;
            } else if timeout(limit, changed).await.is_err() {
                return;
            }
        }
    }
}

/// One of them, from the first look at its request to the last byte of its answer.
#[derive(Debug)]
pub struct Stream {
    streams: Arc<Streams>,
    /// What the access log will say.
    pub entry: Option<Box<Entry>>,
    /// Of the answer's body, so far.
    pub bytes: u64,
}

impl Stream {
    /// Who asks.
    pub fn origin(&self) -> &Origin {
        self.streams.origin()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            entry.write(self.origin().name(), self.bytes);
        }
        self.streams.open.fetch_sub(1, SeqCst);
        self.streams.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_poll::pending;
    use tokio::time::{Instant, advance};

    #[tokio::test(start_paused = true)]
    async fn idle_is_a_connection_without_streams_for_the_limit() {
        let limit = Duration::from_secs(10);
        let streams = Streams::of(Origin::new(([192, 0, 2, 1], 1).into(), &"".parse().unwrap()));
        let start = Instant::now();
        streams.idle(limit).await;
        assert_eq!(start.elapsed(), limit);
        let (first, second) = (streams.begin(), streams.begin());
        let mut idle = Box::pin(streams.idle(limit));
        for (what, seconds) in [(None, 60), (Some(first), 60), (Some(second), 9)] {
            drop(what);
            assert!(pending(&mut idle).await);
            advance(Duration::from_secs(seconds)).await;
            assert!(pending(&mut idle).await);
        }
        drop(streams.begin());
        assert!(pending(&mut idle).await);
        advance(Duration::from_secs(9)).await;
        assert!(pending(&mut idle).await, "it begins anew");
        advance(Duration::from_secs(2)).await;
        assert!(!pending(&mut idle).await);
    }

    mod futures_poll {
        use std::future::poll_fn;
        use std::pin::Pin;
        use std::task::Poll;

        pub async fn pending<F: Future<Output = ()>>(future: &mut Pin<Box<F>>) -> bool {
            poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
        }
    }
}

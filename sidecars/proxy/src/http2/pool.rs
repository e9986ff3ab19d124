//! Kept connections to the service: few, and not for long.

use crate::http1::pool::KEPT_FOR;
use crate::http2::body::RequestBody;
use dormouse_peer::wire::PeerAddress;
use hyper::client::conn::http1::SendRequest;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// So many wait at most.
const MOST: usize = 32;
/// A connection that is not ready for its next request by then will not be worth it.
const READY: Duration = Duration::from_secs(1);

/// One HTTP connection to the service.
#[derive(Debug)]
pub struct Connection {
    /// Sends one request at a time.
    pub sender: SendRequest<RequestBody>,
    read: Arc<AtomicU64>,
    to: PeerAddress,
    used: Instant,
}

impl Connection {
    /// A connection to there, whose bytes read are counted in `read`.
    pub fn new(sender: SendRequest<RequestBody>, read: Arc<AtomicU64>, to: PeerAddress) -> Connection {
        Connection { sender, read, to, used: Instant::now() }
    }

    /// Bytes read from it so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// The waiting connections; the last used is used next, so that a busy hour's surplus ages away.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Connection>>);

impl Pool {
    /// A connection to there that was used at most so long ago.
    pub fn take(&self, to: &PeerAddress, used_within: Duration) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.idle();
        // From the end, where the youngest are.
        let found = idle
            .iter()
            .rposition(|c| c.to == *to && c.sender.is_ready() && now - c.used <= used_within.min(KEPT_FOR))?;
        Some(idle.remove(found))
    }

    /// Keeps a connection whose answer was read to its end, as soon as it is ready again.
    pub fn keep(self: &Arc<Self>, mut connection: Connection) {
        if connection.sender.is_ready() {
            return self.put(connection);
        }
        let pool = Arc::clone(self);
        // Not within a runtime, at the very end of the process: then it just goes.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(Ok(())) = timeout(READY, connection.sender.ready()).await {
                    pool.put(connection);
                }
            });
        }
    }

    /// Closes what has waited too long.
    pub fn prune(&self) {
        let now = Instant::now();
        self.idle().retain(|c| !c.sender.is_closed() && now - c.used <= KEPT_FOR);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.idle().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle().clear();
    }

    fn put(&self, mut connection: Connection) {
        connection.used = Instant::now();
        let mut idle = self.idle();
        if idle.len() >= MOST {
            idle.remove(0);
        }
        idle.push(connection);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Kept connections to the service: enough for a busy hour, and not for long.

use super::stream::Stream;
use crate::clock;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many wait at most.
const MOST: usize = 256;
/// Shorter than the keep-alive of common servers (Node closes after 5 s): the proxy should be the one to close.
pub const KEPT_FOR: Duration = Duration::from_secs(4);
/// A request that cannot be repeated takes a kept connection only right after its last use, when a server is
/// least likely to close it.
pub const FRESH: Duration = Duration::from_millis(500);

/// One connection to the service.
#[derive(Debug)]
pub struct Connection {
    /// Its socket.
    pub stream: Stream,
    /// It has carried a request before.
    pub kept: bool,
    /// Which of the service's addresses it leads to, by number.
    place: u64,
    used: Instant,
}

impl Connection {
    /// A new one, to the address of this number.
    pub fn new(stream: Stream, place: u64) -> Connection {
        Connection { stream, kept: false, place, used: clock::now() }
    }
}

/// The waiting connections; the last used is used next, so that a busy hour's surplus ages away.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Idle>);

#[derive(Debug, Default)]
struct Idle {
    place: u64,
    waiting: Vec<Connection>,
}

impl Pool {
    /// The number of the service's address now.
    pub fn place(&self) -> u64 {
        self.idle().place
    }

    /// The service is elsewhere: what leads to its old address goes.
    pub fn moved(&self) {
        let gone = {
            let mut idle = self.idle();
            idle.place += 1;
            std::mem::take(&mut idle.waiting)
        };
        drop(gone);
    }

    /// A connection that was used at most so long ago, and is open as far as is known.
    pub fn take(&self, used_within: Duration) -> Option<Connection> {
        let mut idle = self.idle();
        let mut now = None;
        // From the end, where the youngest are.
        while let Some(mut last) = idle.waiting.pop() {
            let now = *now.get_or_insert_with(clock::now);
            if now.saturating_duration_since(last.used) > used_within.min(KEPT_FOR) {
                // It may still do for another request; all before it are older.
                idle.waiting.push(last);
                return None;
            }
            if last.stream.is_quiet() {
                last.kept = true;
                return Some(last);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn keep(&self, mut connection: Connection) {
        connection.used = clock::now();
        let mut idle = self.idle();
        if connection.place == idle.place {
            if idle.waiting.len() >= MOST {
                idle.waiting.remove(0);
            }
            idle.waiting.push(connection);
        }
    }

    /// Closes what has waited too long, and what the service has closed.
    pub fn prune(&self) {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.waiting.retain(|c| now - c.used <= KEPT_FOR && c.stream.is_quiet());
        if idle.waiting.is_empty() {
            idle.waiting = Vec::new();
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.idle().waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

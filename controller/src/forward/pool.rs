//! Idle connections to services.

use super::ahead::Ahead;
use super::counted::Count;
use hyper::client::conn::http1::SendRequest;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Shorter than what any usual server keeps an idle connection for.
const MAX_IDLE: Duration = Duration::from_secs(4);
const MAX_IDLE_CONNECTIONS: usize = 64;
/// Connections to one address that are made at a time. Behind a listener wait 128, where nothing else was said; who does
/// not fit in there tries again after a second.
const MAX_NEW_CONNECTIONS: usize = 64;

/// A connection that can send one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Ahead>,
    pub(super) count: Count,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    idle: Arc<Mutex<HashMap<SocketAddr, Vec<Idle>>>>,
    lines: Arc<Mutex<HashMap<SocketAddr, Weak<Semaphore>>>>,
}

impl Pool {
    /// The line in front of an address.
    pub(super) fn line(&self, address: SocketAddr) -> Arc<Semaphore> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&address).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Semaphore::new(MAX_NEW_CONNECTIONS));
        lines.insert(address, Arc::downgrade(&line));
        line
    }

    /// The connection that was used last, if any is still good.
    pub(super) fn take(&self, address: SocketAddr) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(&address)?;
        while let Some(found) = connections.pop() {
            if found.since.elapsed() < MAX_IDLE && found.connection.sender.is_ready() {
                return Some(found.connection);
            }
        }
        idle.remove(&address);
        None
    }

    /// Keeps a connection as soon as its answer was read to the end; a broken one goes.
    pub(super) fn keep(&self, address: SocketAddr, mut connection: Connection) {
        let pool = self.clone();
        tokio::spawn(async move {
            if connection.sender.ready().await.is_ok() {
                pool.put(address, connection);
            }
        });
    }

    fn put(&self, address: SocketAddr, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Addresses come and go with their tasks: nothing else would ever remove the old ones.
        for connections in idle.values_mut() {
            connections.retain(|one| one.since.elapsed() < MAX_IDLE);
        }
        idle.retain(|_, connections| !connections.is_empty());
        let connections = idle.entry(address).or_default();
        if connections.len() < MAX_IDLE_CONNECTIONS {
            connections.push(Idle { connection, since: Instant::now() });
        }
    }
}

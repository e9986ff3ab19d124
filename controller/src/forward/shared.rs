//! One connection to each service that speaks HTTP/2: requests share it.

use super::ahead::Ahead;
use super::send::{self, CONNECT_TIMEOUT};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as Turns;
use tokio::time::timeout;

/// A service that does not answer a ping is gone: how often it is asked, and how long it may take.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Bytes that a service may be ahead of a caller.
const WINDOW: u32 = 128 * 1024;
/// The most that there is (RFC 9113, 6.9.1).
const NO_LIMIT: u32 = (1 << 31) - 1;

type Place = Arc<Turns<Option<SendRequest<Ahead>>>>;

/// The connections, by address.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<HashMap<SocketAddr, Place>>>);

impl Shared {
    /// A way to send a request there.
    pub(super) async fn sender(&self, address: SocketAddr) -> io::Result<SendRequest<Ahead>> {
        let place = self.place(address);
        // Who comes while a connection is made waits for the same one.
        let mut shared = place.lock().await;
        if let Some(sender) = shared.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let sender = connect(address).await?;
        *shared = Some(sender.clone());
        Ok(sender)
    }

    fn place(&self, address: SocketAddr) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(&address) {
            return Arc::clone(place);
        }
        // Addresses come and go with their tasks: nothing else would ever remove the old ones.
        places.retain(|_, place| match place.try_lock() {
            Ok(shared) => shared.as_ref().is_some_and(|sender| !sender.is_closed()),
            Err(_) => true,
        });
        Arc::clone(places.entry(address).or_default())
    }
}

async fn connect(address: SocketAddr) -> io::Result<SendRequest<Ahead>> {
    let stream = send::open(address).await?;
    let shaken = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .initial_stream_window_size(WINDOW)
        // All callers share it: a few that stand still would use it up, and hold up all others.
        .initial_connection_window_size(NO_LIMIT)
        .handshake(TokioIo::new(stream));
    let shaken = timeout(CONNECT_TIMEOUT, shaken).await.map_err(|_| send::too_late())?;
    let (sender, connection) = shaken.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "the HTTP/2 connection to a service ended");
        }
    });
    Ok(sender)
}

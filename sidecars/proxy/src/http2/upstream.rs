//! The one connection to a service that speaks HTTP/2: requests share it.

use super::body::RequestBody;
use super::{NO_LIMIT, WINDOW};
use crate::upstream::{Unavailable, Upstream};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::time::Duration;
use tokio::sync::Mutex;

/// A service that does not answer a ping is gone.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// The connection, once there is one.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Option<(SendRequest<RequestBody>, u64)>>);

impl Shared {
    /// A way to send a request; waits for a bounded time when the service is not there.
    ///
    /// # Errors
    /// Why there is none, after that time.
    pub async fn sender(&self, upstream: &Upstream) -> Result<SendRequest<RequestBody>, Unavailable> {
        // Who comes while a connection is made waits for the same one.
        let mut shared = self.0.lock().await;
        let place = upstream.pool().place();
        if let Some((sender, at)) = &*shared
            && *at == place
            && !sender.is_closed()
        {
            return Ok(sender.clone());
        }
        let (stream, _) = upstream.stream().await?;
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .initial_stream_window_size(WINDOW)
            // All clients share it: a few that stand still would use it up, and hold up all others.
            .initial_connection_window_size(NO_LIMIT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Unavailable::Refused)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("the HTTP/2 connection to the service ended: {error}");
            }
        });
        *shared = Some((sender.clone(), place));
        Ok(sender)
    }
}

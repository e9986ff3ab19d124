//! A client's connection over HTTP/2, from its preface to its last answer; and one over HTTP/1.1 before a service that
//! speaks HTTP/2 alone.

use super::forward;
use crate::http1::connection::Client;
use crate::proxy::Proxy;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A client that does not answer a ping within this is gone.
const PING: Duration = Duration::from_secs(20);
/// Requests at once, of one connection.
const STREAMS: u32 = 128;
/// Longer heads are refused.
const LONGEST_HEAD: u32 = 32 * 1024;
/// Streams that a client may open and reset at once before it is cut off: more is an attack ("rapid reset").
const RESETS: usize = 64;

/// Serves HTTP/2.
pub async fn http2(proxy: &Arc<Proxy>, client: Client) {
    let origin = Arc::new(client.origin);
    let service = service_fn(|request: Request<Incoming>| {
        let (proxy, origin) = (Arc::clone(proxy), Arc::clone(&origin));
        async move { Ok::<_, Infallible>(forward::handle(proxy, &origin, request).await) }
    });
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(proxy.settings.idle_timeout))
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(LONGEST_HEAD)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .serve_connection(TokioIo::new(client.stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = proxy.drains() => {
            // GOAWAY: what has begun goes on, the rest goes elsewhere.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the HTTP/2 connection of {} ended: {error}", origin.name());
    }
}

/// Serves HTTP/1.1.
pub async fn http1(proxy: &Arc<Proxy>, client: Client) {
    let origin = Arc::new(client.origin);
    let service = service_fn(|request: Request<Incoming>| {
        let (proxy, origin) = (Arc::clone(proxy), Arc::clone(&origin));
        async move { Ok::<_, Infallible>(forward::handle(proxy, &origin, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(proxy.settings.header_timeout)
            .max_header_size(LONGEST_HEAD as usize)
            .max_buf_size(2 * LONGEST_HEAD as usize)
            .serve_connection(TokioIo::new(client.stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = proxy.drains() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the connection of {} ended: {error}", origin.name());
    }
}

//! A client's connection over HTTP/2, from its preface to its last answer; and one over HTTP/1.1 before a service that
//! speaks HTTP/2 alone.

use super::WINDOW;
use super::body::ResponseBody;
use super::forward;
use super::streams::Streams;
use crate::http1::connection::Client;
use crate::proxy::Proxy;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
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
    let streams = Streams::of(client.origin);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(proxy.settings.idle_timeout))
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEAD)
        .initial_stream_window_size(WINDOW)
        // A call whose sender is ahead of the service does not hold up the client's others.
        .initial_connection_window_size(STREAMS * WINDOW)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .serve_connection(TokioIo::new(client.stream), service(proxy, &streams));
    carry(proxy, &streams, connection).await;
}

/// Serves HTTP/1.1.
pub async fn http1(proxy: &Arc<Proxy>, client: Client) {
    let streams = Streams::of(client.origin);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(proxy.settings.header_timeout)
        .max_header_size(LONGEST_HEAD as usize)
        .max_buf_size(2 * LONGEST_HEAD as usize)
        .serve_connection(TokioIo::new(client.stream), service(proxy, &streams));
    carry(proxy, &streams, connection).await;
}

fn service(
    proxy: &Arc<Proxy>,
    streams: &Arc<Streams>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<ResponseBody>, Infallible>> + Send + use<>,
> + use<> {
    let (proxy, streams) = (Arc::clone(proxy), Arc::clone(streams));
    service_fn(move |request| {
        let (proxy, stream) = (Arc::clone(&proxy), streams.begin());
        async move { Ok(forward::handle(proxy, stream, request).await) }
    })
}

/// Until it ends by itself. One that asks for nothing any more, or is to go elsewhere, is told so (over HTTP/2: GOAWAY):
/// what has begun goes on.
async fn carry<C>(proxy: &Proxy, streams: &Streams, connection: C)
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let leaves = async {
        tokio::select! {
            () = proxy.drains() => {}
            () = streams.idle(proxy.settings.idle_timeout) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leaves => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the connection of {} ended: {error}", streams.origin().name());
    }
}

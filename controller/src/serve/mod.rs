//! A listener and its connections: HTTP/1.1 with upgrades, HTTP/2 without TLS, bounded headers, an orderly end.

mod grace;
mod preface;

pub use grace::Grace;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use preface::Spoken;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request's head may take to arrive.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How large a request's head may be.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Between two tries to accept, when the machine has no sockets left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`, then lets what is under way finish, for what is left of `grace`.
///
/// `service` makes the service of one connection, from the address of who is at its other end.
pub async fn serve<S, F>(listener: TcpListener, stop: CancellationToken, grace: Grace, service: F)
where
    F: Fn(SocketAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let service = service(peer);
                let (stop, cut) = (stop.clone(), cut.clone());
                connections.spawn(async move {
                    let _ = stream.set_nodelay(true);
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connection(stream, service, stop) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    grace.begin();
    if timeout(grace.left(), connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut off at the end of the grace period");
        cut.cancel();
        connections.wait().await;
    }
}

/// Serves one connection until it ends; from `stop` on it takes no further request.
pub async fn connection<I, S>(io: I, service: S, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    // Who says nothing holds nothing but a socket, and that not for long.
    let heard = tokio::select! {
        () = stop.cancelled() => return,
        heard = timeout(HEADER_READ_TIMEOUT, preface::listen(io)) => heard,
    };
    let Ok(Ok(Some((spoken, io)))) = heard else { return };
    let ended = match spoken {
        Spoken::Http1 => http1(TokioIo::new(io), service, stop).await,
        Spoken::Http2 => http2(TokioIo::new(io), service, stop).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

async fn http1<I, S>(io: TokioIo<I>, service: S, stop: CancellationToken) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

async fn http2<I, S>(io: TokioIo<I>, service: S, stop: CancellationToken) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_READ_TIMEOUT)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

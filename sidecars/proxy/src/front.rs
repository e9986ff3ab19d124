//! The listeners: taking connections, serving them, and letting them go.

use crate::http1::connection::{self, Client, Ended};
use crate::http1::stream::{Stream, Wire};
use crate::metrics::Metrics;
use crate::proxy::{Alive, Hold, Proxy};
use crate::{clock, http2, tunnel};
use dormouse_peer::settings::Protocol;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};

/// After a failed accept, as when no file descriptor is left: some connection will end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After so long without another one, the backlog is empty; and after the second, whatever still comes is new.
const BACKLOG: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The service's traffic.
    Traffic,
    /// `/health` alone, beside raw traffic.
    Health,
    /// `/metrics` alone.
    Admin,
}

/// What every connection holds on to: see [`Hold::running`].
pub type Running = mpsc::Sender<Infallible>;

/// Takes connections until dropped.
pub async fn accept(proxy: &Arc<Proxy>, listener: &TcpListener, purpose: Purpose, running: &Running) {
    let places = Arc::new(Semaphore::new(proxy.settings.max_connections));
    loop {
        // Never closed, so never an error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, client)) => {
                let hold = Arc::new(Hold { running: running.clone(), place: Some(place) });
                tokio::spawn(connection(Arc::clone(proxy), stream, client, purpose, hold));
            }
            Err(error) => refused(&error).await,
        }
    }
}

/// Takes what is in the backlog already: those clients have connected, and are owed an answer.
pub async fn accept_rest(proxy: &Arc<Proxy>, listener: TcpListener, purpose: Purpose, running: &Running) {
    let end = Instant::now() + BACKLOG.1;
    while Instant::now() < end
        && let Ok(Ok((stream, client))) = timeout(BACKLOG.0, listener.accept()).await
    {
        let hold = Arc::new(Hold { running: running.clone(), place: None });
        tokio::spawn(connection(Arc::clone(proxy), stream, client, purpose, hold));
    }
}

async fn refused(error: &io::Error) {
    let gone = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !gone {
        tracing::warn!("cannot take a connection: {error}");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// One connection's whole life. An idle one costs little more than its [`Client`], which stands here once.
fn connection(
    proxy: Arc<Proxy>,
    stream: TcpStream,
    address: SocketAddr,
    purpose: Purpose,
    alive: Alive,
) -> impl Future<Output = ()> {
    Metrics::count(&proxy.metrics.connections);
    let mut client = Client::new(Stream::new(Wire::Tcp(stream)), address.ip(), "http", purpose);
    let raw = purpose == Purpose::Traffic && proxy.settings.common.protocol == Protocol::Tcp;
    async move {
        let _place = proxy.sleepers.register().await;
        let ended = {
            let mut served = pin!(async {
                if raw {
                    Box::pin(tunnel::raw(&proxy, &mut client.stream)).await;
                    Ended::Closed
                } else {
                    connection::serve(&proxy, &mut client).await
                }
            });
            poll_fn(|cx| clock::turn(|| served.as_mut().poll(cx))).await
        };
        if ended == Ended::Http2 {
            Box::pin(http2::serve::serve(&proxy, client.stream, address.ip())).await;
        }
        drop(alive);
    }
}

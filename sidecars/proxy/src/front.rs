//! The listeners: taking connections, serving them, and letting them go.

use crate::http1::connection::{self, Client, Ended};
use crate::http1::stream::{Stream, Wire};
use crate::metrics::Metrics;
use crate::origin::Origin;
use crate::proxy::{Hold, Proxy};
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

/// The certificate that a front with TLS has.
#[cfg(feature = "tls")]
pub type Certificate = crate::tls::Certificate;
/// There is none, because there is no TLS.
#[cfg(not(feature = "tls"))]
pub type Certificate = Infallible;

/// An open port.
#[derive(Debug)]
pub struct Door {
    /// What takes connections.
    pub listener: TcpListener,
    /// What greets them, if they are to speak TLS.
    pub certificate: Option<Arc<Certificate>>,
}

/// Takes connections until dropped.
pub async fn accept(proxy: &Arc<Proxy>, door: &Door, purpose: Purpose, running: &Running) {
    let places = Arc::new(Semaphore::new(proxy.settings.max_connections));
    loop {
        // Never closed, so never an error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match door.listener.accept().await {
            Ok((stream, client)) => {
                let hold = Hold { running: running.clone(), place: Some(place) };
                welcome(proxy, (stream, client), door, purpose, hold);
            }
            Err(error) => refused(&error).await,
        }
    }
}

/// Takes what is in the backlog already: those clients have connected, and are owed an answer.
pub async fn accept_rest(proxy: &Arc<Proxy>, door: Door, purpose: Purpose, running: &Running) {
    let end = Instant::now() + BACKLOG.1;
    while Instant::now() < end
        && let Ok(Ok((stream, client))) = timeout(BACKLOG.0, door.listener.accept()).await
    {
        let hold = Hold { running: running.clone(), place: None };
        welcome(proxy, (stream, client), &door, purpose, hold);
    }
}

async fn refused(error: &io::Error) {
    let gone = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !gone {
        tracing::warn!("cannot take a connection: {error}");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// A client has connected: a task of its own serves it. Whom TLS is to be spoken with is greeted first, in a task that
/// takes more room.
fn welcome(
    proxy: &Arc<Proxy>,
    (stream, address): (TcpStream, SocketAddr),
    door: &Door,
    purpose: Purpose,
    hold: Hold,
) {
    Metrics::count(&proxy.metrics.connections);
    let origin = Origin::new(address, &proxy.settings.trusted);
    let mut client = Client::new(Stream::new(Wire::Tcp(stream)), origin, purpose);
    let proxy = Arc::clone(proxy);
    match door.certificate.clone() {
        None => drop(tokio::spawn(connection(proxy, client, hold))),
        Some(certificate) => drop(tokio::spawn(async move {
            if greet(&proxy, &mut client, &certificate).await {
                connection(proxy, client, hold).await;
            }
        })),
    }
}

/// One connection's whole life. An idle one costs little more than its [`Client`], which stands here once: nothing is kept
/// that is not needed while it waits.
#[allow(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
fn connection(proxy: Arc<Proxy>, mut client: Client, hold: Hold) -> impl Future<Output = ()> {
    async move {
        let _place = proxy.sleepers.register().await;
        let ended = {
            let mut served = pin!(async {
                if client.purpose == Purpose::Traffic && proxy.settings.common.protocol == Protocol::Tcp {
                    Box::pin(tunnel::raw(&proxy, &mut client.stream, &client.origin)).await;
                    return Ended::Closed;
                }
                connection::serve(&proxy, &mut client).await
            });
            poll_fn(|cx| clock::turn(|| served.as_mut().poll(cx))).await
        };
        match ended {
            Ended::Closed => {}
            Ended::Http2 => Box::pin(http2::serve::http2(&proxy, client)).await,
            Ended::Http1 => Box::pin(http2::serve::http1(&proxy, client)).await,
        }
        drop(hold);
    }
}

/// Turns a client's connection into one over TLS; whether it goes on. Who speaks in plain text may ask for `/health`:
/// the other half and the controller do.
#[cfg(feature = "tls")]
async fn greet(proxy: &Proxy, client: &mut Client, certificate: &Certificate) -> bool {
    let greeted = timeout(proxy.settings.header_timeout, async {
        if client.stream.peek().await? != crate::tls::HANDSHAKE {
            client.purpose = Purpose::Health;
            return Ok(());
        }
        let plain =
            std::mem::replace(&mut client.stream, Stream::new(Wire::Other(Box::new(tokio::io::empty()))));
        client.stream = certificate.accept(plain).await?;
        client.origin.is_secure = true;
        Ok::<_, io::Error>(())
    });
    match greeted.await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!("no TLS with {}: {error}", client.origin.name());
            false
        }
        Err(_) => false,
    }
}

#[cfg(not(feature = "tls"))]
async fn greet(_proxy: &Proxy, _client: &mut Client, certificate: &Certificate) -> bool {
    match *certificate {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// With the 104 bytes that the runtime adds it just fits into 512. Unoptimised, it keeps two references more.
    #[tokio::test]
    async fn an_idle_connection_is_small() {
        let source = |name: &str| (name == "UPSTREAM_HOST").then(|| "h".to_owned());
        let proxy = Arc::new(Proxy::new(Settings::read(&source).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let origin = Origin::new(([192, 0, 2, 1], 1).into(), &proxy.settings.trusted);
        let client = Client::new(Stream::new(Wire::Tcp(stream)), origin, Purpose::Traffic);
        let hold = Hold { running: mpsc::channel(1).0, place: None };
        let size = size_of_val(&connection(proxy, client, hold));
        let most = 512 - 104 + if cfg!(debug_assertions) { 16 } else { 0 };
        assert!(size <= most, "{size} bytes of {most}");
    }
}

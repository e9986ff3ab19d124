//! The listeners: taking connections, serving them, and letting them go.

use crate::body::ResponseBody;
use crate::proxy::{Alive, Hold, Proxy, Stage};
use crate::upstream::tune;
use crate::{answer, forward, tunnel};
use dormouse_peer::settings::Protocol;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};

/// How long a client may take to send the head of a request; also how long an idle connection is kept.
const HEAD: Duration = Duration::from_secs(30);
/// Longer heads get 431; so do those with more than 100 headers, by hyper itself.
const LONGEST_HEAD: usize = 32 * 1024;
/// What hyper may buffer of a connection, each way.
const BUFFER: usize = 64 * 1024;
/// After a failed accept, as when no file descriptor is left: some connection will end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After so long without another one, the backlog is empty; and after the second, whatever still comes is new.
const BACKLOG: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// How long an idle connection may still bring a request when the proxy is asked to stop: it may be on its way.
const LINGER: Duration = Duration::from_millis(200);

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The service's traffic.
    Traffic,
    /// `/health` alone, beside raw traffic.
    Health,
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

async fn connection(
    proxy: Arc<Proxy>,
    stream: TcpStream,
    client: SocketAddr,
    purpose: Purpose,
    alive: Alive,
) {
    tune(&stream);
    let traffic = purpose == Purpose::Traffic;
    if traffic && proxy.settings.common.protocol == Protocol::Tcp {
        tunnel::raw(proxy, stream).await;
        drop(alive);
        return;
    }
    let asked = {
        let proxy = Arc::clone(&proxy);
        async move {
            proxy.reaches(Stage::Finishing).await;
            sleep(LINGER).await;
        }
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, alive) = (Arc::clone(&proxy), alive.clone());
        async move {
            Ok::<_, Infallible>(if traffic {
                forward::handle(proxy, client.ip(), alive, request).await
            } else {
                health_only(&proxy, &request)
            })
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_header_size(LONGEST_HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = asked => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the connection of {client} ended: {error}");
    }
}

fn health_only(proxy: &Proxy, request: &Request<Incoming>) -> Response<ResponseBody> {
    if request.uri().path() == "/health" {
        answer::health(proxy)
    } else {
        answer::problem(StatusCode::NOT_FOUND, "only /health is here")
    }
}

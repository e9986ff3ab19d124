//! The way to the service: where it is, connections to it, and the wait for one.

use crate::http1::pool::{self, Pool};
use crate::http1::stream::{Stream, Wire};
use crate::http2::body::RequestBody;
use crate::http2::pool as http2;
use crate::http2::upstream::Shared;
use dormouse_peer::wire::PeerAddress;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// How long for one that answered before: it may be restarting its listener.
const HOLD_STARTED: Duration = Duration::from_secs(1);
/// Between two attempts of a waiting request.
const RETRY: Duration = Duration::from_millis(100);
/// So many requests may wait; more are refused at once.
const MOST_HELD: usize = 1000;
/// Bounds a head of the service's, and what is buffered of a body.
const BUFFER: usize = 128 * 1024;

/// Why there is no connection to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Nobody said where it is yet.
    Unknown,
    /// It takes no connection.
    Refused,
    /// It does not answer at all.
    Silent,
    /// Too many requests wait for it already.
    Crowded,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unavailable::Unknown => "the service has no address yet",
            Unavailable::Refused => "the service refuses connections",
            Unavailable::Silent => "the service does not answer",
            Unavailable::Crowded => "too many requests wait for the service",
        })
    }
}

/// The service, as the proxy reaches it.
#[derive(Debug)]
pub struct Upstream {
    address: watch::Sender<Option<PeerAddress>>,
    answered: AtomicBool,
    hold: Duration,
    held: Semaphore,
    connect_timeout: Duration,
    connects: AtomicU64,
    pool: Pool,
    http2: Arc<http2::Pool>,
    shared: Shared,
}

impl Upstream {
    /// At a fixed address, or at one to be learnt. A request waits up to `hold` for a service that starts.
    pub fn new(address: Option<PeerAddress>, hold: Duration, connect_timeout: Duration) -> Upstream {
        Upstream {
            address: watch::Sender::new(address),
            answered: AtomicBool::new(false),
            hold,
            held: Semaphore::new(MOST_HELD),
            connect_timeout,
            connects: AtomicU64::new(0),
            pool: Pool::default(),
            http2: Arc::default(),
            shared: Shared::default(),
        }
    }

    /// It is there now; kept connections to another address go.
    pub fn moved_to(&self, address: PeerAddress) {
        let moved = self.address.send_if_modified(|now| {
            let moved = now.as_ref() != Some(&address);
            if moved {
                tracing::info!("the service is at {}:{}", address.host, address.port);
                *now = Some(address);
            }
            moved
        });
        if moved {
            self.pool.moved();
            self.http2.clear();
        }
    }

    /// Where it is, now and later.
    pub fn address(&self) -> watch::Receiver<Option<PeerAddress>> {
        self.address.subscribe()
    }

    /// It answered a health check: from now on it is not starting any more.
    pub fn has_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// How many connections were made.
    pub fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }

    /// Connections that wait for their next request.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The same, of those that the HTTP/2 side uses.
    pub const fn http2_pool(&self) -> &Arc<http2::Pool> {
        &self.http2
    }

    /// The connection to a service that speaks HTTP/2.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A kept connection that was used at most so long ago, if there is one.
    pub fn kept(&self, used_within: Duration) -> Option<http2::Connection> {
        self.http2.take(self.address.borrow().as_ref()?, used_within)
    }

    /// A new connection.
    ///
    /// # Errors
    /// Why there is none, after a bounded wait.
    pub async fn connection(&self) -> Result<pool::Connection, Unavailable> {
        let place = self.pool.place();
        let (stream, _) = self.stream().await?;
        Ok(pool::Connection::new(Stream::new(Wire::Tcp(stream)), place))
    }

    /// A new HTTP connection, driven in a task of its own that ends with it.
    ///
    /// # Errors
    /// Why there is none, after a bounded wait.
    pub async fn connect(&self) -> Result<http2::Connection, Unavailable> {
        let (stream, to) = self.stream().await?;
        let read = Arc::new(AtomicU64::new(0));
        let io = TokioIo::new(Watched { stream, read: Arc::clone(&read) });
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake::<_, RequestBody>(io)
            .await
            .map_err(|_| Unavailable::Refused)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!("a connection to the service ended: {error}");
            }
        });
        Ok(http2::Connection::new(sender, read, to))
    }

    /// A new connection, and to where; waits for a bounded time when the service is not there.
    ///
    /// # Errors
    /// Why there is none, after that time.
    pub async fn stream(&self) -> Result<(TcpStream, PeerAddress), Unavailable> {
        let mut address = self.address.subscribe();
        let mut reason = match self.attempt(&mut address).await {
            Ok(connected) => return Ok(connected),
            Err(reason) => reason,
        };
        let Ok(_place) = self.held.try_acquire() else { return Err(Unavailable::Crowded) };
        let answered = self.answered.load(Ordering::Relaxed);
        let hold = if answered { self.hold.min(HOLD_STARTED) } else { self.hold };
        let deadline = Instant::now() + hold;
        loop {
            let pause = sleep_until((Instant::now() + RETRY).min(deadline));
            tokio::select! {
                () = pause => if Instant::now() >= deadline { return Err(reason) },
                Ok(()) = address.changed() => {}
            }
            match tokio::time::timeout_at(deadline, self.attempt(&mut address)).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(now)) => reason = now,
                Err(_) => return Err(reason),
            }
        }
    }

    async fn attempt(
        &self,
        address: &mut watch::Receiver<Option<PeerAddress>>,
    ) -> Result<(TcpStream, PeerAddress), Unavailable> {
        let Some(to) = address.borrow_and_update().clone() else { return Err(Unavailable::Unknown) };
        match timeout(self.connect_timeout, TcpStream::connect((to.host.as_str(), to.port))).await {
            Ok(Ok(stream)) => {
                self.connects.fetch_add(1, Ordering::Relaxed);
                tune(&SockRef::from(&stream));
                Ok((stream, to))
            }
            Ok(Err(error)) => {
                tracing::debug!("no connection to {}:{}: {error}", to.host, to.port);
                Err(Unavailable::Refused)
            }
            Err(_) => Err(Unavailable::Silent),
        }
    }
}

/// No delay for small writes; and a peer that vanished without a word is noticed after two minutes, because an
/// open socket keeps a service awake. A socket that refuses either is still of use.
pub fn tune(socket: &SockRef<'_>) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let tuned = socket.set_tcp_nodelay(true).and(socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!("a socket's options: {error}");
    }
}

/// Tells whether anything at all came back: a request may be sent again only if nothing did.
struct Watched {
    stream: TcpStream,
    read: Arc<AtomicU64>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.read.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! One request to one address.

use super::ahead::Ahead;
use super::counted::{Count, Counted};
use super::pool::{Connection, Pool};
use super::shared::Shared;
use http::{Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An address that has not answered by then is one where nothing is.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a request over a new connection keeps others in line: a service that answers takes them one after the other,
/// and one that is slow is not waited for.
const TURN: Duration = Duration::from_millis(50);

/// What came of trying connections that were used before.
enum Kept {
    Answered(Response<Incoming>),
    Lost(Failure),
    /// There is none, or none that this request may go over: here it is again.
    None(Request<Ahead>),
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// No byte of the request was sent: here it is again, to be sent elsewhere.
    Unsent(Box<Request<Ahead>>, String),
    /// It was sent, at least in part. It must not be sent again.
    Lost(String),
}

/// Sends requests to services.
#[derive(Debug, Clone, Default)]
pub struct Forwarder {
    pool: Pool,
    shared: Shared,
}

impl Forwarder {
    /// Sends a request, in the version that it has, and gives the head of its answer; the bodies stream.
    ///
    /// A request is sent again only if not a byte of it was sent, or if it is idempotent, has no body, went over a
    /// connection that was used before, and no byte of an answer was read: then that connection's end and the
    /// request have crossed.
    ///
    /// # Errors
    /// When nobody answers; whether the request can be sent elsewhere, the [`Failure`] tells.
    pub async fn send(
        &self,
        address: SocketAddr,
        request: Request<Ahead>,
    ) -> Result<Response<Incoming>, Failure> {
        if request.version() == Version::HTTP_2 {
            return self.over_shared(address, request).await;
        }
        let request = match self.over_kept(address, request).await {
            Kept::Answered(response) => return Ok(response),
            Kept::Lost(lost) => return Err(lost),
            Kept::None(request) => request,
        };
        let line = self.pool.line(address);
        // Who has waited for so long goes on as if there were no line.
        let turn = timeout(CONNECT_TIMEOUT, line.acquire()).await;
        // Those before may have left a connection.
        let request = match self.over_kept(address, request).await {
            Kept::Answered(response) => return Ok(response),
            Kept::Lost(lost) => return Err(lost),
            Kept::None(request) => request,
        };
        let connection = match connect(address).await {
            Ok(connection) => connection,
            Err(error) => return Err(Failure::Unsent(Box::new(request), error.to_string())),
        };
        let mut sending = pin!(self.send_over(address, connection, request));
        let sent = match timeout(TURN, sending.as_mut()).await {
            Ok(sent) => sent,
            Err(_) => {
                drop(turn);
                sending.await
            }
        };
        sent.map_err(|(failure, _)| failure)
    }

    /// Over HTTP/2. Nothing is sent again there: what a service has not begun cannot be told from what it has.
    async fn over_shared(
        &self,
        address: SocketAddr,
        request: Request<Ahead>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut sender = match self.shared.sender(address).await {
            Ok(sender) => sender,
            Err(error) => return Err(Failure::Unsent(Box::new(request), error.to_string())),
        };
        sender.try_send_request(request).await.map_err(|mut error| {
            let words = chain(error.error());
            match error.take_message() {
                Some(unsent) => Failure::Unsent(Box::new(unsent), words),
                None => Failure::Lost(words),
            }
        })
    }

    /// Over connections that were used before, as long as there are any.
    async fn over_kept(&self, address: SocketAddr, request: Request<Ahead>) -> Kept {
        let mut request = request;
        if !replayable(&request) {
            return Kept::None(request);
        }
        while let Some(connection) = self.pool.take(address) {
            let copy = copy(&request);
            match self.send_over(address, connection, request).await {
                Ok(response) => return Kept::Answered(response),
                Err((Failure::Unsent(unsent, _), _)) => request = *unsent,
                Err((Failure::Lost(_), 0)) => return Kept::None(copy),
                Err((lost, _)) => return Kept::Lost(lost),
            }
        }
        Kept::None(request)
    }

    /// The number beside the failure is how many bytes of an answer were read.
    async fn send_over(
        &self,
        address: SocketAddr,
        mut connection: Connection,
        request: Request<Ahead>,
    ) -> Result<Response<Incoming>, (Failure, u64)> {
        let before = connection.count.get();
        match connection.sender.try_send_request(request).await {
            Ok(response) => {
                self.pool.keep(address, connection);
                Ok(response)
            }
            Err(mut error) => {
                let read = connection.count.get().saturating_sub(before);
                let words = chain(error.error());
                match error.take_message() {
                    Some(unsent) => Err((Failure::Unsent(Box::new(unsent), words), read)),
                    None => Err((Failure::Lost(words), read)),
                }
            }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn replayable(request: &Request<Ahead>) -> bool {
    let idempotent = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    idempotent && request.body().is_end_stream() && super::wants_upgrade(request).is_none()
}

fn copy(request: &Request<Ahead>) -> Request<Ahead> {
    let mut copy = Request::new(Ahead::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// A socket to there.
pub(super) async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await.map_err(|_| too_late())??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "connecting took too long")
}

async fn connect(address: SocketAddr) -> io::Result<Connection> {
    let stream = open(address).await?;
    let count = Count::default();
    let io = TokioIo::new(Counted::new(stream, count.clone()));
    let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "connection to a service ended");
        }
    });
    Ok(Connection { sender, count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A service that answers each request after a while, and counts its connections.
    async fn service(pause: Duration) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                        tokio::time::sleep(pause).await;
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    }
                });
            }
        });
        (address, count)
    }

    async fn crowd(address: SocketAddr, count: usize) {
        let forwarder = Forwarder::default();
        let requests = (0..count).map(|_| async {
            let request = Request::get("/").header("host", "x").body(Ahead::default()).unwrap();
            let answer = forwarder.send(address, request).await;
            assert_eq!(answer.unwrap_or_else(|failure| panic!("{failure:?}")).status(), 200);
        });
        futures::future::join_all(requests).await;
    }

    #[tokio::test]
    async fn a_crowd_stands_in_line_and_uses_the_same_connections() {
        let (address, connections) = service(Duration::from_millis(1)).await;
        crowd(address, 1_000).await;
        let made = connections.load(Ordering::SeqCst);
        assert!(made <= 300, "{made} connections for 1000 requests at once");
    }

    #[tokio::test]
    async fn who_answers_late_is_not_waited_for() {
        let (address, connections) = service(Duration::from_secs(2)).await;
        let began = tokio::time::Instant::now();
        crowd(address, 300).await;
        assert_eq!(connections.load(Ordering::SeqCst), 300);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

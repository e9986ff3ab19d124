//! One request to one address.

use super::ahead::Ahead;
use super::counted::{Count, Counted};
use super::pool::{Connection, Pool};
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An address that has not answered by then is one where nothing is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

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
}

impl Forwarder {
    /// Sends a request and gives the head of its answer; the bodies stream.
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
        let mut request = request;
        if replayable(&request) {
            while let Some(connection) = self.pool.take(address) {
                let copy = copy(&request);
                match self.send_over(address, connection, request).await {
                    Ok(response) => return Ok(response),
                    Err((Failure::Unsent(unsent, _), _)) => request = *unsent,
                    Err((Failure::Lost(_), 0)) => {
                        request = copy;
                        break;
                    }
                    Err((lost, _)) => return Err(lost),
                }
            }
        }
        match connect(address).await {
            Ok(connection) => {
                self.send_over(address, connection, request).await.map_err(|(failure, _)| failure)
            }
            Err(error) => Err(Failure::Unsent(Box::new(request), error.to_string())),
        }
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

async fn connect(address: SocketAddr) -> io::Result<Connection> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "connecting took too long"))??;
    stream.set_nodelay(true)?;
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

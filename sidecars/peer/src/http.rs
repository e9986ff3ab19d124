//! One HTTP/1.1 connection as a client, with whole small bodies: for probes and heartbeats.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer longer than this is none that a sidecar asked for.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why a request got no answer, in words.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connects, and drives the connection in a task of its own that ends with it.
///
/// # Errors
/// What the network says.
pub async fn connect(host: &str, port: u16) -> Result<SendRequest<Full<Bytes>>, Error> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        http1::Builder::new().max_buf_size(LONGEST_ANSWER).handshake(TokioIo::new(stream)).await?;
    // An error here reaches the sender too, as the answer's error.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// Sends a request and waits for the answer's head.
///
/// # Errors
/// What the network says.
pub async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Error> {
    sender.ready().await?;
    Ok(sender.send_request(request).await?)
}

/// Reads an answer's body.
///
/// # Errors
/// What the network says, or a body of more than 64 KiB.
pub async fn whole(body: Incoming) -> Result<Bytes, Error> {
    Ok(Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes())
}

/// `host:port` as it stands in a `Host` header: IPv6 addresses in brackets.
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

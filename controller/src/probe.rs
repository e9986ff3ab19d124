//! The path that users take, tried: the proxy's `/health` at its public address.

use async_trait::async_trait;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A user would not wait longer for a first byte either.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks a proxy whether it serves.
#[async_trait]
pub trait Probe: Send + Sync {
    /// `GET /health` at an address with this `Host`; an error says in words why it does not serve.
    async fn probe(&self, address: &str, port: u16, host: &str) -> Result<(), String>;
}

/// Over the network.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpProbe;

#[async_trait]
impl Probe for HttpProbe {
    async fn probe(&self, address: &str, port: u16, host: &str) -> Result<(), String> {
        match timeout(PATIENCE, get(address, port, host)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("it does not serve yet".to_owned()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }
}

async fn get(address: &str, port: u16, host: &str) -> Result<bool, String> {
    let stream = TcpStream::connect((address, port)).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let request = http::Request::get("/health")
        .header(http::header::HOST, host)
        .header("x-dormouse-probe", "1")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    // The connection ends with this scope: both are polled here, nothing is left behind.
    tokio::select! {
        answer = sender.send_request(request) => {
            answer.map(|answer| answer.status().is_success()).map_err(|error| error.to_string())
        }
        ended = connection => Err(ended.err().map_or_else(|| "closed".to_owned(), |error| error.to_string())),
    }
}

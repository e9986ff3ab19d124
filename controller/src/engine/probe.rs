//! The path that users take, tried: the proxy's `/health` at its public address.

use super::Engine;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

/// A user would not wait longer for a first byte either.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// Port of the proxy's traffic and, for HTTP, of its `/health`.
const PORT: u16 = 9060;
/// Port of `/health` when the traffic is raw TCP.
const TCP_HEALTH_PORT: u16 = 9061;

impl Engine {
    /// Tries a service's proxy and plans the service again.
    pub(super) async fn probe(&self, name: &str, address: &str) {
        let tcp = self
            .records
            .get(name)
            .is_some_and(|known| known.record.spec.protocol == dormouse_manifests::Protocol::Tcp);
        let port = if tcp { TCP_HEALTH_PORT } else { PORT };
        let host = dormouse_core::naming::record_name(name, &self.settings.domain);
        match timeout(PATIENCE, get(address, port, &host)).await {
            Ok(Ok(true)) => {
                self.world().probes.insert(name.to_owned(), (self.now(), address.to_owned()));
                self.schedule(name);
                return;
            }
            Ok(Ok(false)) => debug!(service = name, address, "the proxy does not serve yet"),
            Ok(Err(error)) => debug!(service = name, address, error, "the proxy is not reached"),
            Err(_) => debug!(service = name, address, "the proxy does not answer"),
        }
        self.scheduler.schedule(super::Key::Service(name.to_owned()), AGAIN);
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

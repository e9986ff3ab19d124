//! One check of another process.

use crate::http::{self, authority};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Header that marks a probe; the proxy's `/health` answers such without counting it.
pub const PROBE_HEADER: &str = "x-dormouse-probe";
/// Header in which the proxy says how it is.
pub const STATE_HEADER: &str = "x-dormouse-state";

/// Which answers are healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The user's container: `GET path` gets any answer below 500. A login page or a 404 is a sign of life.
    Service {
        /// Path and query.
        path: String,
    },
    /// The proxy: `GET path` gets 200, or 503 from one that drains. A lame duck is not lost.
    Proxy {
        /// Path and query.
        path: String,
    },
    /// The port takes a connection.
    Tcp,
}

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing came in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// An answer, but not a healthy one.
    #[error("answered {0}")]
    Unhealthy(StatusCode),
    /// No connection, or a broken one.
    #[error("{0}")]
    Broken(String),
}

/// Checks once, over a connection of its own: a kept one could outlive the process behind the address.
///
/// # Errors
/// Why it is not healthy.
pub async fn check(check: &Check, host: &str, port: u16, limit: Duration) -> Result<(), Failure> {
    let attempt = async {
        match check {
            Check::Tcp => TcpStream::connect((host, port)).await.map(drop).map_err(broken),
            Check::Service { path } => {
                let (status, _) = get(host, port, path).await?;
                if status.as_u16() < 500 { Ok(()) } else { Err(Failure::Unhealthy(status)) }
            }
            Check::Proxy { path } => {
                let (status, draining) = get(host, port, path).await?;
                let alive = status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE && draining;
                if alive { Ok(()) } else { Err(Failure::Unhealthy(status)) }
            }
        }
    };
    timeout(limit, attempt).await.unwrap_or(Err(Failure::Silent(limit)))
}

/// Asks once, over a connection of its own: the answer's status, and its text up to 64 KiB.
///
/// # Errors
/// Why there is no whole answer.
pub async fn fetch(host: &str, port: u16, path: &str, limit: Duration) -> Result<(u16, Bytes), Failure> {
    let attempt = async {
        let answer = request(host, port, path).await?;
        let status = answer.status().as_u16();
        Ok((status, http::whole(answer.into_body()).await.map_err(broken)?))
    };
    timeout(limit, attempt).await.unwrap_or(Err(Failure::Silent(limit)))
}

/// The answer's status, and whether it comes from a proxy that drains.
async fn get(host: &str, port: u16, path: &str) -> Result<(StatusCode, bool), Failure> {
    let answer = request(host, port, path).await?;
    let status = answer.status();
    let draining = answer.headers().get(STATE_HEADER).is_some_and(|state| state == "draining");
    // Reading the page keeps small servers from logging a broken pipe at each check; its end matters not.
    let _ = timeout(Duration::from_millis(100), http::whole(answer.into_body())).await;
    Ok((status, draining))
}

async fn request(host: &str, port: u16, path: &str) -> Result<Response<Incoming>, Failure> {
    let request = Request::get(path)
        .header("host", authority(host, port))
        .header("user-agent", concat!("dormouse/", env!("CARGO_PKG_VERSION"), " (health)"))
        .header("connection", "close")
        .header(PROBE_HEADER, "1")
        .body(Full::<Bytes>::default())
        .map_err(broken)?;
    let mut sender = http::connect(host, port).await.map_err(broken)?;
    http::send(&mut sender, request).await.map_err(broken)
}

fn broken(error: impl fmt::Display + Into<http::Error>) -> Failure {
    let error: http::Error = error.into();
    // hyper's own words are "client error (Connect)"; what the system says is in its source.
    match error.source() {
        Some(source) => Failure::Broken(format!("{error}: {source}")),
        None => Failure::Broken(error.to_string()),
    }
}

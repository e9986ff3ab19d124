//! The access log: one line for each request and each raw connection, once it is over. Off unless asked for.

use crate::clock;
use tokio::time::Instant;

/// What is told of a request, or of a raw connection.
#[derive(Debug)]
pub struct Entry {
    protocol: &'static str,
    /// `None`: nothing but bytes.
    asked: Option<Asked>,
    began: Instant,
    /// The answer's status; 0 while there is none.
    pub status: u16,
    before: u64,
}

#[derive(Debug)]
struct Asked {
    method: String,
    path: String,
    host: String,
}

impl Entry {
    /// A request begins on a connection to which so many bytes were written before.
    pub fn request(
        protocol: &'static str,
        method: &str,
        target: &str,
        host: &[u8],
        before: u64,
    ) -> Box<Entry> {
        let asked = Asked {
            method: method.to_owned(),
            // Whatever follows is often a secret.
            path: target.split('?').next().unwrap_or_default().to_owned(),
            host: String::from_utf8_lossy(host).into_owned(),
        };
        Box::new(Entry { protocol, asked: Some(asked), began: clock::now(), status: 0, before })
    }

    /// A raw connection begins.
    pub fn connection() -> Box<Entry> {
        Box::new(Entry { protocol: "tcp", asked: None, began: clock::now(), status: 0, before: 0 })
    }

    /// It is over; status 0 says that the client has got no answer. `written`: bytes that the client has taken on its
    /// connection, or of its answer's body where requests share one.
    pub fn write(&self, client: &str, written: u64) {
        let took = clock::now().saturating_duration_since(self.began);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (protocol, bytes) = (self.protocol, written.saturating_sub(self.before));
        match &self.asked {
            Some(Asked { method, path, host }) => tracing::info!(
                target: "access",
                client,
                protocol,
                method,
                host,
                path,
                status = self.status,
                bytes,
                ms,
                "request"
            ),
            None => tracing::info!(target: "access", client, protocol, bytes, ms, "connection"),
        }
    }
}

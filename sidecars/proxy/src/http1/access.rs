//! The access log: one line for each request, once its answer is over. Off unless asked for.

use super::head::Request;
use crate::clock;
use tokio::time::Instant;

/// What is told of a request.
#[derive(Debug)]
pub struct Entry {
    method: String,
    path: String,
    host: String,
    began: Instant,
    /// The answer's status; 0 while there is none.
    pub status: u16,
    before: u64,
}

impl Entry {
    /// A request begins on a connection to which so many bytes were written before.
    pub fn of(request: &Request<'_, '_>, before: u64) -> Box<Entry> {
        let host = request.target.host.unwrap_or_default();
        Box::new(Entry {
            method: request.method.to_owned(),
            // Whatever follows is often a secret.
            path: request.target.path.split('?').next().unwrap_or_default().to_owned(),
            host: String::from_utf8_lossy(host).into_owned(),
            began: clock::now(),
            status: 0,
            before,
        })
    }

    /// It is over; status 0 says that the client has got no answer.
    pub fn write(&self, client: &str, written: u64) {
        let took = clock::now().saturating_duration_since(self.began);
        tracing::info!(
            target: "access",
            client,
            method = self.method,
            host = self.host,
            path = self.path,
            status = self.status,
            bytes = written.saturating_sub(self.before),
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

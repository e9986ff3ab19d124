//! The local AWS's control endpoint.

use crate::http::Request;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// A client of `/_local/…`.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    address: SocketAddr,
}

impl Control {
    /// At the local AWS's address.
    pub const fn new(address: SocketAddr) -> Control {
        Control { address }
    }

    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A call that may be refused, as for a task that has just ended.
    ///
    /// # Errors
    /// What it says.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request =
            Request::new(method, "local", &format!("/_local/{path}")).patience(Duration::from_secs(30));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer =
            request.send(self.address).map_err(|error| format!("{method} /_local/{path}: {error}"))?;
        if answer.status >= 400 {
            return Err(format!("{method} /_local/{path}: {answer}"));
        }
        match answer.header("content-type") {
            Some("application/json") => Ok(answer.json()),
            _ => Ok(Value::String(answer.text())),
        }
    }

    /// Reads.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Changes.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(body)).unwrap_or_else(|error| panic!("{error}"))
    }
}

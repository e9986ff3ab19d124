//! A small client of the API: HTTP/1.1, one connection a call.

use crate::config::Secret;
use crate::exit::Exit;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than this nobody is there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that does not wait for anything.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server's address cannot be used.
    #[error("{0}")]
    Address(String),
    /// Nobody answers there, or not to the end.
    #[error("{server} is unreachable: {why}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// In words.
        why: String,
    },
    /// The server refused, with the words of its problem.
    #[error("{detail}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// In words.
        detail: String,
    },
    /// The answer is none of this API's.
    #[error("the server's answer is not understood: {0}")]
    Answer(String),
}

impl CallError {
    /// What the shell is told.
    pub fn exit(&self) -> Exit {
        match self {
            CallError::Address(_) => Exit::Usage,
            CallError::Unreachable { .. } => Exit::Unreachable,
            CallError::Answer(_) => Exit::Failed,
            CallError::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND => Exit::NotFound,
                StatusCode::GATEWAY_TIMEOUT => Exit::TimedOut,
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }
}

/// A server, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Client {
    server: String,
    host: String,
    port: u16,
    token: Option<Secret>,
}

impl Client {
    /// A client of the server at `http://host[:port]`.
    ///
    /// # Errors
    /// When the address is none, or asks for TLS.
    pub fn new(server: &str, token: Option<Secret>) -> Result<Client, CallError> {
        let server = server.trim().trim_end_matches('/').to_owned();
        let wrong = |why: &str| CallError::Address(format!("DORMOUSE_SERVER={server:?} (--server) {why}"));
        let uri: Uri = server.parse().map_err(|_| wrong("is not an address: give http://host:port"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong(
                    "asks for TLS, which this client does not speak: \
                     give http://host:port, such as a tunnel's end on this machine",
                ));
            }
            _ => return Err(wrong("is not an address: give http://host:port")),
        }
        let host = uri.host().filter(|host| !host.is_empty() && uri.path() == "/" && uri.query().is_none());
        let host = host.ok_or_else(|| wrong("has more than a host and a port: give http://host:port"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Client { host: bare, port: uri.port_u16().unwrap_or(80), token, server })
    }

    /// Calls and reads the answer's JSON.
    ///
    /// # Errors
    /// When there is none, or it is a problem.
    pub async fn json<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, CallError> {
        self.json_within(method, path, ANSWER_TIMEOUT).await
    }

    /// The same, for calls that wait for something on the server.
    ///
    /// # Errors
    /// When there is no answer in that time, or it is a problem.
    pub async fn json_within<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        longest: Duration,
    ) -> Result<T, CallError> {
        let (_, bytes) = self.whole(method, path, Bytes::new(), longest).await?;
        serde_json::from_slice(&bytes).map_err(|error| CallError::Answer(error.to_string()))
    }

    /// Sends JSON and gives the status of what was accepted.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub async fn put(&self, path: &str, json: Vec<u8>) -> Result<StatusCode, CallError> {
        Ok(self.send_within(Method::PUT, path, json, ANSWER_TIMEOUT).await?.0)
    }

    /// The same with another method and another patience, and with what came back.
    ///
    /// # Errors
    /// When there is no answer in that time, or it is a problem.
    pub async fn send_within(
        &self,
        method: Method,
        path: &str,
        json: Vec<u8>,
        longest: Duration,
    ) -> Result<(StatusCode, Bytes), CallError> {
        self.whole(method, path, json.into(), longest).await
    }

    /// Whether the server answers at all.
    ///
    /// # Errors
    /// When it does not, or not well.
    pub async fn alive(&self, longest: Duration) -> Result<(), CallError> {
        self.whole(Method::GET, "/healthz", Bytes::new(), longest).await.map(drop)
    }

    async fn whole(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        longest: Duration,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let whole = async {
            let (status, body) = self.open(method, path, body).await?;
            let bytes = body.collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
            Ok((status, bytes))
        };
        match timeout(longest, whole).await {
            Ok(Ok((status, bytes))) if status.is_success() => Ok((status, bytes)),
            Ok(Ok((status, bytes))) => Err(CallError::Refused { status, detail: detail(status, &bytes) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.unreachable("it does not answer")),
        }
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    /// When there is no answer, or it is a problem.
    pub async fn events(&self, path: &str) -> Result<Events, CallError> {
        let (status, body) = self.open(Method::GET, path, Bytes::new()).await?;
        if status.is_success() {
            return Ok(Events { client: self.clone(), body, text: Vec::new() });
        }
        let bytes = body.collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
        Err(CallError::Refused { status, detail: detail(status, &bytes) })
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Incoming), CallError> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| self.unreachable("connecting took too long"))?
            .map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(&error))?;
        // Its errors come out at the request.
        tokio::spawn(connection);
        let authority = self.server.trim_start_matches("http://");
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, authority);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value =
                value.map_err(|_| CallError::Address("DORMOUSE_TOKEN (--token) is no token".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| CallError::Address(format!("{path:?}: {error}")))?;
        let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        Ok((response.status(), response.into_body()))
    }

    fn unreachable(&self, why: impl ToString) -> CallError {
        CallError::Unreachable { server: self.server.clone(), why: why.to_string() }
    }
}

/// What the server says is wrong: its problem's `detail`, the diagnostics behind it.
fn detail(status: StatusCode, bytes: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let Some(detail) = value["detail"].as_str() else { return format!("the server answered {status}") };
    let mut words = detail.to_owned();
    for diagnostic in value["diagnostics"].as_array().into_iter().flatten() {
        for text in diagnostic["message"].as_str().filter(|text| !detail.contains(text)).into_iter() {
            words.push_str("\n  ");
            words.push_str(text);
        }
    }
    words
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    client: Client,
    body: Incoming,
    text: Vec<u8>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its `event` field.
    pub kind: String,
    /// Its `data`.
    pub data: String,
}

impl Events {
    /// The next one; `None` when the server ends the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<ServerEvent>, CallError> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(event) = parse_event(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.client.unreachable(&error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.text.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }
}

/// `None` for comments.
fn parse_event(block: &str) -> Option<ServerEvent> {
    let mut kind = "message".to_owned();
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => data.push(value),
            _ => {}
        }
    }
    (!data.is_empty()).then(|| ServerEvent { kind, data: data.join("\n") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let client = Client::new(" http://[::1]:9070/ ", None).unwrap();
        assert_eq!((client.host.as_str(), client.port), ("::1", 9070));
        assert_eq!(Client::new("http://localhost", None).unwrap().port, 80);
        for (bad, words) in [
            ("https://a", "asks for TLS"),
            ("a:9070", "is not an address"),
            ("ftp://a", "is not an address"),
            ("http://a/b", "has more than a host and a port"),
            ("", "is not an address"),
        ] {
            let error = Client::new(bad, None).unwrap_err();
            assert!(error.to_string().contains(words), "{bad}: {error}");
            assert_eq!(error.exit(), Exit::Usage);
        }
    }

    #[test]
    fn events_are_read_and_comments_are_not() {
        let event = parse_event("event: service\ndata: {\"a\":\ndata: 1}\n\n").unwrap();
        assert_eq!(event, ServerEvent { kind: "service".into(), data: "{\"a\":\n1}".into() });
        assert_eq!(parse_event(":\n\n"), None);
    }
}

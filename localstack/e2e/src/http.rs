//! A small blocking HTTP/1.1 client: every request has one deadline, and every answer is read whole.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// More than any hold.
pub const PATIENCE: Duration = Duration::from_secs(70);

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The Host header.
    pub host: String,
    /// Other headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// When to give up.
    pub patience: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, host: &str, target: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            host: host.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// With another deadline.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Request {
        self.patience = patience;
        self
    }

    /// Sends it over a connection of its own.
    ///
    /// # Errors
    /// When no whole answer came in time.
    pub fn send(&self, to: SocketAddr) -> io::Result<Answer> {
        let mut connection = Connection::open(to, self.patience)?;
        connection.send(self, false)
    }
}

impl Answer {
    /// The first header of a name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

/// A connection that may carry several requests.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Deadline>,
    /// The other side keeps it open.
    pub open: bool,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(to: SocketAddr, patience: Duration) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_nodelay(true)?;
        let until = Instant::now() + patience;
        Ok(Connection { stream: BufReader::new(Deadline { stream, until }), open: true })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When no whole answer came in time.
    pub fn send(&mut self, request: &Request, keep: bool) -> io::Result<Answer> {
        self.stream.get_mut().until = Instant::now() + request.patience;
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, request.host);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let upgrade = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
        if !keep && !upgrade {
            head.push_str("Connection: close\r\n");
        }
        if !request.body.is_empty() || request.method == "POST" || request.method == "PUT" {
            head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
        }
        head.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.stream.write_all(head.as_bytes())?;
        stream.stream.write_all(&request.body)?;
        self.answer(&request.method)
    }

    fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| wrong(format!("no status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong(format!("no header: {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let says = |name, value: &str| answer.header(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        self.open = !says("connection", "close") && !line.starts_with("HTTP/1.0");
        if (100..200).contains(&status) && status != 101 {
            return self.answer(method);
        }
        if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            return Ok(answer);
        }
        let length = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if says("transfer-encoding", "chunked") {
            answer.body = self.chunks()?;
        } else if let Some(length) = length {
            let mut body = Vec::new();
            (&mut self.stream).take(length).read_to_end(&mut body)?;
            if body.len() as u64 != length {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("{} of {length} bytes of the body", body.len()),
                ));
            }
            answer.body = body;
        } else {
            self.open = false;
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size =
                u64::from_str_radix(size, 16).map_err(|_| wrong(format!("no chunk size: {line:?}")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            let before = body.len() as u64;
            (&mut self.stream).take(size).read_to_end(&mut body)?;
            if body.len() as u64 - before != size {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a chunk was cut off"));
            }
            self.line()?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended within an answer",
            ));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| wrong("a head that is not UTF-8".to_owned()))
    }

    /// What follows an upgrade.
    pub fn stream(&mut self) -> (&mut BufReader<Deadline>, Duration) {
        let left = self.stream.get_ref().until.saturating_duration_since(Instant::now());
        (&mut self.stream, left)
    }
}

fn wrong(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A stream that can be read until a moment, however slowly the bytes come.
#[derive(Debug)]
pub struct Deadline {
    stream: TcpStream,
    until: Instant,
}

impl Deadline {
    /// For writing.
    pub const fn inner(&self) -> &TcpStream {
        &self.stream
    }

    /// Moves the moment.
    pub fn extend(&mut self, patience: Duration) {
        self.until = Instant::now() + patience;
    }
}

impl Read for Deadline {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no whole answer in time"));
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no whole answer in time"),
            _ => error,
        })
    }
}

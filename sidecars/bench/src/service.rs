//! One connection to the service.

use crate::wire::{self, LARGE, MIDDLING, SMALL};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

/// Everything that the service says.
#[derive(Debug)]
pub struct Answers {
    small: Rc<[u8]>,
    middling: Rc<[u8]>,
    large: Rc<[u8]>,
    thanks: Rc<[u8]>,
    socket: Rc<[u8]>,
}

impl Answers {
    /// Bodies are the beginning of the pattern.
    pub fn new(pattern: &[u8]) -> Answers {
        let socket = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        Answers {
            small: wire::answer(&pattern[..SMALL]),
            middling: wire::answer(&pattern[..MIDDLING]),
            large: wire::answer(&pattern[..LARGE]),
            thanks: wire::answer(&[]),
            socket: socket.as_bytes().into(),
        }
    }

    fn to(&self, head: &[u8]) -> &Rc<[u8]> {
        match head.split(|byte| *byte == b' ').nth(1) {
            Some(b"/100k") => &self.middling,
            Some(b"/10m") => &self.large,
            Some(b"/upload") => &self.thanks,
            Some(b"/socket") => &self.socket,
            _ => &self.small,
        }
    }
}

/// A connection, answered request by request.
#[derive(Debug)]
pub struct Service {
    stream: TcpStream,
    head: Vec<u8>,
    /// What is still to come of a request's body.
    body: usize,
    answer: Option<Rc<[u8]>>,
    sent: usize,
    closes: bool,
    socket: bool,
}

/// Whether a connection goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It does.
    Goes,
    /// It ends.
    Ends,
}

impl Service {
    /// Over a connection that is registered for both directions.
    pub fn new(stream: TcpStream) -> Service {
        Service { stream, head: Vec::new(), body: 0, answer: None, sent: 0, closes: false, socket: false }
    }

    /// Reads and answers what can be.
    ///
    /// # Errors
    /// What no proxy should send.
    pub fn ready(&mut self, scratch: &mut [u8], answers: &Answers) -> Result<Next, String> {
        if self.flush() == Next::Ends {
            return Ok(Next::Ends);
        }
        loop {
            match self.stream.read(scratch) {
                // A proxy may close a connection whenever it likes: what its client gets is looked at there.
                Ok(0) => return Ok(Next::Ends),
                Ok(read) => {
                    if self.took(&scratch[..read], answers)? == Next::Ends {
                        return Ok(Next::Ends);
                    }
                    if read < scratch.len() {
                        return Ok(Next::Goes);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Goes),
                Err(_) => return Ok(Next::Ends),
            }
        }
    }

    fn took(&mut self, mut bytes: &[u8], answers: &Answers) -> Result<Next, String> {
        if self.socket {
            return match self.stream.write(bytes) {
                Ok(written) if written == bytes.len() => Ok(Next::Goes),
                Ok(_) => Err("a socket takes no message back".into()),
                Err(_) => Ok(Next::Ends),
            };
        }
        if self.answer.is_none() && self.body == 0 {
            let waits = self.head.len();
            if waits > 0 {
                self.head.extend_from_slice(bytes);
            }
            let seen = if waits > 0 { &self.head } else { bytes };
            let Some(end) = wire::head_end(seen) else {
                if waits == 0 {
                    self.head.extend_from_slice(bytes);
                }
                return Ok(Next::Goes);
            };
            let head = &seen[..end];
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.closes = line.ends_with(b"HTTP/1.0\r")
                || wire::header(head, b"connection").is_some_and(|v| v.eq_ignore_ascii_case(b"close"));
            if wire::header(head, b"transfer-encoding").is_some() {
                return Err(format!("a body without its length: {}", String::from_utf8_lossy(head)));
            }
            self.body = wire::header(head, b"content-length").and_then(wire::length).unwrap_or(0);
            self.socket = wire::header(head, b"upgrade").is_some();
            self.answer = Some(Rc::clone(answers.to(head)));
            self.sent = 0;
            bytes = &bytes[end - waits..];
            self.head.clear();
        }
        if bytes.len() > self.body {
            return Err(format!("{} bytes after the request", bytes.len() - self.body));
        }
        self.body -= bytes.len();
        Ok(self.flush())
    }

    fn flush(&mut self) -> Next {
        let Some(answer) = self.answer.as_ref().filter(|_| self.body == 0) else { return Next::Goes };
        while self.sent < answer.len() {
            match self.stream.write(&answer[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Goes,
                Err(_) => return Next::Ends,
            }
        }
        self.answer = None;
        if self.closes { Next::Ends } else { Next::Goes }
    }
}

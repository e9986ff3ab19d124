//! One client's connection.

use crate::scenario::{Load, Style};
use crate::wire::{self, Reader};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};

/// A connection, with at most one request on it.
#[derive(Debug)]
pub struct Client {
    /// Registered for both directions.
    pub stream: TcpStream,
    /// When the request that it waits for was to be sent, in nanoseconds of the rig.
    pub since: u64,
    /// Whether it waits for an answer.
    pub waits: bool,
    /// Bytes of answers that came, since somebody took this.
    pub moved: u64,
    sent: usize,
    reader: Reader,
    /// The socket that the connection turned into.
    socket: bool,
    echoed: usize,
    head: Vec<u8>,
}

/// What came of an event.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing new.
    Nothing,
    /// The socket is open.
    Opened,
    /// An answer is whole, and the connection is free.
    Done,
    /// An answer is whole, and the connection is of no more use.
    DoneAndClosed,
}

impl Client {
    /// Over a connection that may not stand yet.
    pub fn new(stream: TcpStream) -> Client {
        Client {
            stream,
            since: 0,
            waits: false,
            moved: 0,
            sent: 0,
            reader: Reader::default(),
            socket: false,
            echoed: 0,
            head: Vec::new(),
        }
    }

    /// Sends a request, or a message over the socket.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn send(&mut self, since: u64, load: &Load) -> Result<(), String> {
        self.since = since;
        self.waits = true;
        self.sent = 0;
        self.flush(load)
    }

    fn flush(&mut self, load: &Load) -> Result<(), String> {
        let out = match &load.style {
            Style::Socket(message) if self.socket => message,
            _ => &load.request,
        };
        while self.sent < out.len() {
            match self.stream.write(&out[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => return Err(format!("cannot send: {error}")),
            }
        }
        Ok(())
    }

    /// Sends and reads what can be.
    ///
    /// # Errors
    /// How the answer is not what it should be.
    pub fn ready(&mut self, scratch: &mut [u8], load: &Load, pattern: &[u8]) -> Result<News, String> {
        if self.waits {
            self.flush(load)?;
        }
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) if !self.waits && load.style == Style::Close => return Ok(News::DoneAndClosed),
                Ok(0) if self.waits => return Err("the connection ended before the answer".into()),
                Ok(0) => return Err("a kept connection was closed without a word".into()),
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(News::Nothing);
                }
                Err(error) => return Err(format!("cannot read: {error}")),
            };
            match self.took(&scratch[..read], load, pattern)? {
                // The end may have come with the answer, and is not told twice.
                News::Done if load.style == Style::Close => self.waits = false,
                News::Nothing if read == scratch.len() => {}
                news => return Ok(news),
            }
        }
    }

    fn took(&mut self, bytes: &[u8], load: &Load, pattern: &[u8]) -> Result<News, String> {
        if !self.waits {
            return Err("bytes that nobody asked for".into());
        }
        let Style::Socket(message) = &load.style else {
            let whole = self.reader.feed(bytes, load.answer, pattern)?;
            self.moved += bytes.len() as u64;
            if whole == wire::Read::Part {
                return Ok(News::Nothing);
            }
            self.waits = false;
            let closed = self.reader.closes && load.style != Style::Close;
            return Ok(if closed { News::DoneAndClosed } else { News::Done });
        };
        if !self.socket {
            self.head.extend_from_slice(bytes);
            if wire::head_end(&self.head) != Some(self.head.len()) {
                return Ok(News::Nothing);
            }
            if !self.head.starts_with(b"HTTP/1.1 101 ") {
                return Err(format!("no socket: {}", String::from_utf8_lossy(&self.head)));
            }
            (self.socket, self.waits) = (true, false);
            return Ok(News::Opened);
        }
        let expected = message.get(self.echoed..self.echoed + bytes.len());
        if expected != Some(bytes) {
            return Err("another message than the one that was sent".into());
        }
        self.echoed += bytes.len();
        if self.echoed < message.len() {
            return Ok(News::Nothing);
        }
        (self.echoed, self.waits) = (0, false);
        Ok(News::Done)
    }
}

//! A WebSocket client for short texts.

use crate::http::{Connection, PATIENCE, Request};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// The example of RFC 6455, and what a server answers to it: real hashing would show no more.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// See [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    connection: Connection,
}

impl WebSocket {
    /// Connects, and upgrades.
    ///
    /// # Errors
    /// When that fails.
    pub fn open(to: SocketAddr, host: &str, target: &str) -> io::Result<WebSocket> {
        let mut connection = Connection::open(to, PATIENCE)?;
        let request = Request::new("GET", host, target)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", KEY);
        let answer = connection.send(&request, true)?;
        if answer.status != 101 || answer.header("sec-websocket-accept") != Some(ACCEPT) {
            return Err(io::Error::other(format!("not upgraded: {answer}")));
        }
        Ok(WebSocket { connection })
    }

    /// Sends a text of at most 125 bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, text: &str) -> io::Result<()> {
        let length = u8::try_from(text.len())
            .ok()
            .filter(|length| *length < 126)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mask = [1u8, 2, 3, 4];
        let mut frame = vec![0x81, 0x80 | length];
        frame.extend(mask);
        frame.extend(text.bytes().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.connection.stream().0.get_ref().inner().write_all(&frame)
    }

    /// The next text.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn receive(&mut self, patience: Duration) -> io::Result<String> {
        let (stream, _) = self.connection.stream();
        stream.get_mut().extend(patience);
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        let mut text = vec![0; usize::from(head[1] & 0x7f)];
        stream.read_exact(&mut text)?;
        match head[0] {
            0x81 => Ok(String::from_utf8_lossy(&text).into_owned()),
            0x88 => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the other side")),
            other => Err(io::Error::other(format!("an unexpected frame: {other:#x}"))),
        }
    }
}

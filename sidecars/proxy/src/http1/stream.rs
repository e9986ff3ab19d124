//! A socket, and what was read of it too early.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes both ways, over something else than plain TCP.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What carries the bytes.
pub enum Wire {
    /// A plain socket.
    Tcp(TcpStream),
    /// Anything else.
    Other(Box<dyn Duplex>),
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wire::Tcp(stream) => stream.fmt(f),
            Wire::Other(_) => f.write_str("Other"),
        }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    /// Read, and not used yet. Empty most of the time, and then without a buffer, as is the next one.
    pending: Vec<u8>,
    /// To be written, and not taken yet from `at` on.
    held: Vec<u8>,
    at: usize,
    /// Bytes that the other end has taken.
    pub written: u64,
}

impl Stream {
    /// Nothing was read of it yet.
    pub const fn new(wire: Wire) -> Stream {
        Stream { wire, pending: Vec::new(), held: Vec::new(), at: 0, written: 0 }
    }

    /// The plain socket, unless it is something else, or bytes wait that did not come from it just now.
    pub fn plain(&self) -> Option<&TcpStream> {
        match &self.wire {
            Wire::Tcp(stream) if self.pending.is_empty() => Some(stream),
            _ => None,
        }
    }

    /// What was read and not used.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Keeps what was read, and is not used yet.
    pub fn stash(&mut self, rest: &[u8]) {
        // Most of the time there is nothing, and nothing was there.
        if !(rest.is_empty() && self.pending.is_empty()) {
            self.pending = rest.to_vec();
        }
    }

    /// Takes what was kept into a buffer's beginning.
    pub fn unstash(&mut self, buf: &mut [u8]) -> usize {
        let kept = std::mem::take(&mut self.pending);
        buf[..kept.len()].copy_from_slice(&kept);
        kept.len()
    }

    /// What was kept, or else what comes. 0: the end.
    pub fn poll_some(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.pending.is_empty() { self.poll_read(cx, buf) } else { Poll::Ready(Ok(self.unstash(buf))) }
    }

    /// What was kept, and more that comes after it: all of it, and how much is new. 0 new ones: the end.
    pub fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, usize)>> {
        let kept = self.pending.len();
        let fresh = ready!(self.poll_read(cx, &mut buf[kept..]))?;
        if fresh == 0 {
            return Poll::Ready(Ok((kept, 0)));
        }
        if kept > 0 {
            self.unstash(buf);
        }
        Poll::Ready(Ok((kept + fresh, fresh)))
    }

    /// The first byte that comes, which is read again afterwards.
    ///
    /// # Errors
    /// What the network says; so it does when nothing comes.
    #[cfg(feature = "tls")]
    pub async fn peek(&mut self) -> io::Result<u8> {
        let mut first = [0; 1];
        while self.pending.is_empty() {
            let n = std::future::poll_fn(|cx| self.poll_read(cx, &mut first)).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.stash(&first);
        }
        Ok(self.pending[0])
    }

    /// Whether the other end has neither closed nor said anything, as far as is known without asking the system.
    pub fn is_quiet(&self) -> bool {
        let Some(stream) = self.plain() else { return false };
        matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Wire::Other(stream) => Pin::new(stream).poll_read(cx, &mut buf),
        })?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (&mut self.wire, parts) {
            (Wire::Tcp(stream), [one]) => Pin::new(stream).poll_write(cx, one),
            (Wire::Tcp(stream), _) => Pin::new(stream).poll_write_vectored(cx, parts),
            (Wire::Other(stream), _) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    /// Whether the other end has taken all.
    pub const fn is_sent(&self) -> bool {
        self.held.is_empty()
    }

    /// Adds to what is to be written.
    pub fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// What was to be written, and was not.
    pub fn unsent(&mut self) -> Vec<u8> {
        let at = std::mem::take(&mut self.at);
        let mut held = std::mem::take(&mut self.held);
        held.drain(..at);
        held
    }

    /// Writes these at once if nothing waits, and holds what is not taken.
    ///
    /// # Errors
    /// What the network says; nothing is lost then.
    pub fn send(&mut self, cx: &mut Context<'_>, parts: &[&[u8]]) -> io::Result<()> {
        let (mut taken, mut result) = (0, Ok(()));
        if self.is_sent() {
            let wrote = match parts {
                [one] => self.poll_write(cx, &[IoSlice::new(one)]),
                [one, two] => self.poll_write(cx, &[one, two].map(|part| IoSlice::new(part))),
                _ => self.poll_write(cx, &parts.iter().map(|part| IoSlice::new(part)).collect::<Vec<_>>()),
            };
            match wrote {
                Poll::Ready(Ok(n)) => taken = n,
                Poll::Ready(Err(error)) => result = Err(error),
                Poll::Pending => {}
            }
            self.written += taken as u64;
        }
        for part in parts {
            let skipped = taken.min(part.len());
            taken -= skipped;
            if skipped < part.len() {
                self.held.extend_from_slice(&part[skipped..]);
            }
        }
        result
    }

    /// Waits until all is taken.
    pub fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.at < self.held.len() {
            let held = std::mem::take(&mut self.held);
            let wrote = self.poll_write(cx, &[IoSlice::new(&held[self.at..])]);
            self.held = held;
            let n = ready!(wrote)?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.at += n;
            self.written += n as u64;
        }
        if !self.held.is_empty() {
            self.held = Vec::new();
            self.at = 0;
        }
        self.poll_flush(cx)
    }

    /// Sends what a layer between here and the socket holds back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            // A plain socket holds nothing back.
            Wire::Tcp(_) => Poll::Ready(Ok(())),
            Wire::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Nothing more will be written.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Closing it will be a reset, which nobody takes for an orderly end.
    pub fn cut(&self) {
        if let Wire::Tcp(stream) = &self.wire {
            // A socket that refuses is gone already.
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.pending.is_empty() {
            let n = self.pending.len().min(buf.remaining());
            buf.put_slice(&self.pending[..n]);
            self.pending.drain(..n);
            if self.pending.is_empty() {
                self.pending = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        match &mut self.wire {
            Wire::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Other(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Stream::poll_write(&mut self, cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write(&mut self, cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(&mut self, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(&mut self, cx)
    }
}

//! Which protocol a caller speaks: told by its first bytes, which are then read again.

use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// Waits for the first bytes; `None` when there are none.
pub(super) async fn listen<I>(mut io: I) -> io::Result<Option<(Spoken, Reread<I>)>>
where
    I: AsyncRead + Unpin,
{
    let mut heard = Vec::with_capacity(PREFACE.len());
    loop {
        let missing = PREFACE.len() - heard.len();
        if (&mut io).take(missing as u64).read_buf(&mut heard).await? == 0 {
            return Ok(None);
        }
        let spoken = match PREFACE.strip_prefix(heard.as_slice()) {
            None => Spoken::Http1,
            Some([]) => Spoken::Http2,
            Some(_) => continue,
        };
        return Ok(Some((spoken, Reread { first: heard.into(), io })));
    }
}

/// A connection whose first bytes are read again.
#[derive(Debug)]
pub(super) struct Reread<I> {
    first: Bytes,
    io: I,
}

impl<I: AsyncRead + Unpin> AsyncRead for Reread<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(self.first.get(..count).unwrap_or_default());
        self.first.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Reread<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(bytes: &[u8]) -> Option<(Spoken, Vec<u8>)> {
        let (spoken, mut io) = listen(tokio_reader(bytes)).await.unwrap()?;
        let mut all = Vec::new();
        io.read_to_end(&mut all).await.unwrap();
        Some((spoken, all))
    }

    /// One byte at a time, as the network may.
    fn tokio_reader(bytes: &[u8]) -> impl AsyncRead + Unpin + use<> {
        let (mut far, near) = tokio::io::duplex(1);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &bytes).await });
        near
    }

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_not_lost() {
        let mut second = PREFACE.to_vec();
        second.extend_from_slice(b"frames");
        assert_eq!(heard(&second).await, Some((Spoken::Http2, second)));
        for first in [&b"GET / HTTP/1.1\r\n"[..], b"PRINT / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n"] {
            assert_eq!(heard(first).await, Some((Spoken::Http1, first.to_vec())));
        }
        assert_eq!(heard(b"").await, None);
        assert_eq!(heard(b"PRI").await, None);
    }
}

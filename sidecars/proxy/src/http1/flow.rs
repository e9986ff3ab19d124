//! One body on its way: read into the shared buffer, checked, and written on in the same turn.
//!
//! What the receiver does not take at once is held, and nothing more is read until it has: that is the back-pressure.

use super::chunked::{Chunked, Keep};
use super::framing::Framing;
use super::splice::{self, Pipe, Side};
use super::stream::Stream;
use crate::activity::Activity;
use std::io;
use std::task::{Context, Poll, ready};

/// Which side ended a flow before its time.
#[derive(Debug)]
pub enum Broken {
    /// The sender left in the middle.
    Source(io::Error),
    /// What the sender sends is no body.
    Malformed(&'static str),
    /// The receiver takes no more.
    Sink(io::Error),
}

/// How a body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encode {
    /// As it came.
    Same,
    /// Without frames, to the end of the connection.
    Plain,
    /// In chunks, although it came without.
    Chunks,
}

#[derive(Debug)]
enum Body {
    Length(u64),
    Chunked(Box<Chunked>),
    Close,
}

/// One body.
#[derive(Debug)]
pub struct Flow {
    body: Body,
    encode: Encode,
    ended: bool,
    pipe: Option<Pipe>,
}

/// Where a body's beginning goes.
#[derive(Debug)]
pub enum To<'a> {
    /// To the receiver.
    Stream(&'a mut Stream),
    /// To the receiver, once there is one.
    Later(&'a mut Vec<u8>),
}

impl Flow {
    /// One that has not begun.
    pub fn new(framing: Framing, encode: Encode) -> Flow {
        let body = match framing {
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Box::default()),
            Framing::Close => Body::Close,
        };
        Flow { ended: framing == Framing::Length(0), body, encode, pipe: None }
    }

    /// Whether all was read.
    pub const fn is_read(&self) -> bool {
        self.ended
    }

    /// Sends a head and what came after it; gives how much of that was the body's.
    ///
    /// # Errors
    /// Which side is to blame.
    pub fn begin(
        &mut self,
        cx: &mut Context<'_>,
        head: &[u8],
        bytes: &mut [u8],
        to: To<'_>,
        activity: &Activity,
    ) -> Result<usize, Broken> {
        let (used, kept) = if self.ended { (0, 0) } else { self.take(bytes, activity)? };
        let (before, after) = self.frame(kept);
        let parts = [head, before.as_bytes(), &bytes[..kept], after];
        match to {
            To::Stream(to) if kept == 0 => to.send(cx, &[head]).map_err(Broken::Sink)?,
            To::Stream(to) if before.is_empty() => to.send(cx, &[head, parts[2]]).map_err(Broken::Sink)?,
            To::Stream(to) => to.send(cx, &parts).map_err(Broken::Sink)?,
            To::Later(later) => parts.iter().for_each(|part| later.extend_from_slice(part)),
        }
        Ok(used)
    }

    /// Carries it on.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        buf: &mut [u8],
        activity: &Activity,
    ) -> Poll<Result<(), Broken>> {
        loop {
            ready!(to.poll_sent(cx)).map_err(Broken::Sink)?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if self.is_worth_a_pipe(from, to) {
                ready!(self.poll_pipe(cx, from, to, activity))?;
                continue;
            }
            let n = ready!(from.poll_some(cx, buf)).map_err(Broken::Source)?;
            if n == 0 {
                self.end(to)?;
                continue;
            }
            let bytes = &mut buf[..n];
            let (used, kept) = self.take(bytes, activity)?;
            if used < n {
                from.stash(&bytes[used..]);
            }
            let (before, after) = self.frame(kept);
            let sent = if before.is_empty() {
                to.send(cx, &[&bytes[..kept]])
            } else {
                to.send(cx, &[before.as_bytes(), &bytes[..kept], after])
            };
            sent.map_err(Broken::Sink)?;
        }
    }

    /// Whether something of it is in the kernel, between the two.
    pub fn holds(&self) -> bool {
        self.pipe.as_ref().is_some_and(Pipe::holds)
    }

    /// Whether it goes on through the kernel; what has begun so goes on so.
    fn is_worth_a_pipe(&mut self, from: &Stream, to: &Stream) -> bool {
        let long = matches!(self.body, Body::Length(left) if left >= splice::WORTH);
        if self.pipe.is_none() && long && from.plain().is_some() && to.plain().is_some() {
            self.pipe = Pipe::take();
        }
        self.pipe.is_some()
    }

    fn poll_pipe(
        &mut self,
        cx: &mut Context<'_>,
        from: &Stream,
        to: &mut Stream,
        activity: &Activity,
    ) -> Poll<Result<(), Broken>> {
        let (Some(pipe), Body::Length(left)) = (&mut self.pipe, &mut self.body) else {
            return Poll::Ready(Ok(()));
        };
        let (before, mut taken) = (*left, 0);
        let moved = match (from.plain(), to.plain()) {
            (Some(from), Some(receiver)) => pipe.poll(cx, from, receiver, left, &mut taken),
            _ => Poll::Ready(Err(Side::From(io::ErrorKind::Unsupported.into()))),
        };
        to.written += taken;
        activity.moved(usize::try_from(before - *left).unwrap_or(usize::MAX));
        let result = ready!(moved);
        self.ended = *left == 0;
        Poll::Ready(result.map_err(|side| match side {
            Side::From(error) => Broken::Source(error),
            Side::To(error) => Broken::Sink(error),
        }))
    }

    /// How much of these is the body's, and how much of that goes on.
    fn take(&mut self, bytes: &mut [u8], activity: &Activity) -> Result<(usize, usize), Broken> {
        let (used, kept, data) = match &mut self.body {
            Body::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= n as u64;
                self.ended = *left == 0;
                (n, n, n)
            }
            Body::Chunked(chunked) => {
                let keep = if self.encode == Encode::Same { Keep::Chunks } else { Keep::Data };
                let scanned = chunked.scan(bytes, keep).map_err(Broken::Malformed)?;
                self.ended = chunked.is_done();
                (scanned.used, scanned.kept, scanned.data)
            }
            Body::Close => (bytes.len(), bytes.len(), bytes.len()),
        };
        activity.moved(data);
        Ok((used, kept))
    }

    fn frame(&self, bytes: usize) -> (String, &'static [u8]) {
        if self.encode == Encode::Chunks && bytes > 0 {
            (format!("{bytes:x}\r\n"), b"\r\n")
        } else {
            (String::new(), b"")
        }
    }

    /// The sender has closed.
    fn end(&mut self, to: &mut Stream) -> Result<(), Broken> {
        if !matches!(self.body, Body::Close) {
            return Err(Broken::Source(io::ErrorKind::UnexpectedEof.into()));
        }
        self.ended = true;
        if self.encode == Encode::Chunks {
            to.hold(b"0\r\n\r\n");
        }
        Ok(())
    }
}

//! A large body, which stays in the kernel: from socket to socket through a pipe, without being copied.
//!
//! A pipe costs four system calls to make and to give back, so that this pays only for what is long; and a thread keeps
//! a few for the next.

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Shorter ones are copied.
pub const WORTH: u64 = 64 * 1024;
/// What is asked of the kernel for a pipe; it may give less.
const PIPE: usize = 256 * 1024;
/// Moved by one call at most.
const MOST: u64 = 1024 * 1024;
/// Calls in one turn: others want theirs.
const TURN: usize = 64;
/// Pipes that wait for the next body.
const KEPT: usize = 8;

thread_local! {
    static PIPES: RefCell<Vec<(OwnedFd, OwnedFd)>> = const { RefCell::new(Vec::new()) };
}

/// A pipe, and how much is in it.
#[derive(Debug)]
pub struct Pipe {
    /// Out and in.
    ends: Option<(OwnedFd, OwnedFd)>,
    filled: u64,
}

impl Pipe {
    /// One that is empty; `None` when there are no file descriptors left, as if there were no pipes.
    pub fn take() -> Option<Pipe> {
        let kept = PIPES.with_borrow_mut(Vec::pop);
        let ends = kept.or_else(|| {
            let made = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).ok()?;
            // A smaller one does as well, a little slower.
            let _ = fcntl_setpipe_size(&made.0, PIPE);
            Some(made)
        })?;
        Some(Pipe { ends: Some(ends), filled: 0 })
    }

    /// Whether the receiver has not taken all that the sender gave.
    pub const fn holds(&self) -> bool {
        self.filled > 0
    }

    /// Moves bytes on, `left` at most, which shrinks by what came; gives what the receiver took. 0: the sender has
    /// closed.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &TcpStream,
        to: &TcpStream,
        left: &mut u64,
        taken: &mut u64,
    ) -> Poll<Result<(), Side>> {
        let Some((out, into)) = &self.ends else { return Poll::Ready(Ok(())) };
        for _ in 0..TURN {
            if self.filled > 0 {
                ready!(to.poll_write_ready(cx)).map_err(Side::To)?;
                match to.try_io(Interest::WRITABLE, || go(out, to, self.filled)) {
                    Ok(n) => {
                        self.filled -= n;
                        *taken += n;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(Side::To(error))),
                }
                continue;
            }
            if *left == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(from.poll_read_ready(cx)).map_err(Side::From)?;
            match from.try_io(Interest::READABLE, || go(from, into, MOST.min(*left))) {
                Ok(0) => return Poll::Ready(Err(Side::From(io::ErrorKind::UnexpectedEof.into()))),
                Ok(n) => {
                    self.filled += n;
                    *left -= n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(Side::From(error))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Which side failed.
#[derive(Debug)]
pub enum Side {
    /// The sender's.
    From(io::Error),
    /// The receiver's.
    To(io::Error),
}

fn go(from: impl AsFd, to: impl AsFd, most: u64) -> io::Result<u64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    Ok(splice(from, None, to, None, most, flags)? as u64)
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // What is in it is somebody's: it goes with it.
        if let (Some(ends), 0) = (self.ends.take(), self.filled) {
            // The thread may be ending.
            let _ = PIPES.try_with(|pipes| {
                let mut pipes = pipes.borrow_mut();
                if pipes.len() < KEPT {
                    pipes.push(ends);
                }
            });
        }
    }
}

//! Upgraded connections: bytes both ways until either side ends.

use crate::plane::InUse;
use axum::body::Body;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// The use that a tunnel is of.
pub(super) struct Used {
    /// It is in use as long as this lives.
    pub(super) now: Box<dyn InUse>,
    /// It is in use again.
    pub(super) again: Box<dyn Fn() -> Box<dyn InUse> + Send + Sync>,
    /// Without a byte for so long, it is of no use (`spec.websocketIdle`); `None`: it is while it is open.
    pub(super) idle: Option<Duration>,
}

/// Joins the caller's and the service's connection once the caller has the answer.
pub(super) fn open<B>(
    tunnels: &TaskTracker,
    caller: OnUpgrade,
    mut response: Response<B>,
    used: Used,
) -> Response<Body> {
    let service = hyper::upgrade::on(&mut response);
    tunnels.spawn(async move {
        // An error here says that one of them left before the switch.
        let Ok((caller, service)) = futures::future::try_join(caller, service).await else { return };
        let moved = Arc::new(Notify::new());
        let mut caller = TokioIo::new(caller);
        // What is read from and written to the service is what went both ways.
        let mut service = Noticed { io: TokioIo::new(service), moved: Arc::clone(&moved) };
        tokio::select! {
            ended = copy_bidirectional(&mut caller, &mut service) => if let Err(error) = ended {
                tracing::debug!(%error, "a tunnel ended");
            },
            () = count(used, &moved) => {}
        }
    });
    let mut switched = Response::new(Body::empty());
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = std::mem::take(response.headers_mut());
    switched
}

/// Counts a tunnel as use, and as none while nothing moves. Never ends.
async fn count(used: Used, moved: &Notify) {
    let Used { now, again, idle } = used;
    let mut now = Some(now);
    let Some(idle) = idle else {
        std::future::pending::<()>().await;
        return drop(now);
    };
    loop {
        match timeout(idle, moved.notified()).await {
            Ok(()) if now.is_none() => now = Some(again()),
            Ok(()) => {}
            Err(_) => now = None,
        }
    }
}

/// A connection that tells when bytes move.
struct Noticed<I> {
    io: I,
    moved: Arc<Notify>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Noticed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.moved.notify_one();
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noticed<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.moved.notify_one();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

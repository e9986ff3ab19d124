//! Bytes both ways: upgraded HTTP connections and raw ones.

use crate::activity::{Activity, Busy};
use crate::pool::Connection;
use crate::proxy::{Alive, Proxy, Stage};
use crate::upstream::tune;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Joins the two ends of an upgraded connection, once hyper hands them out. The socket counts as open from
/// before the request's end to the end of both directions.
pub fn start(
    client: OnUpgrade,
    service: OnUpgrade,
    connection: Connection,
    proxy: Arc<Proxy>,
    socket: Busy,
    alive: Alive,
) {
    tokio::spawn(async move {
        match tokio::try_join!(client, service) {
            Ok((client, service)) => {
                join(&mut TokioIo::new(client), TokioIo::new(service), &proxy, socket).await;
            }
            Err(error) => tracing::debug!("an upgrade failed: {error}"),
        }
        drop((connection, alive));
    });
}

/// Serves one raw connection.
pub async fn raw(proxy: Arc<Proxy>, mut client: TcpStream) {
    let (socket, news) = proxy.activity.connection();
    if news {
        proxy.touch();
    }
    match proxy.upstream.stream().await {
        Ok((service, _)) => {
            tune(&service);
            join(&mut client, service, &proxy, socket).await;
        }
        Err(reason) => tracing::warn!("a connection is closed: {reason}"),
    }
}

async fn join<C, S>(client: &mut C, service: S, proxy: &Proxy, socket: Busy)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let moved = Arc::new(Notify::new());
    // What is read from and written to the service is what went both ways.
    let mut service =
        Counted { inner: service, activity: Arc::clone(&proxy.activity), moved: Arc::clone(&moved) };
    tokio::select! {
        ended = copy_bidirectional(client, &mut service) => if let Err(error) = ended {
            tracing::debug!("a socket ended: {error}");
        },
        () = watch(proxy, socket, &moved) => tracing::debug!("a silent socket is cut off"),
    }
}

/// Counts a socket as open, but not while no byte has moved for the limit. Ends when such a one is to be cut off.
async fn watch(proxy: &Proxy, socket: Busy, moved: &Notify) {
    let Some(limit) = proxy.settings.socket_idle else {
        std::future::pending::<()>().await;
        return drop(socket);
    };
    let mut socket = socket;
    loop {
        if timeout(limit, moved.notified()).await.is_ok() {
            continue;
        }
        socket.end_quietly();
        tokio::select! {
            biased;
            () = moved.notified() => socket = proxy.activity.socket(),
            () = proxy.reaches(Stage::Finishing) => return,
        }
    }
}

struct Counted<S> {
    inner: S,
    activity: Arc<Activity>,
    moved: Arc<Notify>,
}

impl<S> Counted<S> {
    fn moved(&self, bytes: usize) {
        self.activity.moved(bytes);
        if bytes > 0 {
            self.moved.notify_one();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.moved(buf.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled {
            self.moved(written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

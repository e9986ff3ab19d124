//! Bytes both ways: upgraded HTTP connections and raw ones.

use crate::activity::{Activity, Busy};
use crate::pool::Connection;
use crate::proxy::{Alive, Proxy};
use crate::upstream::tune;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::net::TcpStream;

/// Joins the two ends of an upgraded connection, once hyper hands them out. The socket counts as open from
/// before the request's end to the end of both directions.
pub fn start(
    client: OnUpgrade,
    service: OnUpgrade,
    connection: Connection,
    activity: Arc<Activity>,
    socket: Busy,
    alive: Alive,
) {
    tokio::spawn(async move {
        match tokio::try_join!(client, service) {
            Ok((client, service)) => {
                join(&mut TokioIo::new(client), TokioIo::new(service), activity).await;
            }
            Err(error) => tracing::debug!("an upgrade failed: {error}"),
        }
        drop((connection, socket, alive));
    });
}

/// Serves one raw connection.
pub async fn raw(proxy: Arc<Proxy>, mut client: TcpStream) {
    let (_socket, news) = proxy.activity.connection();
    if news {
        proxy.touch();
    }
    match proxy.upstream.stream().await {
        Ok((service, _)) => {
            tune(&service);
            join(&mut client, service, Arc::clone(&proxy.activity)).await;
        }
        Err(reason) => tracing::warn!("a connection is closed: {reason}"),
    }
}

async fn join<C, S>(client: &mut C, service: S, activity: Arc<Activity>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    // What is read from and written to the service is what went both ways.
    let mut service = Counted { inner: service, activity };
    if let Err(error) = copy_bidirectional(client, &mut service).await {
        tracing::debug!("a socket ended: {error}");
    }
}

struct Counted<S> {
    inner: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.activity.moved(buf.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled {
            self.activity.moved(written);
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

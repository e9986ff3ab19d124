//! Bytes both ways: upgraded HTTP connections and raw ones.

use crate::access::Entry;
use crate::activity::{Activity, Busy};
use crate::clock;
use crate::http1::deadline::Deadline;
use crate::http1::scratch;
use crate::http1::stream::Stream;
use crate::origin::Origin;
use crate::proxy::{Proxy, Stage};
use crate::proxy_protocol;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Serves one raw connection.
pub async fn raw(proxy: &Proxy, client: &mut Stream, origin: &Origin) {
    let (socket, news) = proxy.activity.connection();
    if news {
        proxy.touch();
    }
    let entry = proxy.settings.access_log.then(Entry::connection);
    match Box::pin(proxy.upstream.connection()).await {
        Ok(mut service) => {
            if proxy.settings.proxy_protocol {
                let here = client.plain().and_then(|stream| stream.local_addr().ok());
                let here = here.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], proxy.settings.port)));
                service.stream.hold(&proxy_protocol::header(origin.address(), here));
            }
            join(client, &mut service.stream, proxy, socket).await;
        }
        Err(reason) => tracing::warn!("a connection is closed: {reason}"),
    }
    if let Some(entry) = entry {
        entry.write(origin.name(), client.written);
    }
}

/// Joins two ends, until both have finished or one has failed. The socket counts as open while it does.
pub async fn join(client: &mut Stream, service: &mut Stream, proxy: &Proxy, socket: Busy) {
    let mut there = Way::default();
    let mut back = Way::default();
    let mut silence = Silence::new(proxy.settings.socket_idle, socket);
    poll_fn(|cx| {
        if proxy.stage() >= Stage::Ending {
            return Poll::Ready(());
        }
        let moved = there.moved + back.moved;
        let ended = match there.poll(cx, client, service, &proxy.activity) {
            Poll::Ready(Err(error)) => Some(error),
            _ => match back.poll(cx, service, client, &proxy.activity) {
                Poll::Ready(Err(error)) => Some(error),
                _ => None,
            },
        };
        if let Some(error) = ended {
            tracing::debug!("a socket ended: {error}");
            return Poll::Ready(());
        }
        if there.is_done && back.is_done {
            return Poll::Ready(());
        }
        silence.poll(cx, proxy, there.moved + back.moved != moved)
    })
    .await;
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    moved: u64,
    is_read: bool,
    is_done: bool,
}

impl Way {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        activity: &Activity,
    ) -> Poll<io::Result<()>> {
        while !self.is_done {
            ready!(to.poll_sent(cx))?;
            if self.is_read {
                // The other direction goes on.
                ready!(to.poll_shutdown(cx))?;
                self.is_done = true;
                break;
            }
            let n = ready!(scratch::with(|scratch| match from.poll_some(cx, &mut scratch.read) {
                Poll::Ready(Ok(n)) => Poll::Ready(to.send(cx, &[&scratch.read[..n]]).map(|()| n)),
                other => other,
            }))?;
            self.is_read = n == 0;
            self.moved += n as u64;
            activity.moved(n);
        }
        Poll::Ready(Ok(()))
    }
}

/// Counts a socket as open, but not while no byte has moved for the limit.
struct Silence {
    limit: Option<Duration>,
    socket: Option<Busy>,
    deadline: Deadline,
}

impl Silence {
    fn new(limit: Option<Duration>, socket: Busy) -> Silence {
        let mut deadline = Deadline::default();
        deadline.set(limit.map(|limit| clock::now() + limit));
        Silence { limit, socket: Some(socket), deadline }
    }

    /// Ends when a silent socket is to be cut off.
    fn poll(&mut self, cx: &mut Context<'_>, proxy: &Proxy, moved: bool) -> Poll<()> {
        if moved {
            self.deadline.set(self.limit.map(|limit| clock::now() + limit));
            self.socket.get_or_insert_with(|| proxy.activity.socket());
        }
        if self.deadline.poll(cx).is_ready() {
            self.deadline.set(None);
            if let Some(socket) = self.socket.take() {
                socket.end_quietly();
            }
        }
        if self.socket.is_none() && proxy.stage() >= Stage::Finishing {
            tracing::debug!("a silent socket is cut off");
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

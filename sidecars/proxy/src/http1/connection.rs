//! A client's connection, from its first byte to its last. While it waits for a request it holds no buffer.

use super::deadline::Deadline;
use super::exchange::After;
use super::head;
use super::prepare::{LONGEST_HEAD, Prepared, Reply, prepare};
use super::rewrite::{self, Persist};
use super::scratch::{self, Scratch};
use super::stream::Stream;
use crate::access::Entry;
use crate::activity::Busy;
use crate::clock;
use crate::front::Purpose;
use crate::origin::Origin;
use crate::proxy::{Proxy, Stage};
use crate::tunnel;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long an idle connection may still bring a request when the proxy is asked to stop: it may be on its way.
const LINGER: Duration = Duration::from_millis(200);
/// How long a client that is still sending may take to see its last answer: a connection that is closed with bytes
/// unread is reset, and the answer with it (RFC 9112, 9.6).
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Who is at the other end.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub stream: Stream,
    /// What is waited for comes before this, or not at all.
    pub deadline: Deadline,
    /// Who it is.
    pub origin: Origin,
    /// What it may ask for.
    pub purpose: Purpose,
    /// What the access log will say of its request.
    pub entry: Option<Box<Entry>>,
    busy: Option<Busy>,
    asked: bool,
    leaves: bool,
    /// So much of a head was read in vain.
    partial: usize,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// For good.
    Closed,
    /// Not at all: it is HTTP/2, and nothing of that was used.
    Http2,
    /// Not at all: it is HTTP/1.1, but the service speaks HTTP/2.
    Http1,
}

enum Next {
    Prepared(Prepared),
    Late,
    Gone,
}

/// Serves a connection. Whatever it needs only now and then stands in a box: this future is what an idle one costs.
#[allow(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
pub fn serve(proxy: &Proxy, client: &mut Client) -> impl Future<Output = Ended> {
    async move {
        client.deadline.set(Some(clock::now() + proxy.settings.header_timeout));
        loop {
            let after = match poll_fn(|cx| client.poll_request(cx, proxy)).await {
                Next::Prepared(Prepared::Exchange(exchange)) => exchange.run(client, proxy).await,
                Next::Prepared(Prepared::Answer(reply)) => After::Reply(reply),
                Next::Prepared(Prepared::Http2) => return Ended::Http2,
                Next::Prepared(Prepared::Http1) => return Ended::Http1,
                Next::Prepared(Prepared::More) | Next::Gone => return Ended::Closed,
                Next::Late => After::Reply(Reply::refusal(head::Refusal {
                    status: 408,
                    why: "the rest of the request's head did not come",
                })),
            };
            if !matches!(after, After::Next) && !Box::pin(client.follow(after, proxy)).await {
                return Ended::Closed;
            }
            client.end();
            client.asked = true;
            client.deadline.set(Some(clock::now() + proxy.settings.idle_timeout));
        }
    }
}

impl Client {
    /// Somebody who has just connected.
    pub fn new(stream: Stream, origin: Origin, purpose: Purpose) -> Client {
        Client {
            stream,
            deadline: Deadline::default(),
            origin,
            purpose,
            entry: None,
            busy: None,
            asked: false,
            leaves: false,
            partial: 0,
        }
    }

    /// What follows a request, unless it is just the next one; whether that follows.
    async fn follow(&mut self, after: After, proxy: &Proxy) -> bool {
        match after {
            After::Next => return true,
            After::Reply(reply) => match self.say(&reply, proxy).await {
                After::Next => return true,
                After::Linger => self.linger().await,
                _ => self.end(),
            },
            After::Linger => self.linger().await,
            // TLS has an end of its own.
            After::Last if self.stream.plain().is_none() => self.linger().await,
            After::Last | After::Close => self.end(),
            After::Tunnel(mut up) => {
                // The socket counts before the request ends, and has its line in the access log when it is over itself.
                let (socket, entry) = (proxy.activity.socket(), self.entry.take());
                self.end();
                tunnel::join(&mut self.stream, &mut up.stream, proxy, socket).await;
                self.entry = entry;
                self.end();
            }
        }
        false
    }

    /// Whether it has asked for nothing yet.
    pub const fn is_new(&self) -> bool {
        !self.asked
    }

    /// A request of it begins.
    pub fn begin(&mut self, proxy: &Proxy) {
        let (busy, news) = proxy.activity.request();
        self.busy = Some(busy);
        if news {
            proxy.touch();
        }
    }

    /// The request's answer is sent, as far as it will be.
    fn end(&mut self) {
        self.busy = None;
        if let Some(entry) = self.entry.take() {
            entry.write(self.origin.name(), self.stream.written);
        }
    }

    /// An answer of this status goes out.
    pub fn answered(&mut self, proxy: &Proxy, status: u16) {
        proxy.metrics.answered(status);
        if let Some(entry) = &mut self.entry {
            entry.status = status;
        }
    }

    fn poll_request(&mut self, cx: &mut Context<'_>, proxy: &Proxy) -> Poll<Next> {
        if !self.leaves && proxy.stage() >= Stage::Finishing && self.partial == 0 {
            self.leaves = true;
            self.deadline.hasten(clock::now() + LINGER);
        }
        if self.deadline.poll(cx).is_ready() {
            return Poll::Ready(if self.partial == 0 { Next::Gone } else { Next::Late });
        }
        let head = scratch::with(|scratch| self.poll_head(cx, proxy, scratch));
        if head.is_pending() {
            self.deadline.watch(cx);
        }
        head
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, proxy: &Proxy, scratch: &mut Scratch) -> Poll<Next> {
        loop {
            let before = self.partial;
            let len = if self.stream.pending().len() > before {
                // It came with the last request.
                self.stream.unstash(&mut scratch.read)
            } else {
                match ready!(self.stream.poll_more(cx, &mut scratch.read)) {
                    Ok((_, 0)) | Err(_) => return Poll::Ready(Next::Gone),
                    Ok((len, _)) => len,
                }
            };
            let again = before > 0 && len < LONGEST_HEAD;
            if !again || head::may_be_complete(&scratch.read[..len], before) || before < 24 {
                self.partial = 0;
                match prepare(proxy, self, cx, scratch, len) {
                    Prepared::More => {}
                    other @ (Prepared::Http1 | Prepared::Http2) => {
                        self.stream.stash(&scratch.read[..len]);
                        return Poll::Ready(Next::Prepared(other));
                    }
                    prepared => return Poll::Ready(Next::Prepared(prepared)),
                }
            }
            if before == 0 {
                self.deadline.set(Some(clock::now() + proxy.settings.header_timeout));
            }
            self.partial = len;
            self.stream.stash(&scratch.read[..len]);
        }
    }

    /// Says something of the proxy's own.
    async fn say(&mut self, reply: &Reply, proxy: &Proxy) -> After {
        let keep = reply.keep && !proxy.is_draining();
        let persist = match (keep, reply.old) {
            (false, _) => Persist::Close,
            (true, true) => Persist::KeepAlive,
            (true, false) => Persist::Goes,
        };
        self.answered(proxy, reply.own.status);
        let mut text = Vec::new();
        rewrite::own(&mut text, &reply.own, persist, reply.old, !reply.head);
        self.stream.hold(&text);
        self.deadline.set(proxy.settings.body_timeout.map(|limit| clock::now() + limit));
        let sent = poll_fn(|cx| match self.deadline.poll(cx) {
            Poll::Ready(()) => Poll::Ready(false),
            Poll::Pending => self.stream.poll_sent(cx).map(|sent| sent.is_ok()),
        })
        .await;
        match (sent, keep) {
            (false, _) => After::Close,
            (true, true) => After::Next,
            (true, false) => After::Linger,
        }
    }

    /// Closes, but only once the client has had a chance to see what was said last.
    async fn linger(&mut self) {
        self.end();
        self.deadline.set(Some(clock::now() + LAST_LOOK));
        poll_fn(|cx| {
            if ready!(self.stream.poll_sent(cx)).is_err() || ready!(self.stream.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            loop {
                if self.deadline.poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let read = scratch::with(|scratch| self.stream.poll_some(cx, &mut scratch.read));
                if !matches!(ready!(read), Ok(1..)) {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }
}

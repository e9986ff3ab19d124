//! One request, one answer: both bodies at once, over a kept connection or a new one, and again only where that is
//! safe.
//!
//! A server may close a kept connection just as the next request is on its way. Such a request is sent once more, over
//! a new connection, when not one byte of it left, or when not one byte of an answer came *and* it is idempotent and
//! without a body. Any other gets an honest 503: it may have been carried out.

use super::answer::{self, Received};
use super::connection::Client;
use super::flow::{Broken, Flow};
use super::framing::Framing;
use super::head::Request;
use super::pool::Connection;
use super::prepare::{self, Reply};
use super::scratch::{self, Scratch};
use crate::answer::{late, unavailable};
use crate::clock;
use crate::metrics::Metrics;
use crate::proxy::{Proxy, Stage};
use crate::upstream::Unavailable;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a client that asked `Expect: 100-continue` waits for the service's word (RFC 9110, 10.1.1: a
/// sender should not wait for ever).
pub const EXPECT: Duration = Duration::from_secs(1);

/// So many places in memory are kept, and with no longer heads than this.
const MOST_SPARE: usize = 64;
const LONGEST_SPARE: usize = 2048;

thread_local! {
    #[allow(clippy::vec_box, reason = "it is the boxes that are kept")]
    static SPARE: RefCell<Vec<Box<Exchange>>> = const { RefCell::new(Vec::new()) };
}

/// What follows an exchange.
#[derive(Debug)]
pub enum After {
    /// The next request.
    Next,
    /// Nothing: the client wanted no more than this.
    Last,
    /// Nothing: the client may still be sending, and should see its answer.
    Linger,
    /// Nothing: the client is gone, or must see that its answer broke off.
    Close,
    /// One of the proxy's own answers.
    Reply(Box<Reply>),
    /// The two ends are joined.
    Tunnel(Box<Connection>),
}

/// Where a body stands that waits for `100 Continue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It is read.
    Open,
    /// The client was promised nothing, and sends nothing yet.
    Shut,
}

/// For whom an exchange waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Client,
    Service,
    Gate,
    Nobody,
}

/// A request on its way, and its answer.
#[derive(Debug)]
pub struct Exchange {
    /// The connection to the service, once there is one.
    pub up: Option<Connection>,
    /// The request's body.
    pub upload: Flow,
    /// What goes out first, as long as there is no connection.
    pub first: Vec<u8>,
    /// The head, of a request that may be sent again.
    pub replay: Vec<u8>,
    /// It is idempotent, and has no body.
    pub repeatable: bool,
    /// It took no more of the request.
    pub is_broken: bool,
    retried: bool,
    /// Whether `100 Continue` is awaited.
    pub gate: Gate,
    expects: bool,
    /// A byte of an answer was read.
    pub answered: bool,
    /// The answer's body.
    pub download: Option<Flow>,
    /// What the request said about itself.
    pub asked: Asked,
    /// The connection to the service may serve again.
    pub keep_up: bool,
    /// The connection to the client goes on.
    pub keep: bool,
    waits: (Waits, u64),
}

/// What an answer must know of its request.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// It was HTTP/1.0.
    pub old: bool,
    /// It was a HEAD.
    pub head: bool,
    /// It asked for another protocol.
    pub switch: bool,
    /// The client keeps its connection open.
    pub persists: bool,
}

impl Exchange {
    /// One that has not begun. Its place in memory was another's before, if there is one: a request then needs nothing of
    /// the allocator, which in a static program is a slow one.
    pub fn begin(request: &Request<'_, '_>, body: Framing) -> Box<Exchange> {
        let fresh = Exchange::new(request, body);
        match SPARE.with_borrow_mut(Vec::pop) {
            Some(mut spare) => {
                let replay = std::mem::take(&mut spare.replay);
                *spare = Exchange { replay, ..fresh };
                spare
            }
            None => Box::new(fresh),
        }
    }

    /// Keeps its place in memory for the next.
    fn give_back(mut self: Box<Self>) {
        (self.up, self.download, self.first) = (None, None, Vec::new());
        self.replay.clear();
        if self.replay.capacity() <= LONGEST_SPARE {
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < MOST_SPARE {
                    spare.push(self);
                }
            });
        }
    }

    fn new(request: &Request<'_, '_>, body: Framing) -> Exchange {
        let idempotent = matches!(request.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE");
        Exchange {
            up: None,
            upload: prepare::upload(body),
            first: Vec::new(),
            replay: Vec::new(),
            repeatable: idempotent && body == Framing::Length(0),
            is_broken: false,
            retried: false,
            gate: Gate::Open,
            expects: request.facts.expects,
            answered: false,
            download: None,
            asked: Asked {
                old: request.old,
                head: request.method == "HEAD",
                switch: request.facts.protocol().is_some(),
                persists: request.facts.persists(request.old),
            },
            keep_up: false,
            keep: false,
            waits: (Waits::Nobody, 0),
        }
    }

    /// Shuts the gate before a body that the client holds back.
    pub fn expects(&mut self, client: &Client) {
        // RFC 9110, 10.1.1: whoever sends the body at once does not wait.
        if self.expects && !self.upload.is_read() && client.stream.pending().is_empty() {
            self.gate = Gate::Shut;
        }
    }

    /// Carries it out.
    #[allow(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
    pub fn run(mut self: Box<Self>, client: &mut Client, proxy: &Proxy) -> impl Future<Output = After> {
        async move {
            let after = loop {
                if self.up.is_none()
                    && let Err(after) = Box::pin(self.connect(client, proxy)).await
                {
                    break after;
                }
                match poll_fn(|cx| self.poll(cx, client, proxy)).await {
                    Some(after) => break after,
                    None => tracing::debug!("a kept connection was stale: the request goes over a new one"),
                }
            };
            client.deadline.set(None);
            if let (After::Next | After::Last | After::Linger, Some(up)) = (&after, self.up.take())
                && self.keep_up
                && up.stream.pending().is_empty()
            {
                proxy.upstream.pool().keep(up);
            }
            self.give_back();
            after
        }
    }

    /// Waits for a connection; the client may leave meanwhile.
    async fn connect(&mut self, client: &mut Client, proxy: &Proxy) -> Result<(), After> {
        let connected = {
            let mut connecting = std::pin::pin!(proxy.upstream.connection());
            poll_fn(|cx| {
                if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
                    return Poll::Ready(Ok(connected));
                }
                if proxy.stage() >= Stage::Ending {
                    return Poll::Ready(Err(self.stopped(proxy)));
                }
                match scratch::with(|scratch| self.poll_watch(cx, client, scratch)) {
                    Poll::Ready(after) => Poll::Ready(Err(after)),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await?
        };
        match connected {
            Ok(mut up) => {
                up.stream.hold(&self.first);
                self.first = Vec::new();
                self.is_broken = false;
                self.up = Some(up);
                Ok(())
            }
            Err(reason) => Err(self.unsent(proxy, reason)),
        }
    }

    /// `None`: it must go over another connection.
    fn poll(&mut self, cx: &mut Context<'_>, client: &mut Client, proxy: &Proxy) -> Poll<Option<After>> {
        if client.deadline.poll(cx).is_ready()
            && let Some(after) = self.expired(cx, client, proxy)
        {
            return Poll::Ready(Some(after));
        }
        if self.download.is_none() && proxy.stage() >= Stage::Ending {
            return Poll::Ready(Some(self.stopped(proxy)));
        }
        let turn = scratch::with(|scratch| self.turn(cx, client, proxy, scratch));
        if turn.is_pending() {
            self.wait(cx, client, proxy);
        }
        turn
    }

    fn turn(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        proxy: &Proxy,
        scratch: &mut Scratch,
    ) -> Poll<Option<After>> {
        if self.download.is_none() {
            match answer::poll(self, cx, client, proxy, scratch) {
                Poll::Ready(Received::Head) | Poll::Pending => {}
                Poll::Ready(Received::Switched) => {
                    return Poll::Ready(self.up.take().map(|up| After::Tunnel(Box::new(up))));
                }
                Poll::Ready(Received::Lost(error)) => return Poll::Ready(self.lost(proxy, &error)),
                Poll::Ready(Received::Bad(why)) => return Poll::Ready(Some(self.bad(proxy, why))),
                Poll::Ready(Received::ClientGone) => return Poll::Ready(Some(After::Close)),
            }
        }
        if let Poll::Ready(after) = self.poll_upload(cx, client, proxy, scratch) {
            return Poll::Ready(Some(after));
        }
        if let Poll::Ready(after) = self.poll_download(cx, client, proxy, scratch) {
            return Poll::Ready(Some(after));
        }
        self.poll_watch(cx, client, scratch).map(Some)
    }

    fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        proxy: &Proxy,
        scratch: &mut Scratch,
    ) -> Poll<After> {
        let Some(up) = self.up.as_mut().filter(|_| !self.is_broken) else { return Poll::Pending };
        if self.gate == Gate::Shut {
            // The head goes out all the same.
            self.is_broken = matches!(up.stream.poll_sent(cx), Poll::Ready(Err(_)));
            return Poll::Pending;
        }
        match self.upload.poll(cx, &mut client.stream, &mut up.stream, &mut scratch.read, &proxy.activity) {
            Poll::Ready(Err(Broken::Source(_))) => return Poll::Ready(After::Close),
            Poll::Ready(Err(Broken::Malformed(why))) => {
                return Poll::Ready(match self.download {
                    None => After::Reply(Reply::refusal(super::head::bad(why))),
                    Some(_) => After::Close,
                });
            }
            // Its answer may be there all the same.
            Poll::Ready(Err(Broken::Sink(_))) => self.is_broken = true,
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        Poll::Pending
    }

    fn poll_download(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        proxy: &Proxy,
        scratch: &mut Scratch,
    ) -> Poll<After> {
        let (Some(up), Some(download)) = (self.up.as_mut(), self.download.as_mut()) else {
            return Poll::Pending;
        };
        match download.poll(cx, &mut up.stream, &mut client.stream, &mut scratch.read, &proxy.activity) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(Broken::Sink(_))) => return Poll::Ready(After::Close),
            Poll::Ready(Err(Broken::Source(error))) => {
                return Poll::Ready(self.broke_off(client, proxy, &error));
            }
            Poll::Ready(Err(Broken::Malformed(why))) => {
                return Poll::Ready(self.broke_off(client, proxy, &why));
            }
            Poll::Ready(Ok(())) => {}
        }
        // The whole answer is sent. What the client still sends goes on to a service that still takes it.
        let sent = self.upload.is_read() && up.stream.is_sent() && !self.is_broken;
        let goes_on = self.keep_up && self.gate == Gate::Open && !self.is_broken;
        match (sent, goes_on) {
            (true, _) if self.keep => Poll::Ready(After::Next),
            (false, true) => Poll::Pending,
            // A client that wants no more sends no more.
            (true, _) if !self.asked.persists && client.stream.pending().is_empty() => {
                Poll::Ready(After::Last)
            }
            _ => {
                self.keep_up &= sent;
                Poll::Ready(After::Linger)
            }
        }
    }

    /// Notices that the client leaves. What it says too early is kept.
    fn poll_watch(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        scratch: &mut Scratch,
    ) -> Poll<After> {
        let reads = self.up.is_some() && !self.upload.is_read() && self.gate == Gate::Open && !self.is_broken;
        if reads || !client.stream.pending().is_empty() {
            return Poll::Pending;
        }
        match client.stream.poll_some(cx, &mut scratch.read) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(n @ 1..)) => {
                client.stream.stash(&scratch.read[..n]);
                if self.gate == Gate::Shut {
                    self.gate = Gate::Open;
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(After::Close),
        }
    }

    /// Sets the deadline, anew whenever something has moved.
    fn wait(&mut self, cx: &mut Context<'_>, client: &mut Client, proxy: &Proxy) {
        let settings = &proxy.settings;
        let Some(up) = &self.up else { return };
        let waits = if self.gate == Gate::Shut {
            Waits::Gate
        } else if !client.stream.is_sent()
            || self.download.as_ref().is_some_and(Flow::holds)
            || self.download.is_none()
                && !self.upload.is_read()
                && up.stream.is_sent()
                && !self.upload.holds()
        {
            Waits::Client
        } else if self.download.is_none() {
            Waits::Service
        } else {
            Waits::Nobody
        };
        let now = (waits, up.stream.written + client.stream.written);
        if now == self.waits {
            return;
        }
        self.waits = now;
        let limit = match waits {
            Waits::Gate => Some(EXPECT),
            Waits::Client => settings.body_timeout,
            Waits::Service => settings.response_timeout,
            Waits::Nobody => None,
        };
        client.deadline.set(limit.map(|limit| clock::now() + limit));
        client.deadline.watch(cx);
    }

    fn expired(&mut self, cx: &mut Context<'_>, client: &mut Client, proxy: &Proxy) -> Option<After> {
        client.deadline.set(None);
        match self.waits.0 {
            Waits::Gate => {
                self.gate = Gate::Open;
                let word = b"HTTP/1.1 100 Continue\r\n\r\n";
                if !self.asked.old && client.stream.send(cx, &[word]).is_err() {
                    return Some(After::Close);
                }
                self.expects = false;
                None
            }
            Waits::Client if self.download.is_none() && client.stream.is_sent() => {
                let refusal = super::head::Refusal { status: 408, why: "the rest of the body did not come" };
                Some(After::Reply(Reply::refusal(refusal)))
            }
            Waits::Client => Some(After::Close),
            Waits::Service => {
                tracing::warn!(
                    "504: no answer within {} ms",
                    proxy.settings.response_timeout.unwrap_or_default().as_millis()
                );
                Some(self.reply(late(proxy), proxy))
            }
            Waits::Nobody => None,
        }
    }

    /// Whether the service's `100 Continue` is news for the client.
    pub fn is_awaited(&mut self) -> bool {
        self.gate = Gate::Open;
        std::mem::take(&mut self.expects) && !self.asked.old
    }

    /// The connection ended before an answer; `None`: it is worth another one.
    fn lost(&mut self, proxy: &Proxy, error: &io::Error) -> Option<After> {
        let mut up = self.up.take()?;
        let unsent = up.stream.written == 0;
        let may_repeat = up.kept && !self.answered && !self.replay.is_empty();
        if !self.retried && (unsent || may_repeat) {
            self.retried = true;
            Metrics::count(&proxy.metrics.retries);
            self.first = if unsent { up.stream.unsent() } else { self.replay.clone() };
            return None;
        }
        if unsent {
            return Some(self.unsent(proxy, Unavailable::Refused));
        }
        tracing::warn!("503: the service broke the connection off: {error}");
        let own = unavailable(proxy, "the service closed the connection without an answer");
        Some(self.reply(own, proxy))
    }

    fn unsent(&mut self, proxy: &Proxy, reason: Unavailable) -> After {
        tracing::warn!("503: {reason}");
        self.reply(unavailable(proxy, &reason.to_string()), proxy)
    }

    fn bad(&mut self, proxy: &Proxy, why: &str) -> After {
        tracing::warn!("503: the service's answer is refused: {why}");
        self.reply(unavailable(proxy, &format!("the service's answer is refused: {why}")), proxy)
    }

    fn stopped(&mut self, proxy: &Proxy) -> After {
        self.reply(unavailable(proxy, "the proxy had to stop before the service answered"), proxy)
    }

    fn reply(&mut self, own: crate::answer::Own, proxy: &Proxy) -> After {
        let keep = self.upload.is_read() && self.asked.persists && !proxy.is_draining();
        After::Reply(Box::new(Reply { own, old: self.asked.old, head: self.asked.head, keep }))
    }

    /// The service's answer ended in the middle: the client must see that.
    fn broke_off(&self, client: &Client, proxy: &Proxy, why: &dyn std::fmt::Display) -> After {
        Metrics::count(&proxy.metrics.broken);
        tracing::warn!("the service broke its answer off: {why}");
        if self.asked.old {
            // To a client that reads up to the end of the connection, any orderly end is the answer's end.
            client.stream.cut();
        }
        After::Close
    }
}

//! Bodies on their way through: never held, only counted.

use crate::activity::Busy;
use crate::http1::exchange::EXPECT;
use crate::http2::pool::Connection;
use crate::http2::streams::Stream;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// A client's body, on its way to the service.
#[derive(Debug)]
pub struct RequestBody {
    inner: Option<Incoming>,
    gate: Option<Gate>,
    proxy: Arc<Proxy>,
}

/// Holds a body back until the service says 100, or nothing for a second.
#[derive(Debug)]
struct Gate {
    opened: Option<oneshot::Receiver<()>>,
    patience: Pin<Box<Sleep>>,
}

impl RequestBody {
    /// This body; `None` for none.
    pub fn new(inner: Option<Incoming>, proxy: Arc<Proxy>) -> RequestBody {
        RequestBody { inner, gate: None, proxy }
    }

    /// Nothing is read, and so the client is not told to go on, before the other end says so.
    pub fn hold(&mut self) -> oneshot::Sender<()> {
        let (open, opened) = oneshot::channel();
        self.gate = Some(Gate { opened: Some(opened), patience: Box::pin(sleep(EXPECT)) });
        open
    }
}

impl Gate {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opened) = &mut self.opened {
            match Pin::new(opened).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                // The answer came without a 100: the body is not wanted. Most likely this goes with it.
                Poll::Ready(Err(_)) => self.opened = None,
                Poll::Pending => {}
            }
        }
        self.patience.as_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let Some(gate) = &mut this.gate {
            ready!(gate.poll_open(cx));
            this.gate = None;
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        poll_counted(inner, cx, &this.proxy).map(|(frame, _)| frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An answer's body, on its way to the client, with what ends when it has been sent: hyper drops it when the last byte is
/// sent, or when the client is gone.
#[derive(Debug)]
pub struct ResponseBody {
    content: Content,
    stream: Stream,
}

impl ResponseBody {
    /// The body of the answer to this stream's request.
    pub fn new(content: Content, stream: Stream) -> ResponseBody {
        ResponseBody { content, stream }
    }
}

/// What a body is: the service's, or a short text of the proxy's own.
#[derive(Debug)]
pub enum Content {
    /// The proxy's own words.
    Own(Option<Bytes>),
    /// The service's.
    Carried(Carried),
}

/// The service's answer.
#[derive(Debug)]
pub struct Carried {
    inner: Incoming,
    ended: bool,
    connection: Option<Connection>,
    proxy: Arc<Proxy>,
    _busy: Busy,
}

impl Carried {
    /// A body that comes over this connection, which goes back to the pool at its end; `None`: it is shared. The request
    /// counts as in flight until this is dropped.
    pub fn new(inner: Incoming, connection: Option<Connection>, proxy: Arc<Proxy>, busy: Busy) -> Carried {
        Carried { inner, ended: false, connection, proxy, _busy: busy }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<(Counted, usize)> {
        let (frame, bytes) = ready!(poll_counted(&mut self.inner, cx, &self.proxy));
        // After trailers nobody asks for more.
        self.ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if let Some(Err(error)) = &frame {
            Metrics::count(&self.proxy.metrics.broken);
            tracing::warn!("the service broke its answer off: {error}");
        }
        Poll::Ready((frame, bytes))
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let ended = self.ended || self.inner.is_end_stream();
        // Otherwise it is closed: the rest of an answer that nobody wants is not worth reading.
        if let Some(connection) = self.connection.take().filter(|_| ended) {
            self.proxy.upstream.http2_pool().keep(connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Counted> {
        let (frame, bytes) = match &mut self.content {
            Content::Own(text) => {
                let text = text.take();
                let bytes = text.as_ref().map_or(0, Bytes::len);
                (text.map(|text| Ok(Frame::data(text))), bytes)
            }
            Content::Carried(carried) => ready!(carried.poll_frame(cx)),
        };
        self.stream.bytes += bytes as u64;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(text) => text.is_none(),
            Content::Carried(carried) => carried.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Content::Carried(carried) => carried.inner.size_hint(),
        }
    }
}

/// What a body gives next.
type Counted = Option<Result<Frame<Bytes>, hyper::Error>>;

/// The next frame, and how many bytes of a body it has, which count as use.
fn poll_counted(inner: &mut Incoming, cx: &mut Context<'_>, proxy: &Proxy) -> Poll<(Counted, usize)> {
    let frame = ready!(Pin::new(inner).poll_frame(cx));
    let bytes = match &frame {
        Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
        _ => 0,
    };
    proxy.activity.moved(bytes);
    Poll::Ready((frame, bytes))
}

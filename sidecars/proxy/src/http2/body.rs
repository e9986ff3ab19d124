//! Bodies on their way through: never held, only counted.

use crate::activity::{Activity, Busy};
use crate::http2::pool::{Connection, Pool};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long a client that asked `Expect: 100-continue` waits for the service's word (RFC 9110, 10.1.1: a
/// sender should not wait for ever).
const EXPECT: Duration = Duration::from_secs(1);

/// A client's body, on its way to the service.
#[derive(Debug)]
pub struct RequestBody {
    inner: Option<Incoming>,
    gate: Option<Gate>,
    activity: Arc<Activity>,
}

/// Holds a body back until the service says 100, or nothing for a second.
#[derive(Debug)]
struct Gate {
    opened: Option<oneshot::Receiver<()>>,
    patience: Pin<Box<Sleep>>,
}

impl RequestBody {
    /// This body; `None` for none.
    pub fn new(inner: Option<Incoming>, activity: Arc<Activity>) -> RequestBody {
        RequestBody { inner, gate: None, activity }
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
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        this.activity.moved(length(frame.as_ref()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// An answer's body, on its way to the client: the service's, or a short text of the proxy's own.
#[derive(Debug)]
pub enum ResponseBody {
    /// The proxy's own words.
    Own(Option<Bytes>),
    /// The service's.
    Carried(Carried),
}

/// The service's answer, with what ends when it has been sent.
#[derive(Debug)]
pub struct Carried {
    inner: Incoming,
    ended: bool,
    connection: Option<Connection>,
    pool: Arc<Pool>,
    activity: Arc<Activity>,
    _busy: Busy,
}

impl Carried {
    /// A body that comes over this connection, which goes back to the pool at its end; `None`: it is shared. The request counts as
    /// in flight until this is dropped: hyper does so when the last byte is sent, or when the client is gone.
    pub fn new(
        inner: Incoming,
        connection: Option<Connection>,
        pool: Arc<Pool>,
        activity: Arc<Activity>,
        busy: Busy,
    ) -> Carried {
        Carried { inner, ended: false, connection, pool, activity, _busy: busy }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let ended = self.ended || self.inner.is_end_stream();
        // Otherwise it is closed: the rest of an answer that nobody wants is not worth reading.
        if let Some(connection) = self.connection.take().filter(|_| ended) {
            self.pool.keep(connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let carried = match &mut *self {
            ResponseBody::Own(text) => return Poll::Ready(text.take().map(|t| Ok(Frame::data(t)))),
            ResponseBody::Carried(carried) => carried,
        };
        let frame = ready!(Pin::new(&mut carried.inner).poll_frame(cx));
        // After trailers nobody asks for more.
        carried.ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        carried.activity.moved(length(frame.as_ref()));
        if let Some(Err(error)) = &frame {
            tracing::warn!("the service broke its answer off: {error}");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Own(text) => text.is_none(),
            ResponseBody::Carried(carried) => carried.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            ResponseBody::Carried(carried) => carried.inner.size_hint(),
        }
    }
}

fn length<E>(frame: Option<&Result<Frame<Bytes>, E>>) -> usize {
    match frame {
        Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
        _ => 0,
    }
}

//! A request's body, of which a little may be read before it is sent on.
//!
//! While nobody reads, nobody notices that the caller has left. So what is held reads ahead: enough for the usual
//! form or document, and never more than a little.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Nothing more is read ahead once this much was.
const ENOUGH: u64 = 8 * 1024;

/// A body, and what was read of it already.
#[derive(Debug, Default)]
pub struct Ahead {
    body: Body,
    read: VecDeque<Frame<Bytes>>,
    bytes: u64,
    ended: bool,
}

impl Ahead {
    /// A body of which nothing was read.
    pub fn new(body: Body) -> Ahead {
        Ahead { ended: body.is_end_stream(), body, ..Ahead::default() }
    }

    /// Reads ahead for as long as it is polled. It ends only with an error: the caller has left, or makes no sense.
    pub async fn read_on(&mut self) -> axum::Error {
        while !self.ended && self.bytes < ENOUGH {
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    self.bytes += length(&frame);
                    self.read.push_back(frame);
                }
                Some(Err(error)) => return error,
                None => self.ended = true,
            }
        }
        std::future::pending().await
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl http_body::Body for Ahead {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(frame) = self.read.pop_front() {
            self.bytes -= length(&frame);
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(self.bytes));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(self.bytes));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _};

    fn chunks(sizes: &'static [usize]) -> Body {
        let chunks = sizes.iter().map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size])));
        Body::from_stream(futures::stream::iter(chunks).chain(futures::stream::pending()))
    }

    #[tokio::test]
    async fn a_little_is_read_and_nothing_is_lost() {
        let mut ahead = Ahead::new(Body::from("a form"));
        assert!(ahead.read_on().now_or_never().is_none());
        assert!(ahead.ended && !ahead.is_end_stream());
        assert_eq!(ahead.size_hint().exact(), Some(6));
        assert_eq!(ahead.collect().await.unwrap().to_bytes(), "a form");
    }

    #[tokio::test]
    async fn no_more_than_a_little() {
        let mut ahead = Ahead::new(chunks(&[5000, 5000, 5000]));
        assert!(ahead.read_on().now_or_never().is_none());
        assert_eq!((ahead.read.len(), ahead.bytes), (2, 10_000));
        for _ in 0..3 {
            assert_eq!(ahead.frame().await.unwrap().unwrap().into_data().unwrap().len(), 5000);
        }
        assert!(ahead.frame().now_or_never().is_none(), "it goes on");
    }

    #[tokio::test]
    async fn who_leaves_is_noticed() {
        let left = futures::stream::iter([Ok(Bytes::from("half")), Err(std::io::Error::other("left"))]);
        let mut ahead = Ahead::new(Body::from_stream(left));
        assert_eq!(ahead.read_on().await.to_string(), "left");
    }

    #[tokio::test]
    async fn no_body_is_none() {
        let ahead = Ahead::new(Body::empty());
        assert!(ahead.is_end_stream());
        assert_eq!(ahead.size_hint().exact(), Some(0));
    }
}

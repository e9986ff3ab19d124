//! One request, one answer: over a kept connection or a new one, and again only where that is safe.
//!
//! A server may close a kept connection just as the next request is on its way. Such a request is sent again
//! when it certainly never left, or when not one byte came back *and* it is idempotent and without a body.
//! Any other gets an honest 503: it may have been carried out.

use crate::http1::pool::{FRESH, KEPT_FOR};
use crate::http2::body::RequestBody;
use crate::http2::pool::Connection;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::upstream::Unavailable;
use http_body::Body;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use std::sync::Arc;

/// So many connections are tried for one request.
const ATTEMPTS: u32 = 2;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The request was not sent.
    Unsent(Unavailable),
    /// It did not come in time.
    Late,
    /// It was, and the connection ended without an answer.
    Unanswered(hyper::Error),
}

/// Sends a request and waits for the head of its answer, which comes with the connection for its body.
///
/// # Errors
/// Why there is none.
pub async fn exchange(
    proxy: &Arc<Proxy>,
    mut request: Request<RequestBody>,
) -> Result<(Response<Incoming>, Connection), Failure> {
    let upstream = &proxy.upstream;
    let replay = Replay::of(&request);
    let used_within = if replay.is_some() { KEPT_FOR } else { FRESH };
    let mut attempt = 1;
    loop {
        // A kept connection that failed says that its like may be stale too.
        let kept = if attempt == 1 { upstream.kept(used_within) } else { None };
        let was_kept = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => upstream.connect().await.map_err(Failure::Unsent)?,
        };
        let read_before = connection.read();
        let mut error = match connection.sender.try_send_request(request).await {
            Ok(answer) => return Ok((answer, connection)),
            Err(error) => error,
        };
        let unsent = error.take_message();
        let replayed = replay.as_ref().filter(|_| was_kept && connection.read() == read_before);
        request = match (unsent, replayed) {
            (Some(unsent), _) if attempt < ATTEMPTS => unsent,
            (Some(_), _) => return Err(Failure::Unsent(Unavailable::Refused)),
            (None, Some(replay)) if attempt < ATTEMPTS => replay.again(proxy),
            (None, _) => return Err(Failure::Unanswered(error.into_error())),
        };
        Metrics::count(&proxy.metrics.retries);
        attempt += 1;
    }
}

/// The same over HTTP/2, where nothing is sent again but what never left: connections are shared, and what came of which
/// request cannot be told from their bytes.
///
/// # Errors
/// Why there is no answer.
pub async fn exchange_http2(
    proxy: &Proxy,
    mut request: Request<RequestBody>,
) -> Result<Response<Incoming>, Failure> {
    let mut attempt = 1;
    loop {
        let mut sender = proxy.upstream.shared().sender(&proxy.upstream).await.map_err(Failure::Unsent)?;
        let mut error = match sender.try_send_request(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        request = match error.take_message() {
            Some(unsent) if attempt < ATTEMPTS => unsent,
            Some(_) => return Err(Failure::Unsent(Unavailable::Refused)),
            None => return Err(Failure::Unanswered(error.into_error())),
        };
        Metrics::count(&proxy.metrics.retries);
        attempt += 1;
    }
}

/// What it takes to send a request again.
struct Replay {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Replay {
    /// `None` for a request that must not be repeated.
    fn of(request: &Request<RequestBody>) -> Option<Replay> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let repeatable = method.is_idempotent() && request.body().is_end_stream();
        repeatable.then(|| Replay { method, uri, headers: request.headers().clone() })
    }

    fn again(&self, proxy: &Arc<Proxy>) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::new(None, Arc::clone(proxy)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

//! `POST /sleep` on a loopback address: the user's container asks for its own sleep.
//!
//! The body's first line, if any, becomes the reason. Only who shares the task's network reaches it.

use crate::shutdown::words;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Longer is no reason.
const LONGEST: usize = 1024;
/// A container asks now and then; whoever holds more connections than this waits.
const MOST: usize = 16;
/// What one connection may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Listens until dropped; `wishes` hears each wish. A port that is taken is the container's own: there is the file.
pub async fn listen(listener: Option<TcpListener>, wishes: impl Fn(String) + Send + Sync + 'static) {
    let Some(listener) = listener else { return std::future::pending().await };
    let (wishes, places) = (Arc::new(wishes), Arc::new(Semaphore::new(MOST)));
    loop {
        // Never closed, so never an error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let wishes = Arc::clone(&wishes);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let wishes = Arc::clone(&wishes);
                async move { Ok::<_, Infallible>(answer(request, &*wishes).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = timeout(LIMIT, connection).await;
            drop(place);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    wishes: &(dyn Fn(String) + Send + Sync),
) -> Response<Full<Bytes>> {
    if request.uri().path() != "/sleep" {
        return say(StatusCode::NOT_FOUND, "only POST /sleep is here\n");
    }
    if request.method() != Method::POST {
        let mut response = say(StatusCode::METHOD_NOT_ALLOWED, "POST asks for sleep\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("POST"));
        return response;
    }
    // A page in a browser on this host, or one that was talked into this address, is not the container.
    if request.headers().contains_key(ORIGIN) || !is_loopback(&request) {
        return say(StatusCode::FORBIDDEN, "only the container itself may ask\n");
    }
    match Limited::new(request.into_body(), LONGEST).collect().await {
        Ok(body) => {
            wishes(words(&body.to_bytes()));
            say(StatusCode::ACCEPTED, "told\n")
        }
        Err(_) => say(StatusCode::PAYLOAD_TOO_LARGE, "a line is enough\n"),
    }
}

fn is_loopback(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<hyper::http::uri::Authority>().ok());
    authority.is_some_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn say(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}

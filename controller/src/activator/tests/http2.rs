//! Services that speak HTTP/2 alone (`spec.protocol: h2c`).

use super::rig::{Backend, Rig, call, get, rig_of, text};
use crate::activator::Limits;
use crate::testing::asleep;
use axum::body::Body;
use bytes::Bytes;
use dormouse_manifests::Protocol;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn rig() -> Rig {
    let mut view = asleep("hello");
    view.spec.protocol = Protocol::H2c;
    rig_of([view], Limits::default()).await
}

/// A service with HTTP/2 alone: it gives back what it got, and `grpc-status` in trailers. `/gone` is never answered, and
/// `/flood` without end.
async fn service() -> Backend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (requests, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, taken) = (Arc::clone(&requests), Arc::clone(&connections));
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            taken.fetch_add(1, Ordering::SeqCst);
            let counted = Arc::clone(&counted);
            let gone = Arc::new(tokio::sync::Notify::new());
            let leaves = Arc::clone(&gone);
            let service = service_fn(move |request: Request<Incoming>| {
                counted.fetch_add(1, Ordering::SeqCst);
                let gone = Arc::clone(&gone);
                async move {
                    if request.uri().path() == "/gone" {
                        gone.notify_one();
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Infallible>(echo(request).await)
                }
            });
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::select! {
                    _ = connection.serve_connection(io, service) => {}
                    () = leaves.notified() => {}
                }
            });
        }
    });
    Backend { address, requests, connections }
}

/// How many pieces of [`flood`] were taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Much more than anybody is given who does not read.
fn flood() -> Response<Body> {
    let pieces = std::iter::repeat_n(Bytes::from_static(&[b'x'; 16 * 1024]), 1024);
    let counted = pieces.map(|piece| {
        TAKEN.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(piece)
    });
    Response::new(Body::from_stream(futures::stream::iter(counted)))
}

async fn echo(request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/flood" {
        return flood();
    }
    let mut answer = Response::builder();
    for name in ["te", "x-forwarded-for", "content-type"] {
        if let Some(value) = request.headers().get(name) {
            answer = answer.header(format!("x-got-{name}"), value);
        }
    }
    let line = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(Bytes::from(line)), Frame::data(body), Frame::trailers(trailers)];
    let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
    answer.body(Body::new(StreamBody::new(frames))).unwrap()
}

async fn client(address: SocketAddr) -> SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

fn grpc(path: &str) -> Request<Body> {
    Request::post(format!("http://hello.example.com{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(Body::from("\0\0\0\0\u{2}hi"))
        .unwrap()
}

#[tokio::test]
async fn a_held_grpc_call_is_answered_with_trailers() {
    let rig = rig().await;
    let mut sender = client(rig.address).await;
    let held = tokio::spawn(async move { sender.send_request(grpc("/echo.Echo/Say")).await.unwrap() });
    rig.until_held(1).await;
    assert_eq!(rig.plane.wakes(), 1);
    rig.plane.set_backend("hello", Some(service().await.address));
    let answer = held.await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    for (name, value) in
        [("te", "trailers"), ("x-forwarded-for", "127.0.0.1"), ("content-type", "application/grpc")]
    {
        assert_eq!(answer.headers()[format!("x-got-{name}")], value);
    }
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let expected = "POST http://hello.example.com/echo.Echo/Say HTTP/2.0\n\0\0\0\0\u{2}hi";
    assert_eq!(body.to_bytes(), expected);
}

#[tokio::test]
async fn callers_with_http1_are_understood_and_cannot_upgrade() {
    let rig = rig().await;
    rig.plane.set_backend("hello", Some(service().await.address));
    let mut asks = get("/a?b=c");
    asks.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
    asks.headers_mut().insert("upgrade", HeaderValue::from_static("websocket"));
    let answer = call(rig.address, asks).await;
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    assert_eq!(text(answer).await, "GET http://hello.example.com/a?b=c HTTP/2.0\n");
}

#[tokio::test]
async fn all_share_a_connection_and_what_was_lost_is_not_sent_again() {
    let rig = rig().await;
    let service = service().await;
    let sender = client(rig.address).await;
    let all = (0..50).map(|_| {
        let mut sender = sender.clone();
        tokio::spawn(async move { sender.send_request(grpc("/")).await.unwrap().status() })
    });
    let all: Vec<_> = all.collect();
    rig.until_held(50).await;
    rig.plane.set_backend("hello", Some(service.address));
    for status in join_all(all).await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    assert_eq!((service.requests(), service.connections()), (50, 1));

    let lost = sender.clone().send_request(grpc("/gone")).await.unwrap();
    assert_eq!(lost.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(lost.headers().contains_key("retry-after"));
    assert_eq!(service.requests(), 51, "it may have been carried out");
    let next = sender.clone().send_request(grpc("/")).await.unwrap();
    assert_eq!((next.status(), service.connections()), (StatusCode::OK, 2));
}

#[tokio::test]
async fn a_call_waits_for_a_service_that_is_not_there_yet() {
    let rig = rig().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    rig.plane.set_backend("hello", Some(free));
    let sender = client(rig.address).await;
    let mut waits = sender.clone();
    let waits = tokio::spawn(async move { waits.send_request(grpc("/")).await.unwrap().status() });
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(service().await.address));
    assert_eq!(waits.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn callers_that_stand_still_hold_up_nobody_else() {
    let rig = rig().await;
    let service = service().await;
    rig.plane.set_backend("hello", Some(service.address));
    let mut standing = Vec::new();
    for _ in 0..12 {
        let mut sender = client(rig.address).await;
        let answer = sender.send_request(grpc("/flood")).await.unwrap();
        standing.push((sender, answer));
    }
    // Until they have all that they are given.
    let (mut before, mut still) = (0, 0);
    while still < 20 {
        let answer = client(rig.address).await.send_request(grpc("/")).await.unwrap();
        let body = timeout(Duration::from_secs(20), answer.into_body().collect());
        assert!(body.await.expect("held up").unwrap().trailers().is_some());
        let now = TAKEN.load(Ordering::SeqCst);
        still = if std::mem::replace(&mut before, now) == now { still + 1 } else { 0 };
    }
    assert!(before > 0);
    assert_eq!(service.connections(), 1);
}

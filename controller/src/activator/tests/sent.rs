//! Requests that were sent: exactly one answer, never sent twice.

use super::rig::{backend, echo, get, request, rig_of, scripted, text, until};
use crate::activator::Limits;
use crate::metrics::{self, Metrics};
use crate::testing::awake;
use axum::body::Body;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use tokio::sync::mpsc;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn in_front_of(address: std::net::SocketAddr) -> super::rig::Rig {
    let rig = rig_of([awake("hello")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(address));
    rig
}

#[tokio::test]
async fn a_service_that_is_awake_is_reached_directly() {
    let service = echo().await;
    let rig = in_front_of(service.address).await;
    let asks = Request::get("/a?b=%20c")
        .header("host", "HELLO.example.com.:9060")
        .header("x-forwarded-for", "198.51.100.1")
        .header("authorization", "Basic abc")
        .header("connection", "close");
    let response = rig.call(asks.body(Body::empty()).unwrap()).await;
    let headers = response.headers().clone();
    assert_eq!(headers["x-got-host"], "HELLO.example.com.:9060", "as the caller wrote it");
    assert_eq!(headers["x-got-x-forwarded-for"], "127.0.0.1", "a stranger's word does not count");
    assert_eq!(headers["x-got-x-forwarded-proto"], "http");
    assert_eq!(headers["x-got-authorization"], "Basic abc", "the service's own business");
    assert!(!headers.contains_key("x-got-connection"));
    assert_eq!(text(response).await, "GET /a?b=%20c\n");
    assert_eq!(rig.plane.wakes(), 0);
}

#[tokio::test]
async fn http2_without_tls_is_understood() {
    let service = echo().await;
    let rig = in_front_of(service.address).await;
    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let asks = Request::post("http://hello.example.com/two").body(Body::from("body")).unwrap();
    let response = sender.send_request(asks).await.unwrap();
    assert_eq!(response.headers()["x-got-host"], "hello.example.com");
    assert_eq!(text(response).await, "POST /two\nbody");
}

#[tokio::test]
async fn a_service_is_in_use_until_its_answer_ends() {
    let (say, said) = mpsc::unbounded_channel::<&'static str>();
    let said = std::sync::Arc::new(std::sync::Mutex::new(Some(said)));
    let service = backend(move |_| {
        let said = said.lock().unwrap().take().unwrap();
        async move {
            let stream = futures::stream::unfold(said, |mut said| async {
                Some((Ok::<_, std::io::Error>(said.recv().await?), said))
            });
            Response::new(Body::from_stream(stream.boxed()))
        }
    })
    .await;
    let rig = in_front_of(service.address).await;
    let mut body = rig.call(get("/")).await.into_body();
    for word in ["one", "two"] {
        say.send(word).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), word);
        assert_eq!(rig.in_use(), 1);
    }
    drop(say);
    assert!(body.frame().await.is_none());
    until(|| rig.in_use() == 0).await;
}

#[tokio::test]
async fn connections_are_used_again() {
    let service = echo().await;
    let rig = in_front_of(service.address).await;
    for _ in 0..5 {
        let response = rig.call(get("/")).await;
        assert_eq!(text(response).await, "GET /\n");
        // Given back once its answer was read to the end.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((service.requests(), service.connections()), (5, 1));
}

#[tokio::test]
async fn a_request_without_an_answer_is_not_sent_again() {
    for method in ["GET", "POST", "PUT"] {
        let service = scripted(&["", OK]).await;
        let rig = in_front_of(service.address).await;
        let response = rig.call(request(method, "/")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{method}");
        assert!(response.headers().contains_key("retry-after"));
        assert_eq!(response.headers()["x-dormouse-state"], "awake");
        assert!(text(response).await.contains("urn:dormouse:no-answer"));
        assert_eq!(service.requests(), 1, "{method}");
        until(|| rig.in_use() == 0).await;
        let source: Arc<dyn Metrics> = rig.activator.clone();
        let numbers = metrics::text([&source]).unwrap();
        assert!(numbers.contains("\ndormouse_requests_lost_total 1\n"), "{method}: {numbers}");
    }
}

#[tokio::test]
async fn what_crosses_with_a_closing_connection_is_sent_again_if_it_may() {
    // The second request goes over the first one's connection, which ends without a byte.
    let service = scripted(&[OK, "", OK]).await;
    let rig = in_front_of(service.address).await;
    assert_eq!(text(rig.call(get("/1")).await).await, "ok");
    let kept = || async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    kept().await;
    assert_eq!(text(rig.call(get("/2")).await).await, "ok");
    assert_eq!((service.requests(), service.connections()), (3, 2));
}

#[tokio::test]
async fn what_was_answered_in_part_is_not_sent_again() {
    let service = scripted(&[OK, "HTTP/1.1 200", OK]).await;
    let rig = in_front_of(service.address).await;
    assert_eq!(text(rig.call(get("/1")).await).await, "ok");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.call(get("/2")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((service.requests(), service.connections()), (2, 1));
}

#[tokio::test]
async fn what_is_not_idempotent_has_a_connection_of_its_own() {
    let service = scripted(&[OK, OK]).await;
    let rig = in_front_of(service.address).await;
    assert_eq!(text(rig.call(get("/1")).await).await, "ok");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(rig.call(request("POST", "/2")).await).await, "ok");
    assert_eq!((service.requests(), service.connections()), (2, 2));
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_no_answer() {
    let service =
        scripted(&["HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"]).await;
    let rig = in_front_of(service.address).await;
    assert_eq!(rig.call(get("/")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_api_token_does_not_reach_services() {
    let service = echo().await;
    let mut view = awake("hello");
    view.spec.wake.access = dormouse_manifests::Access::Token;
    let rig = rig_of([view], Limits::default()).await;
    rig.plane.set_backend("hello", Some(service.address));
    let asks =
        Request::get("/").header("host", "hello.example.com").header("authorization", "Bearer an-api-token");
    let response = rig.call(asks.body(Body::empty()).unwrap()).await;
    assert!(!response.headers().contains_key("x-got-authorization"));
}

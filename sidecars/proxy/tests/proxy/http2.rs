//! HTTP/2 on the front, without TLS.

use crate::support::{Client, Rig, Service, header, soon, until};
use dormouse_peer::exit::Exit;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub type Boxed = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// An HTTP/2 client; the task ends with its connection.
pub async fn http2(to: SocketAddr) -> (SendRequest<Boxed>, JoinHandle<hyper::Result<()>>) {
    let stream = TokioIo::new(TcpStream::connect(to).await.unwrap());
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    (sender, tokio::spawn(connection))
}

/// A body of unknown length, and trailers.
struct Frames(Vec<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready((!self.0.is_empty()).then(|| Ok(self.0.remove(0))))
    }
}

pub fn with_trailers(body: Bytes, trailers: HeaderMap) -> Boxed {
    Frames(vec![Frame::data(body), Frame::trailers(trailers)]).boxed()
}

pub fn trailers(name: &'static str) -> HeaderMap {
    [(hyper::header::HeaderName::from_static(name), HeaderValue::from_static("0"))].into_iter().collect()
}

/// With a body and trailers, as gRPC has it.
pub fn call(path: &str, body: &'static [u8]) -> Request<Boxed> {
    let body = with_trailers(Bytes::from_static(body), trailers("x-sum"));
    Request::post(format!("http://h.example{path}"))
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(body)
        .unwrap()
}

pub fn get(path: &str) -> Request<Boxed> {
    Request::get(format!("http://h.example{path}")).body(Empty::new().boxed()).unwrap()
}

#[tokio::test]
async fn http2_to_a_service_with_http1() {
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            let body = if header(&head, "transfer-encoding").is_some() {
                client.through("x-sum: 0\r\n\r\n").await.unwrap()
            } else {
                String::new()
            };
            let text = format!("{head}{body}");
            let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n";
            client.send(answer).await;
            client.send(&format!("{:x}\r\n{text}\r\n0\r\ngrpc-status: 0\r\n\r\n", text.len())).await;
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let (mut sender, _connection) = http2(rig.address).await;
    let mut request = call("/a?b", b"ping");
    request.headers_mut().append("cookie", HeaderValue::from_static("a=1; dormouse_pass=x"));
    request.headers_mut().append("cookie", HeaderValue::from_static("b=2"));
    let answer = soon("an answer", sender.send_request(request)).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(
        answer.headers().get("connection").is_none() && answer.headers().get("transfer-encoding").is_none()
    );
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    let text = String::from_utf8(whole.to_bytes().to_vec()).unwrap();
    assert!(text.starts_with("POST /a?b HTTP/1.1\r\n") && text.contains("4\r\nping\r\n0\r\n"), "{text}");
    assert_eq!((header(&text, "host"), header(&text, "te")), (Some("h.example"), Some("trailers")));
    assert_eq!(header(&text, "cookie"), Some("a=1; b=2"));
    for _ in 0..3 {
        let answer = soon("an answer", sender.send_request(get("/"))).await.unwrap();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(text.starts_with(b"GET / HTTP/1.1\r\n"));
    }
    assert_eq!(service.connections(), 1);
    let health = soon("health", sender.send_request(get("/health"))).await.unwrap();
    assert_eq!(
        (health.status(), &health.headers()["x-dormouse-state"]),
        (StatusCode::OK, &HeaderValue::from_static("serving"))
    );
    until("all is over", || rig.activity().in_flight == 0).await;
    assert_eq!(rig.activity().requests, 4);
}

/// A service that answers once it is told.
async fn answers_after(go: &Arc<Notify>) -> Service {
    let gate = Arc::clone(go);
    Service::start(move |_, mut client, _| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            client.rest().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_drain_says_goaway_and_finishes_what_began() {
    let go = Arc::new(Notify::new());
    let service = answers_after(&go).await;
    let rig = Rig::before(&service).await;
    let (mut sender, connection) = http2(rig.address).await;
    let answer = tokio::spawn(sender.send_request(get("/")));
    until("it is in flight", || rig.activity().in_flight == 1).await;
    rig.stop.send(()).await.unwrap();
    let refused = async {
        while let Ok(answer) = sender.send_request(get("/health")).await {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    soon("no more is taken", refused).await;
    assert!(!answer.is_finished());
    go.notify_one();
    let answer = soon("an answer", answer).await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    drop(sender);
    soon("an orderly end", connection).await.unwrap().unwrap();
    assert_eq!(rig.ends().await, Exit::Asked);
}

#[tokio::test]
async fn a_connection_without_a_stream_ends_after_the_idle_timeout() {
    let go = Arc::new(Notify::new());
    let service = answers_after(&go).await;
    let rig = Rig::before_with(&service, &[("IDLE_TIMEOUT_MS", "100")]).await;
    let (mut busy, connection) = http2(rig.address).await;
    let answer = tokio::spawn(busy.send_request(get("/")));
    until("it is in flight", || rig.activity().in_flight == 1).await;
    let (_idle, ends) = http2(rig.address).await;
    soon("the idle one ends", ends).await.unwrap().unwrap();
    assert!(!connection.is_finished(), "one with a request goes on");
    go.notify_one();
    assert_eq!(soon("an answer", answer).await.unwrap().unwrap().status(), StatusCode::OK);
    soon("and ends after it", connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_and_a_large_head_431() {
    let service = Service::start(|_, mut client, _| async move {
        client.rest().await;
    })
    .await;
    let rig = Rig::before_with(&service, &[("RESPONSE_TIMEOUT_MS", "100")]).await;
    let (mut sender, _connection) = http2(rig.address).await;
    let late = soon("an answer", sender.send_request(get("/"))).await.unwrap();
    assert!(late.status() == StatusCode::GATEWAY_TIMEOUT && late.headers()["retry-after"] == "1");
    let mut large = get("/");
    let value = "x".repeat(100 * 1024 / 16);
    for number in 0..16 {
        let name = hyper::header::HeaderName::try_from(format!("x-{number}")).unwrap();
        large.headers_mut().insert(name, HeaderValue::try_from(&value).unwrap());
    }
    let refused = soon("an answer", sender.send_request(large)).await;
    assert!(
        refused.map_or(true, |answer| answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        "it is refused, and the connection with it at most"
    );
    until("nothing is left", || rig.activity().in_flight == 0).await;
    assert_eq!((rig.activity().requests, service.connections()), (1, 1), "the service never saw it");
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let service = Service::start(|_, mut client, _| async move {
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    // GET / of http://h/, and at once: CANCEL.
    let head = [0x82, 0x86, 0x84, 0x41, 0x01, b'h'];
    for stream in (1..4000).step_by(2) {
        bytes.extend(frame(1, 5, stream, &head));
        bytes.extend(frame(3, 0, stream, &8u32.to_be_bytes()));
    }
    // It may be cut off before it has sent all.
    let _ = soon("it is sent", stream.write_all(&bytes)).await;
    let mut answer = Vec::new();
    let _ = soon("the connection ends", stream.read_to_end(&mut answer)).await;
    let goaway =
        answer.windows(17).find(|w| w[3] == 7 && w[4] == 0 && w[5..9] == [0; 4] && w[..3] >= [0, 0, 8][..]);
    let code = goaway.map(|w| u32::from_be_bytes(w[13..17].try_into().unwrap()));
    assert!(code.is_none_or(|code| code == 11), "ENHANCE_YOUR_CALM, or no word: {code:?}");
    until("nothing is left", || rig.activity().in_flight == 0).await;
    assert!(rig.activity().requests < 1000, "{} of 2000 reached", rig.activity().requests);
    let mut other = Client::connect(rig.address).await;
    other.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(other.answer().await.status(), 200, "others are served");
}

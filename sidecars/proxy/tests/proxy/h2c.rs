//! Services that speak HTTP/2 alone (`PROTOCOL=h2c`), as those of gRPC do.

use crate::http2::{call, get, http2, trailers, with_trailers};
use crate::support::{Rig, soon, until};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::Notify;

type Carried = http_body_util::combinators::BoxBody<Bytes, hyper::Error>;

/// A service that speaks HTTP/2 alone, and echoes bodies with their trailers.
async fn grpc() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            let service = service_fn(move |request: Request<Incoming>| {
                let counted = Arc::clone(&counted);
                async move {
                    counted.fetch_add(1, SeqCst);
                    assert_eq!(request.version(), Version::HTTP_2);
                    assert_eq!(request.uri().authority().unwrap(), "h.example");
                    assert!(
                        request.headers().get("host").is_none()
                            && request.headers().get("connection").is_none()
                    );
                    assert_eq!(request.headers()["x-forwarded-for"], "127.0.0.1");
                    assert_eq!(request.headers()["x-forwarded-host"], "h.example");
                    let whole = request.into_body().collect().await.unwrap();
                    let sum = whole.trailers().and_then(|t| t.get("x-sum").cloned());
                    let mut end = trailers("grpc-status");
                    if let Some(sum) = sum {
                        end.insert("x-sum", sum);
                    }
                    let body = with_trailers(whole.to_bytes(), end);
                    Ok::<_, Infallible>(Response::new(body))
                }
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, requests)
}

/// What a test says, as it says it.
struct Said(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|said| said.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A service that sends each piece back as it comes.
async fn chat() -> (SocketAddr, Arc<AtomicUsize>) {
    speaking(|request, _| Response::new(request.into_body().boxed())).await
}

const FLOOD: usize = 16 << 20;

/// A service that answers `/` with a lot; and how much of that has left it.
async fn flood() -> (SocketAddr, Arc<AtomicUsize>) {
    struct Flood(usize, Arc<AtomicUsize>);
    impl Body for Flood {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            const PIECE: &[u8] = &[b'x'; 16 * 1024];
            if self.0 == 0 {
                return Poll::Ready(None);
            }
            self.0 -= PIECE.len();
            self.1.fetch_add(PIECE.len(), SeqCst);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
        }
    }
    speaking(|request, sent| {
        Response::new(match request.uri().path() {
            "/" => Flood(FLOOD, sent).boxed(),
            _ => Full::from("small").map_err(|never| match never {}).boxed(),
        })
    })
    .await
}

/// A service that speaks HTTP/2 alone.
async fn speaking(
    answer: impl Fn(Request<Incoming>, Arc<AtomicUsize>) -> Response<Carried> + Clone + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, counted) = (answer.clone(), Arc::clone(&counted));
            let service = service_fn(move |request| {
                let answer = answer(request, Arc::clone(&counted));
                async move { Ok::<_, Infallible>(answer) }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, count)
}

async fn before(service: SocketAddr, extra: &[(&str, &str)]) -> Rig {
    let port = service.port().to_string();
    let mut all = extra.to_vec();
    all.extend([("PROTOCOL", "h2c"), ("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", port.as_str())]);
    Rig::start(&all).await
}

#[tokio::test]
async fn grpc_goes_end_to_end_with_trailers() {
    let (service, requests) = grpc().await;
    let rig = before(service, &[]).await;
    let (mut sender, _connection) = http2(rig.address).await;
    for _ in 0..3 {
        let answer =
            soon("an answer", sender.send_request(call("/pkg.Service/Method", b"ping"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let whole = answer.into_body().collect().await.unwrap();
        let end = whole.trailers().unwrap();
        assert!(end["grpc-status"] == "0" && end["x-sum"] == "0", "{end:?}");
        assert_eq!(whole.to_bytes(), "ping");
    }
    // Many at once, over one connection each way.
    let all: Vec<_> = (0..50).map(|_| tokio::spawn(sender.send_request(call("/many", b"x")))).collect();
    for one in all {
        assert_eq!(soon("one of many", one).await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(requests.load(SeqCst), 53);
    until("all is over", || rig.activity().in_flight == 0).await;
    assert_eq!((rig.activity().requests, rig.activity().bytes), (53, 3 * 8 + 50 * 2));
}

#[tokio::test]
async fn http1_to_a_service_with_http2() {
    let (service, _) = grpc().await;
    let rig = before(service, &[]).await;
    until("it takes connections", || rig.proxy.peer_health().is_some_and(|p| p.healthy)).await;
    assert_eq!(rig.get("/health").await.text(), r#"{"state":"serving","upstream":true}"#);
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.send("POST /a HTTP/1.1\r\nhost: h.example\r\nconnection: keep-alive\r\ncontent-length: 4\r\n\r\nping").await;
        let head = client.head().await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(client.through("0\r\n").await.unwrap().starts_with("4\r\nping\r\n"));
        client.through("\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn a_service_with_http2_that_is_gone_is_503_and_one_that_comes_back_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rig = before(address, &[]).await;
    let (mut sender, _connection) = http2(rig.address).await;
    let answer = soon("an answer", sender.send_request(get("/"))).await.unwrap();
    assert!(answer.status() == StatusCode::SERVICE_UNAVAILABLE && answer.headers()["retry-after"] == "1");
    let (back, _) = grpc().await;
    rig.proxy
        .upstream
        .moved_to(dormouse_peer::wire::PeerAddress { host: "127.0.0.1".into(), port: back.port() });
    let answer = soon("an answer", sender.send_request(get("/"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn messages_go_both_ways_before_either_side_is_over() {
    let (service, _) = chat().await;
    let rig = before(service, &[]).await;
    let (mut sender, _connection) = http2(rig.address).await;
    let (say, said) = tokio::sync::mpsc::channel(1);
    let request = Request::post("http://h.example/chat").body(Said(said).boxed()).unwrap();
    let answer = soon("a head", sender.send_request(request)).await.unwrap();
    let mut heard = answer.into_body();
    for word in ["one", "two", "three"] {
        say.send(Bytes::from(word)).await.unwrap();
        let frame = soon("an echo", heard.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), word);
    }
    assert_eq!(rig.activity().in_flight, 1);
    drop(say);
    let rest = soon("the end", heard.collect()).await.unwrap().to_bytes();
    assert_eq!(rest, "");
    until("it is over", || rig.activity().in_flight == 0).await;
}

#[tokio::test]
async fn readers_that_stand_still_slow_the_service_down_and_nobody_else() {
    const READERS: usize = 12;
    let (service, sent) = flood().await;
    let rig = before(service, &[]).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let (mut sender, connection) = http2(rig.address).await;
        let answer = soon("a head", sender.send_request(get("/"))).await.unwrap();
        readers.push((answer, sender, connection));
    }
    let standing = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            match sent.load(SeqCst) {
                now if now == before => return now,
                now => before = now,
            }
        }
    };
    let held = soon("they stand still", standing).await;
    // The client of a test takes 2 MiB by itself; the service and the proxy hold less.
    assert!(held < READERS * (3 << 20), "{held} bytes are held somewhere");
    let (mut other, _connection) = http2(rig.address).await;
    let answer = soon("a head", other.send_request(get("/small"))).await.unwrap();
    let whole = soon("a body", answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(whole, "small");
    let (answer, ..) = readers.remove(0);
    let whole = soon("the rest", answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(whole.len(), FLOOD);
}

/// A service whose connections are told to end when they have had so many requests; streams that are open go on.
async fn ageing() -> (SocketAddr, Arc<AtomicUsize>, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let (counted, old) = (Arc::clone(&connections), Arc::new(Notify::new()));
    let ages = Arc::clone(&old);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            let service = service_fn(|request: Request<Incoming>| async move {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            let old = Arc::clone(&ages);
            tokio::spawn(async move {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    _ = connection.as_mut() => return,
                    () = old.notified() => connection.as_mut().graceful_shutdown(),
                }
                let _ = connection.await;
            });
        }
    });
    (address, connections, old)
}

#[tokio::test]
async fn a_connection_that_is_to_end_takes_no_new_request() {
    let (service, connections, old) = ageing().await;
    let rig = before(service, &[]).await;
    until("it is watched", || rig.proxy.peer_health().is_some_and(|p| p.healthy)).await;
    let watched = connections.load(SeqCst);
    let (mut sender, _connection) = http2(rig.address).await;
    let (say, said) = tokio::sync::mpsc::channel(1);
    let stream = Request::post("http://h.example/").body(Said(said).boxed()).unwrap();
    let mut stream = soon("a head", sender.send_request(stream)).await.unwrap().into_body();
    // All of them: the watch's connections are gone already.
    old.notify_waiters();
    for _ in 0..10 {
        let answer = soon("an answer", sender.send_request(call("/", b"new"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "new");
    }
    say.send(Bytes::from("old")).await.unwrap();
    assert_eq!(soon("an echo", stream.frame()).await.unwrap().unwrap().into_data().unwrap(), "old");
    assert!(connections.load(SeqCst) - watched >= 2);
}

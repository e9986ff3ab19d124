//! What the tests stand on.

use crate::activator::{Activator, Limits, Options};
use crate::config::Secret;
use crate::plane::Plane;
use crate::serve::Grace;
use crate::testing::{FakePlane, asleep};
use crate::tokens::Tokens;
use crate::waker::Waker;
use axum::body::Body;
use dormouse_core::view::ServiceView;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub(super) const TOKEN: &str = "an-api-token";
pub(super) const PEER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7)), 1);

pub(super) struct Rig {
    pub(super) plane: Arc<FakePlane>,
    pub(super) activator: Arc<Activator>,
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) served: tokio::task::JoinHandle<()>,
}

/// An activator in front of `hello` and `other`, both asleep.
pub(super) async fn rig() -> Rig {
    rig_of([asleep("hello"), asleep("other")], Limits::default()).await
}

pub(super) async fn rig_of(views: impl IntoIterator<Item = ServiceView>, limits: Limits) -> Rig {
    rig_with(views, limits, Duration::from_secs(10)).await
}

pub(super) async fn rig_with(
    views: impl IntoIterator<Item = ServiceView>,
    limits: Limits,
    grace: Duration,
) -> Rig {
    start(views, grace, |options| options.limits = limits).await
}

/// The same with other options.
pub(super) async fn rig_under(
    views: impl IntoIterator<Item = ServiceView>,
    change: impl FnOnce(&mut Options),
) -> Rig {
    start(views, Duration::from_secs(10), change).await
}

async fn start(
    views: impl IntoIterator<Item = ServiceView>,
    grace: Duration,
    change: impl FnOnce(&mut Options),
) -> Rig {
    let plane = FakePlane::new(views);
    let port: Arc<dyn Plane> = Arc::<FakePlane>::clone(&plane);
    let mut options = Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() };
    change(&mut options);
    let activator = Activator::new(Arc::clone(&port), Waker::new(port), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(Arc::clone(&activator).serve(listener, stop.clone(), Grace::of(grace)));
    Rig { plane, activator, address, stop, served }
}

impl Rig {
    /// A request over a connection of its own.
    pub(super) async fn call(&self, request: Request<Body>) -> Response<Incoming> {
        call(self.address, request).await
    }

    /// The same, as a task.
    pub(super) fn spawn(&self, request: Request<Body>) -> tokio::task::JoinHandle<(u16, String)> {
        let address = self.address;
        tokio::spawn(async move {
            let response = call(address, request).await;
            (response.status().as_u16(), text(response).await)
        })
    }

    /// A request without a connection.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        Arc::clone(&self.activator).answer(PEER, request).await
    }

    pub(super) async fn until_held(&self, count: usize) {
        until(|| self.activator.held() == count).await;
    }

    pub(super) fn in_use(&self) -> usize {
        self.plane.in_use.load(Ordering::SeqCst)
    }
}

pub(super) async fn call(address: SocketAddr, request: Request<Body>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.unwrap()
}

pub(super) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "hello.example.com")
        .body(Body::empty())
        .unwrap()
}

pub(super) fn get(path: &str) -> Request<Body> {
    request("GET", path)
}

pub(super) async fn text<B>(response: Response<B>) -> String
where
    B: hyper::body::Body,
    B::Error: std::fmt::Debug,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Waits until something is so; fails when it is not after very many looks.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..5_000_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never became so");
}

/// A service: how many requests it got, and where.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    pub(super) requests: Arc<AtomicUsize>,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Backend {
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers `METHOD path` and the body that it got, as it comes.
pub(super) async fn echo() -> Backend {
    backend(|request: Request<Incoming>| async move {
        let line = format!("{} {}\n", request.method(), request.uri());
        let names = [
            "host",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "authorization",
            "connection",
            "cookie",
        ];
        let mut response = Response::builder();
        for name in names {
            if let Some(value) = request.headers().get(name) {
                response = response.header(format!("x-got-{name}"), value);
            }
        }
        let first = futures::stream::once(async move { Ok::<_, axum::Error>(bytes::Bytes::from(line)) });
        let rest = Body::new(request.into_body()).into_data_stream();
        response.body(Body::from_stream(futures::StreamExt::chain(first, rest))).unwrap()
    })
    .await
}

pub(super) async fn backend<F, R>(answer: F) -> Backend
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (requests, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let backend = Backend {
        address: listener.local_addr().unwrap(),
        requests: Arc::clone(&requests),
        connections: Arc::clone(&connections),
    };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let (answer, requests) = (answer.clone(), Arc::clone(&requests));
            let service = service_fn(move |request| {
                requests.fetch_add(1, Ordering::SeqCst);
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    backend
}

/// A service that says exactly this to each request's head, one after the other over all connections, then closes;
/// an empty answer closes at once. `keep` answers leave the connection open.
pub(super) async fn scripted(answers: &'static [&'static str]) -> Backend {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (requests, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let backend = Backend {
        address: listener.local_addr().unwrap(),
        requests: Arc::clone(&requests),
        connections: Arc::clone(&connections),
    };
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let requests = Arc::clone(&requests);
            tokio::spawn(async move {
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let answer = answers[requests.fetch_add(1, Ordering::SeqCst)];
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if !answer.contains("Content-Length: 2\r\n\r\nok") {
                        return;
                    }
                }
            });
        }
    });
    backend
}

/// A connection on which a test says what it likes.
pub(super) struct Raw(pub(super) TcpStream);

impl Raw {
    pub(super) async fn open(rig: &Rig, text: &str) -> Raw {
        let mut raw = Raw(TcpStream::connect(rig.address).await.unwrap());
        raw.say(text).await;
        raw
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything up to and with `end`.
    pub(super) async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let byte = self.0.read_u8().await;
            let byte = byte.unwrap_or_else(|_| panic!("ended after {:?}", String::from_utf8_lossy(&heard)));
            heard.push(byte);
        }
        String::from_utf8(heard).unwrap()
    }
}

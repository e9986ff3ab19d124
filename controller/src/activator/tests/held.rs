//! Requests that wait.

use super::rig::{Raw, backend, call, echo, get, request, rig, rig_of, text, until};
use crate::activator::Limits;
use crate::plane::PlaneError;
use crate::testing::{asleep, awake};
use axum::body::Body;
use dormouse_state::{Desired, Phase};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

#[tokio::test]
async fn a_request_is_held_until_the_service_answers() {
    let rig = rig().await;
    let service = echo().await;
    let held = rig.spawn(get("/report?a=1"));
    rig.until_held(1).await;
    assert_eq!((rig.plane.wakes(), rig.in_use()), (1, 1));
    {
        let asked = rig.plane.asked.lock().unwrap();
        assert_eq!((asked[0].0.as_str(), asked[0].1.origin), ("hello", "request"));
        assert_eq!(asked[0].1.reason, "GET /report from 127.0.0.1", "without the query");
    }
    rig.plane.set_backend("hello", Some(service.address));
    assert_eq!(held.await.unwrap(), (200, "GET /report?a=1\n".into()));
    until(|| rig.in_use() == 0).await;
    assert_eq!(rig.activator.held(), 0);
}

#[tokio::test]
async fn who_comes_before_services_are_known_is_held_until_they_are() {
    let rig = rig_of([], Limits::default()).await;
    rig.plane.readiness.send_replace(false);
    let mut early = Box::pin(rig.answer(get("/")));
    assert!(futures::poll!(&mut early).is_pending(), "not told that there is no such service");
    let service = echo().await;
    rig.plane.insert(asleep("hello"));
    rig.plane.set_backend("hello", Some(service.address));
    rig.plane.readiness.send_replace(true);
    assert_eq!(early.await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_wakes_again_what_was_put_to_sleep_meanwhile() {
    let rig = rig().await;
    let service = echo().await;
    let mut held = Box::pin(rig.answer(get("/")));
    while rig.plane.wakes() < 1 {
        assert!(futures::poll!(&mut held).is_pending());
        tokio::task::yield_now().await;
    }
    rig.plane.update("hello", |view| view.status.desired = Desired::Asleep);
    let again = async {
        while rig.plane.wakes() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        rig.plane.set_backend("hello", Some(service.address));
        std::future::pending().await
    };
    let answer = tokio::select! {
        answer = held => answer,
        () = again => unreachable!(),
    };
    assert_eq!((answer.status(), rig.plane.wakes()), (StatusCode::OK, 2));
}

#[tokio::test]
async fn a_thousand_are_held_and_all_are_answered() {
    let rig = rig().await;
    let service = echo().await;
    let mut all: FuturesUnordered<_> = (0..1000).map(|count| rig.answer(get(&format!("/{count}")))).collect();
    while rig.activator.held() < 1000 {
        assert!(futures::poll!(all.next()).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.plane.wakes(), 1);
    rig.plane.set_backend("hello", Some(service.address));
    let mut answered = 0;
    while let Some(response) = all.next().await {
        assert_eq!(response.status(), StatusCode::OK);
        assert!(text(response).await.starts_with("GET /"));
        answered += 1;
    }
    assert_eq!((answered, service.requests()), (1000, 1000));
    assert_eq!((rig.activator.held(), rig.in_use()), (0, 0));
}

#[tokio::test]
async fn fifty_requests_ask_once() {
    let rig = rig().await;
    rig.plane.gate.forget_permits(usize::MAX);
    let service = echo().await;
    let held: Vec<_> = (0..50).map(|_| rig.spawn(get("/"))).collect();
    rig.until_held(50).await;
    rig.plane.gate.add_permits(1);
    rig.plane.set_backend("hello", Some(service.address));
    for one in held {
        assert_eq!(one.await.unwrap().0, 200);
    }
    assert_eq!(rig.plane.wakes(), 1);
}

#[tokio::test]
async fn a_wake_goes_on_when_its_caller_leaves() {
    let rig = rig().await;
    rig.plane.gate.forget_permits(usize::MAX);
    let caller = Raw::open(&rig, "GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n").await;
    until(|| rig.plane.wakes() == 1).await;
    drop(caller);
    rig.until_held(0).await;
    rig.plane.gate.add_permits(1);
    until(|| {
        let view = crate::plane::Plane::service(&*rig.plane, "hello").unwrap();
        view.status.desired == Desired::Awake
    })
    .await;
}

#[tokio::test]
async fn who_leaves_gives_the_place_back() {
    let rig = rig_of([asleep("hello")], Limits { per_service: 1, total: 1 }).await;
    let first = Raw::open(&rig, "GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n").await;
    rig.until_held(1).await;
    assert_eq!(rig.call(get("/")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    rig.until_held(0).await;
    until(|| rig.in_use() == 0).await;
    let second = rig.spawn(get("/"));
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(second.await.unwrap().0, 200);
}

#[tokio::test]
async fn too_many_are_refused_at_once() {
    let rig =
        rig_of([asleep("hello"), asleep("other"), asleep("third")], Limits { per_service: 2, total: 3 })
            .await;
    let _held = [rig.spawn(get("/1")), rig.spawn(get("/2"))];
    rig.until_held(2).await;
    let refused = rig.call(get("/3")).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.headers()["x-dormouse-state"], "waking");
    assert!(refused.headers().contains_key("retry-after"));
    assert!(text(refused).await.contains("urn:dormouse:too-many-held"));
    let to = |host: &str| Request::get("/").header("host", host).body(Body::empty()).unwrap();
    let _other = rig.spawn(to("other.example.com"));
    rig.until_held(3).await;
    assert_eq!(rig.call(to("third.example.com")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_manifest_says() {
    let rig = rig().await;
    let began = Instant::now();
    let response = rig.answer(get("/")).await;
    assert_eq!(began.elapsed(), Duration::from_secs(60));
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-dormouse-state"], "waking");
    assert_eq!(response.headers()["retry-after"], "5");
    assert!(text(response).await.contains("`hello` did not answer within 1m (spec.wake.hold)"));
    assert_eq!((rig.activator.held(), rig.in_use()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hold_of_nothing_answers_at_once_and_wakes() {
    let mut view = asleep("hello");
    view.spec.wake.hold = Duration::ZERO;
    let rig = rig_of([view], Limits::default()).await;
    let began = Instant::now();
    assert_eq!(rig.answer(get("/")).await.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(began.elapsed(), Duration::ZERO);
    until(|| rig.plane.wakes() == 1).await;
}

#[tokio::test]
async fn what_cannot_be_woken_is_told() {
    let rig = rig().await;
    *rig.plane.refuses.lock().unwrap() = Some(PlaneError::Unavailable("the table is throttled".into()));
    let response = rig.call(get("/")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["x-dormouse-state"], "asleep");
    assert!(response.headers().contains_key("retry-after"));
    assert!(text(response).await.contains("`hello` cannot be woken: the table is throttled"));
    // The next one asks anew.
    *rig.plane.refuses.lock().unwrap() = None;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(rig.call(get("/")).await.status(), StatusCode::OK);
    assert_eq!(rig.plane.wakes(), 2);
}

#[tokio::test]
async fn a_body_streams_through_while_and_after_it_is_held() {
    let rig = rig().await;
    let service = echo().await;
    let head =
        "POST /up HTTP/1.1\r\nHost: hello.example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
    let mut caller = Raw::open(&rig, head).await;
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(service.address));
    caller.hear("POST /up\n").await;
    caller.hear("one\r\n").await;
    // The first part came back before the second was sent: nobody gathers bodies.
    caller.say("3\r\ntwo\r\n").await;
    caller.hear("two\r\n").await;
    assert_eq!(rig.in_use(), 1);
    caller.say("0\r\n\r\n").await;
    caller.hear("0\r\n\r\n").await;
    until(|| rig.in_use() == 0).await;
}

#[tokio::test]
async fn who_expects_to_continue_is_told_so_once_the_service_is_there() {
    let rig = rig().await;
    let head =
        "POST /up HTTP/1.1\r\nHost: hello.example.com\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let mut caller = Raw::open(&rig, head).await;
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(caller.hear("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    caller.say("abc").await;
    caller.hear("abc\r\n").await;
}

async fn shout(mut request: Request<Incoming>) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgraded.await.unwrap());
        let mut word = [0; 4];
        while io.read_exact(&mut word).await.is_ok() {
            io.write_all(&word.to_ascii_uppercase()).await.unwrap();
        }
    });
    let answer = Response::builder().status(101).header("connection", "upgrade");
    answer.header("upgrade", request.headers()["upgrade"].clone()).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_web_socket_is_held_and_then_tunnelled() {
    let rig = rig().await;
    let service = backend(shout).await;
    let head = "GET /ws HTTP/1.1\r\nHost: hello.example.com\r\nConnection: keep-alive, Upgrade\r\n\
                Upgrade: websocket\r\nAccept: text/html\r\n\r\n";
    let mut caller = Raw::open(&rig, head).await;
    rig.until_held(1).await;
    rig.plane.set_backend("hello", Some(service.address));
    let head = caller.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    for (said, heard) in [("ping", "PING"), ("pong", "PONG")] {
        caller.say(said).await;
        assert_eq!(caller.hear(heard).await, heard);
    }
    assert_eq!((rig.activator.held(), rig.in_use()), (0, 1), "open sockets are use");
    drop(caller);
    until(|| rig.in_use() == 0).await;
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_stale_address_is_left_for_the_new_one() {
    let rig = rig_of([awake("hello")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(nobody().await));
    let service = echo().await;
    let body = Request::post("/x").header("host", "hello.example.com").body(Body::from("once")).unwrap();
    let held = rig.spawn(body);
    rig.until_held(1).await;
    rig.plane.set_backend("hello", None);
    rig.plane.set_backend("hello", Some(service.address));
    assert_eq!(held.await.unwrap(), (200, "POST /x\nonce".into()), "with its body");
    assert_eq!(service.requests(), 1);
    assert_eq!(rig.plane.wakes(), 0, "it is wanted awake already");
}

#[tokio::test]
async fn the_same_address_is_tried_again() {
    let rig = rig_of([awake("hello")], Limits::default()).await;
    let address = nobody().await;
    rig.plane.set_backend("hello", Some(address));
    let held = rig.spawn(get("/back"));
    rig.until_held(1).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback").await.unwrap();
    assert_eq!(held.await.unwrap(), (200, "back".into()));
}

#[tokio::test]
async fn a_request_takes_a_sleep_back() {
    let mut view = awake("hello");
    view.status.desired = Desired::Asleep;
    view.status.phase = Phase::Draining;
    let rig = rig_of([view], Limits::default()).await;
    let service = echo().await;
    rig.plane.set_backend("hello", Some(service.address));
    // Even for a browser there is no page: the service still answers.
    let page = Request::get("/").header("host", "hello.example.com").header("accept", "text/html");
    let response = call(rig.address, page.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(rig.plane.wakes(), 1);
    // What does not wake is not passed on either: its service is as good as asleep.
    rig.plane.update("hello", |view| view.status.desired = Desired::Asleep);
    let response = call(rig.address, request("GET", "/favicon.ico")).await;
    assert_eq!((response.status(), rig.plane.wakes()), (StatusCode::NO_CONTENT, 1));
    assert_eq!(response.headers()["x-dormouse-state"], "draining");
}

#[tokio::test]
async fn a_silent_socket_is_no_use_until_a_byte_moves() {
    let mut view = awake("hello");
    view.spec.websocket_idle = Some(Duration::from_millis(50));
    let rig = rig_of([view], Limits::default()).await;
    rig.plane.set_backend("hello", Some(backend(shout).await.address));
    let head =
        "GET /ws HTTP/1.1\r\nHost: hello.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut caller = Raw::open(&rig, head).await;
    caller.hear("\r\n\r\n").await;
    until(|| rig.in_use() == 0).await;
    caller.say("ping").await;
    caller.hear("PING").await;
    until(|| rig.in_use() == 1).await;
    until(|| rig.in_use() == 0).await;
}

#[tokio::test]
async fn http2_is_held_as_well() {
    let rig = rig().await;
    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let asks = Request::post("http://hello.example.com/two").body(Body::from("body")).unwrap();
    let held = tokio::spawn(sender.send_request(asks));
    rig.until_held(1).await;
    // With the upgrade it is a request like others: held, and answered over HTTP/1.1.
    let head = "GET /h2c HTTP/1.1\r\nHost: hello.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let mut caller = Raw::open(&rig, head).await;
    rig.until_held(2).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(text(held.await.unwrap().unwrap()).await, "POST /two\nbody");
    let head = caller.hear("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && !head.to_lowercase().contains("upgrade"), "{head}");
    caller.hear("GET /h2c\n").await;
}

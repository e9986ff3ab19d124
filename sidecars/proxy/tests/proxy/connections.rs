//! Connections to the service: kept, stale, refused, broken; and the client's.

use crate::support::{Rig, Service, header, until};
use dormouse_peer::wire::PeerAddress;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let service = Service::saying(OK).await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..20 {
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
    }
    assert_eq!(service.connections(), 1);
    assert_eq!(rig.activity().requests, 20);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    let requests: String = (0..5).map(|i| format!("GET /{i} HTTP/1.1\r\nhost: h\r\n\r\n")).collect();
    client.send(&requests).await;
    for i in 0..5 {
        assert!(client.answer().await.text().starts_with(&format!("GET /{i} ")));
    }
}

/// Answers one request of each connection, and closes on the next one without a word.
async fn forgetful(seen: Arc<AtomicUsize>) -> Service {
    Service::start(move |_, mut client, _| {
        let seen = Arc::clone(&seen);
        async move {
            seen.fetch_add(1, SeqCst);
            client.send(OK).await;
            if client.head().await.is_some() {
                seen.fetch_add(1, SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_stale_connection_is_replaced_for_what_may_be_repeated() {
    let seen = Arc::new(AtomicUsize::new(0));
    let service = forgetful(Arc::clone(&seen)).await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
    }
    assert_eq!((service.connections(), seen.load(SeqCst)), (2, 3), "the second was sent twice");
}

#[tokio::test]
async fn what_may_not_be_repeated_gets_an_honest_answer() {
    for request in [
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let seen = Arc::new(AtomicUsize::new(0));
        let service = forgetful(Arc::clone(&seen)).await;
        let rig = Rig::before(&service).await;
        let mut client = rig.client().await;
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
        client.send(request).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{request}");
        assert_eq!((service.connections(), seen.load(SeqCst)), (1, 2), "sent once: {request}");
    }
}

#[tokio::test]
async fn an_answer_that_began_is_never_asked_for_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let service = Service::start(move |_, mut client, _| {
        let seen = Arc::clone(&counted);
        async move {
            client.send(OK).await;
            if client.head().await.is_some() {
                seen.fetch_add(1, SeqCst);
                client.send("HTTP/1.1 2").await;
            }
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.answer().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 503);
    assert_eq!((service.connections(), seen.load(SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_closed_kept_connection_is_not_used() {
    let service = Service::start(|_, mut client, _| async move { client.send(OK).await }).await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..5 {
        client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
        // The service's end of the connection has to reach the proxy.
        until("the pool noticed", || {
            rig.proxy.upstream.pool().prune();
            rig.proxy.upstream.pool().is_empty()
        })
        .await;
    }
    assert_eq!(service.connections(), 5);
}

#[tokio::test]
async fn a_service_that_is_down_is_503() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let rig = Rig::start(&[("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", &port)]).await;
    let answer = rig.get("/").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("x-dormouse-state"), Some("starting"));
    assert!(answer.text().contains("the service refuses connections"), "{}", answer.text());
    let health = rig.get("/health").await;
    assert_eq!((health.status(), health.text()), (200, r#"{"state":"serving","upstream":false}"#));
    assert_eq!(health.header("x-dormouse-upstream"), Some("unknown"));
}

#[tokio::test]
async fn a_request_waits_for_a_service_that_starts() {
    let service = Service::saying(OK).await;
    let controller = [("DORMOUSE_CONTROLLER_URL", "http://127.0.0.1:1"), ("DORMOUSE_TASK_TOKEN", "t")];
    let rig = Rig::start(&[controller[0], controller[1], ("HOLD_MS", "10000")]).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    until("it is held", || rig.activity().in_flight == 1).await;
    let port = service.address.port();
    rig.proxy.upstream.moved_to(PeerAddress { host: "127.0.0.1".into(), port });
    assert_eq!(client.answer().await.text(), "ok");
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    let service = Service::start(|head, mut client, _| async move {
        if head.starts_with("GET /chunked ") {
            client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
        } else {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    for path in ["/chunked", "/length"] {
        let mut client = rig.client().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        let text = String::from_utf8(client.rest().await).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("hello"), "{text}");
        assert!(!text.contains("0\r\n\r\n"), "a broken answer must not look whole: {text}");
        until("nothing is in flight", || rig.activity().in_flight == 0).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_request() {
    let gone = Arc::new(Notify::new());
    let told = Arc::clone(&gone);
    let service = Service::start(move |head, mut client, _| {
        let gone = Arc::clone(&told);
        async move {
            if head.starts_with("GET /body ") {
                client.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await;
            }
            client.rest().await;
            gone.notify_one();
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    for path in ["/silence", "/body"] {
        let mut client = rig.client().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        if path == "/body" {
            client.through("hello").await.unwrap();
        }
        until("it is in flight", || rig.activity().in_flight == 1).await;
        drop(client);
        until("it is not any more", || rig.activity().in_flight == 0).await;
        gone.notified().await;
    }
}

#[tokio::test]
async fn the_answer_may_come_before_the_body_was_read() {
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\nbegins").await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(header(&head, "content-length"), Some("0"));
}

#[tokio::test]
async fn a_connection_that_the_service_wants_to_close_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        // It says so, and leaves it open.
        let service = Service::saying(answer).await;
        let rig = Rig::before(&service).await;
        let mut client = rig.client().await;
        for _ in 0..3 {
            client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
            let answer = client.answer().await;
            assert_eq!(
                (answer.text(), answer.header("connection")),
                ("ok", None),
                "it is the other connection's"
            );
        }
        assert_eq!(service.connections(), 3);
    }
}

//! Clients and services that mean harm, or are merely slow.

use crate::support::{Client, Rig, Service, header, until};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn a_head_of_100_kb_is_431_however_it_comes() {
    let service = Service::saying(OK).await;
    let rig = Rig::before(&service).await;
    let one = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many =
        format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", format!("x: {}\r\n", "y".repeat(1200)).repeat(84));
    let endless = format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}", "y".repeat(100_000));
    for head in [one, many, endless] {
        let mut client = rig.client().await;
        client.send(&head).await;
        assert_eq!(client.answer().await.status(), 431);
        let mut client = rig.client().await;
        for piece in head.as_bytes().chunks(1500) {
            // It may have said 431 already, and closed.
            if client.stream.write_all(piece).await.is_err() {
                break;
            }
            sleep(Duration::from_micros(200)).await;
        }
        assert_eq!(client.answer().await.status(), 431);
    }
    assert_eq!(service.connections(), 0);
}

#[tokio::test]
async fn a_byte_at_a_time_is_too_slow_for_a_head_and_good_enough_for_a_body() {
    let service = Service::echo().await;
    let slow = [("HEADER_TIMEOUT_MS", "300"), ("BODY_TIMEOUT_MS", "300")];
    let rig = Rig::before_with(&service, &slow).await;
    let mut new = rig.client().await;
    let mut kept = rig.client().await;
    kept.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(kept.answer().await.status(), 200);
    for client in [&mut new, &mut kept] {
        client.send("GET / HTTP/1.1\r\nhost: h\r\nx: ").await;
        let began = Instant::now();
        // It may say 408, and close, any time.
        while began.elapsed() < Duration::from_millis(600) && client.stream.write_all(b"y").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(client.answer().await.status(), 408);
    }
    assert_eq!(service.connections(), 0);

    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 50\r\n\r\n").await;
    for _ in 0..50 {
        client.send("z").await;
        sleep(Duration::from_millis(10)).await;
    }
    assert!(
        client.answer().await.text().ends_with(&"z".repeat(50)),
        "it took longer than the time-out in all"
    );

    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 50\r\n\r\nz").await;
    assert_eq!(client.answer().await.status(), 408, "nothing at all came");
    until("nothing is in flight", || rig.activity().in_flight == 0).await;
}

#[tokio::test]
async fn idle_connections_end_and_so_does_one_that_takes_nothing() {
    let service = Service::start(|head, mut client, _| async move {
        if head.starts_with("GET /much ") {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 500000000\r\n\r\n").await;
            let piece = vec![1; 1 << 20];
            while client.stream.write_all(&piece).await.is_ok() {}
        } else {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
        }
    })
    .await;
    let rig = Rig::before_with(&service, &[("IDLE_TIMEOUT_MS", "150"), ("BODY_TIMEOUT_MS", "200")]).await;
    let mut client = rig.client().await;
    client.send(GET).await;
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(client.rest().await, b"", "closed without a word");
    let mut client = rig.client().await;
    client.send("GET /much HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.head().await.unwrap();
    until("it is given up", || rig.activity().in_flight == 0).await;
    assert!(client.rest().await.len() < 100_000_000);
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_504() {
    let service = Service::start(|_, mut client, _| async move {
        client.rest().await;
    })
    .await;
    let rig = Rig::before_with(&service, &[("RESPONSE_TIMEOUT_MS", "100")]).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi").await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("retry-after")), (504, Some("1")));
    }
}

/// An address whose backlog is full: whoever connects hears nothing.
fn silence() -> (socket2::Socket, SocketAddr, Vec<socket2::Socket>) {
    let tcp = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = tcp();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..4).map(|_| {
        let socket = tcp();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    let waiting = waiting.collect();
    (listener, address.as_socket().unwrap(), waiting)
}

#[tokio::test]
async fn a_service_that_takes_no_connection_is_503_after_the_connect_timeout() {
    let (_listener, address, _waiting) = silence();
    let port = address.port().to_string();
    let rig = Rig::start(&[
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", &port),
        ("CONNECT_TIMEOUT_MS", "100"),
        ("HOLD_MS", "0"),
    ])
    .await;
    let began = Instant::now();
    let answer = rig.get("/").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    assert!(answer.text().contains("the service does not answer"), "{}", answer.text());
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn an_upstream_that_resets_in_the_middle_cuts_the_client_off() {
    let service = Service::start(|head, mut client, _| async move {
        let answer = match head.split(' ').nth(1).unwrap() {
            "/length" => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhello",
            "/chunks" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            _ => "HTTP/1.1 200 OK\r\n\r\nhello",
        };
        client.send(answer).await;
        client.through("go").await.unwrap();
        // An RST in place of an end.
        socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    let rig = Rig::before(&service).await;
    for path in ["/length", "/chunks", "/close"] {
        let mut client = rig.client().await;
        client.send(&format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n")).await;
        client.through("hello").await.unwrap();
        client.send("go").await;
        let rest = String::from_utf8(client.rest().await).unwrap();
        assert!(!rest.contains("0\r\n\r\n"), "{path}: {rest:?}");
        until("it is over", || rig.activity().in_flight == 0).await;
    }
}

#[tokio::test]
async fn half_closed_sockets() {
    // A socket that was upgraded may finish one way and go on the other.
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 101 Sw\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
        let all = client.rest().await;
        client.stream.write_all(&all).await.unwrap();
        client.stream.shutdown().await.unwrap();
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    client.head().await.unwrap();
    client.send("ping").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, b"ping");
    until("it is closed", || rig.activity().open_sockets == 0).await;

    // A client that has closed its side before it got its answer is gone, as far as anybody can tell.
    let service = Service::start(|_, mut client, _| async move {
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send(GET).await;
    until("it is in flight", || rig.activity().in_flight == 1).await;
    client.stream.shutdown().await.unwrap();
    until("it is given up", || rig.activity().in_flight == 0).await;
    assert_eq!(client.rest().await, b"");

    // A service may close its side, and still be owed the rest of the body.
    let got = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&got);
    let service = Service::start(move |_, mut client, _| {
        let got = Arc::clone(&counted);
        async move {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
            client.stream.shutdown().await.unwrap();
            got.fetch_add(client.rest().await.len(), SeqCst);
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nping").await;
    assert_eq!(client.answer().await.text(), "ok");
    until("all came", || got.load(SeqCst) == 4).await;
}

#[tokio::test]
async fn an_answer_goes_on_before_the_body_is_over_and_so_does_the_rest() {
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n").await;
        let body = client.through("0\r\n\r\n").await.unwrap();
        client.send(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
        if client.head().await.is_some() {
            client.send(OK).await;
        }
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.through("hi\r\n").await.unwrap();
    client.send("3\r\none\r\n0\r\n\r\n").await;
    client.through("3\r\none\r\n0\r\n\r\n\r\n0\r\n\r\n").await.unwrap();
    client.send(GET).await;
    assert_eq!(client.answer().await.text(), "ok", "both connections are as good as before");
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_is_over_first_does_not_end_the_upload() {
    let service = Service::start(|_, mut client, _| async move {
        client.send(OK).await;
        assert_eq!(client.bytes(6).await, b"onetwo");
        client.head().await.unwrap();
        client.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext").await;
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\none").await;
    assert_eq!(client.answer().await.text(), "ok");
    client.send("two").await;
    client.send(GET).await;
    assert_eq!(client.answer().await.text(), "next");
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn fields_that_connection_names_never_frame_or_route() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: close, host, content-length, x-forwarded-for, \
             x-forwarded-host, x-real-ip\r\nContent-Length: 4\r\nX-Forwarded-For: 192.0.2.1\r\n\r\nping",
        )
        .await;
    let answer = client.answer().await;
    let sent = answer.text();
    assert!(sent.ends_with("\r\n\r\nping"), "{sent}");
    assert_eq!((header(sent, "host"), header(sent, "content-length")), (Some("h"), Some("4")));
    assert_eq!(header(sent, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!((header(sent, "x-forwarded-host"), header(sent, "x-real-ip")), (Some("h"), Some("127.0.0.1")));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn metrics_tell_what_happened_and_only_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = Service::saying(OK).await;
    let port = free.port().to_string();
    let rig = Rig::before_with(&service, &[("ADMIN_PORT", &port), ("LISTEN_ADDRESS", "127.0.0.1")]).await;
    assert_eq!(rig.get("/").await.text(), "ok");
    let mut bad = rig.client().await;
    bad.send("nonsense\r\n\r\n").await;
    bad.answer().await;
    let mut admin = Client::connect(free).await;
    admin.send("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let page = admin.answer().await;
    for line in [
        "dormouse_proxy_requests_total 2",
        "dormouse_proxy_answers_total{class=\"2xx\"} 1",
        "dormouse_proxy_answers_total{class=\"4xx\"} 1",
        "dormouse_proxy_in_flight 0",
        "dormouse_proxy_bytes_total 2",
        "dormouse_proxy_upstream_connects_total 1",
        "dormouse_proxy_draining 0",
    ] {
        assert!(page.text().lines().any(|l| l == line), "{line}: {}", page.text());
    }
    admin.send(GET).await;
    assert_eq!(admin.answer().await.status(), 404);
    assert_eq!(rig.get("/metrics").await.text(), "ok", "on the port of traffic it is the service's path");
}

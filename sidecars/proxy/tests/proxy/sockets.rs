//! Upgraded and raw sockets.

use crate::support::{Client, Rig, Service, header, until};
use dormouse_peer::exit::Exit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, Upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-key: abc\r\n\r\n";

async fn echo_socket() -> Service {
    Service::start(|head, mut client, _| async move {
        assert_eq!(header(&head, "connection"), Some("upgrade"));
        assert_eq!(header(&head, "upgrade"), Some("websocket"));
        assert_eq!(header(&head, "sec-websocket-key"), Some("abc"));
        client
            .send(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello",
            )
            .await;
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = client.stream.read(&mut buffer).await {
            client.stream.write_all(&buffer[..n]).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn an_upgraded_socket_is_carried_and_counted() {
    let service = echo_socket().await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send(UPGRADE).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "upgrade"), Some("websocket"));
    assert_eq!(client.bytes(5).await, b"hello", "what the service said at once is not lost");
    client.send("ping").await;
    assert_eq!(client.bytes(4).await, b"ping");
    until("the socket is counted, and no request", || {
        let now = rig.activity();
        (now.in_flight, now.open_sockets, now.requests, now.bytes) == (0, 1, 1, 5 + 4 + 4)
    })
    .await;
    drop(client);
    until("it is closed", || rig.activity().open_sockets == 0).await;
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer() {
    let service = Service::saying("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send(UPGRADE).await;
    assert_eq!(client.answer().await.status(), 403);
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "no", "and the connection goes on");
}

#[tokio::test]
async fn a_socket_gets_the_drain_and_no_more() {
    for (drain, patient) in [("10000", true), ("200", false)] {
        let service = echo_socket().await;
        let rig = Rig::before_with(&service, &[("DRAIN_MS", drain)]).await;
        let mut client = rig.client().await;
        client.send(UPGRADE).await;
        client.through("hello").await.unwrap();
        rig.stop.send(()).await.unwrap();
        until("it drains", || rig.proxy.is_draining()).await;
        client.send("ping").await;
        assert_eq!(client.bytes(4).await, b"ping");
        if patient {
            drop(client);
        }
        assert_eq!(rig.ends().await, Exit::Asked);
    }
}

/// A raw service: says hello, echoes, and closes when the client has finished.
async fn raw_service() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn raw_connections_are_carried_and_counted() {
    let (listener, port) = raw_service().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.write_all(b"hello").await;
                let mut all = Vec::new();
                // Half-closed: the client has finished, and still gets its answer. (A probe just leaves.)
                let _ = stream.read_to_end(&mut all).await;
                let _ = stream.write_all(&all).await;
            });
        }
    });
    let port = port.to_string();
    let rig =
        Rig::start(&[("PROTOCOL", "tcp"), ("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", &port)]).await;
    let mut client = rig.client().await;
    assert_eq!(client.bytes(5).await, b"hello");
    assert_eq!((rig.activity().open_sockets, rig.activity().requests), (1, 1));
    client.send("ping").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, b"ping");
    until("it is closed", || rig.activity().open_sockets == 0).await;
    assert_eq!(rig.activity().bytes, 5 + 4 + 4);

    let mut health = Client::connect(rig.health).await;
    health.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\nGET /other HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(health.answer().await.status(), 200);
    assert_eq!(health.answer().await.status(), 404);
    assert_eq!(rig.activity().requests, 1);
}

#[tokio::test]
async fn a_raw_connection_to_nobody_is_closed() {
    let (listener, port) = raw_service().await;
    drop(listener);
    let port = port.to_string();
    let rig =
        Rig::start(&[("PROTOCOL", "tcp"), ("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", &port)]).await;
    let mut client = rig.client().await;
    assert_eq!(client.rest().await, b"");
    until("it is closed", || rig.activity().open_sockets == 0).await;
}

#[tokio::test]
async fn a_silent_socket_is_no_use_until_a_byte_moves() {
    let service = echo_socket().await;
    let rig = Rig::before_with(&service, &[("SOCKET_IDLE_MS", "60")]).await;
    let mut client = rig.client().await;
    client.send(UPGRADE).await;
    client.through("hello").await.unwrap();
    until("it counts no more", || rig.activity().open_sockets == 0).await;
    // Its silence is no sign of life.
    assert!(rig.activity().idle_for_ms >= 60, "{:?}", rig.activity());
    client.send("ping").await;
    assert_eq!(client.bytes(4).await, b"ping", "and it is as good as ever");
    until("it counts again", || rig.activity().open_sockets == 1).await;
    until("and no more", || rig.activity().open_sockets == 0).await;
    drop(client);
}

#[tokio::test]
async fn a_silent_socket_does_not_hold_up_the_end() {
    let service = echo_socket().await;
    let rig = Rig::before_with(&service, &[("DRAIN_MS", "60000"), ("SOCKET_IDLE_MS", "60")]).await;
    let mut client = rig.client().await;
    client.send(UPGRADE).await;
    client.through("hello").await.unwrap();
    rig.stop.send(()).await.unwrap();
    assert_eq!(rig.ends().await, Exit::Asked, "long before the drain is over");
    assert_eq!(client.rest().await, b"");
}

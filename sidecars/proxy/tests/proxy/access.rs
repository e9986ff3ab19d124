//! The access log: what has a line, and what it says.

use crate::binary::running;
use crate::http2::{get, http2};
use crate::support::{Client, Service, soon};
use http_body_util::BodyExt;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr};

/// A proxy whose lines are read.
struct Logged {
    address: SocketAddr,
    lines: Lines<BufReader<ChildStderr>>,
    _child: Child,
}

impl Logged {
    async fn before(service: SocketAddr, extra: &[(&str, &str)]) -> Logged {
        let port = service.port().to_string();
        let mut env = vec![
            ("UPSTREAM_HOST", "127.0.0.1"),
            ("UPSTREAM_PORT", port.as_str()),
            ("HEALTH_CHECK_PATH", "/probe"),
            ("HEALTH_PORT", "0"),
            ("ACCESS_LOG", "on"),
        ];
        env.extend(extra);
        let (child, address, lines) = running(&env).await;
        Logged { address, lines, _child: child }
    }

    /// The access log's next line.
    async fn line(&mut self) -> Value {
        loop {
            let line = soon("a line", self.lines.next_line()).await.unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["target"] == "access" {
                assert_eq!(line["client"], "127.0.0.1", "{line}");
                assert!(line["ms"].is_u64(), "{line}");
                return line;
            }
        }
    }
}

fn says(line: &Value, expected: &[(&str, Value)]) {
    for (field, value) in expected {
        assert_eq!(line[field], *value, "{field}: {line}");
    }
}

#[tokio::test]
async fn a_request_has_a_line() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let mut proxy = Logged::before(service.address, &[]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 200, "and this has none");
    for (version, minor) in [("HTTP/1.1", 1), ("HTTP/1.0", 0)] {
        let ask = format!("GET /a?secret=1 {version}\r\nhost: h\r\nconnection: keep-alive\r\n\r\n");
        client.send(&ask).await;
        assert_eq!(client.answer().await.text(), "ok");
        let line = proxy.line().await;
        let said = [("method", "GET"), ("path", "/a"), ("host", "h"), ("message", "request")];
        says(&line, &said.map(|(field, value)| (field, value.into())));
        says(&line, &[("status", 200.into()), ("protocol", format!("HTTP/1.{minor}").into())]);
        assert!(line["bytes"].as_u64().unwrap() > 2, "{line}");
    }
}

#[tokio::test]
async fn a_request_over_http2_has_one_and_so_has_one_that_got_no_answer() {
    let service = Service::start(|head, mut client, _| async move {
        if head.starts_with("GET /good") {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
        client.rest().await;
    })
    .await;
    let mut proxy = Logged::before(service.address, &[]).await;
    let (mut sender, connection) = http2(proxy.address).await;
    let answer = soon("an answer", sender.send_request(get("/good?secret=1"))).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    let said = [("method", "GET"), ("path", "/good"), ("host", "h.example"), ("protocol", "HTTP/2")];
    let line = proxy.line().await;
    says(&line, &said.map(|(field, value)| (field, value.into())));
    says(&line, &[("status", 200.into()), ("bytes", 2.into())]);
    let never = tokio::spawn(sender.send_request(get("/never")));
    while service.connections() < 2 {
        tokio::task::yield_now().await;
    }
    never.abort();
    connection.abort();
    says(&proxy.line().await, &[("path", "/never".into()), ("status", 0.into()), ("bytes", 0.into())]);
}

#[tokio::test]
async fn a_socket_has_one_when_it_ends() {
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
        let got = client.bytes(4).await;
        client.stream.write_all(&got).await.unwrap();
        client.rest().await;
    })
    .await;
    let mut proxy = Logged::before(service.address, &[]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send("GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    let head = client.head().await.unwrap();
    client.send("ping").await;
    assert_eq!(client.bytes(4).await, b"ping");
    drop(client);
    let bytes = head.len() + 4;
    says(&proxy.line().await, &[("path", "/ws".into()), ("status", 101.into()), ("bytes", bytes.into())]);
}

#[tokio::test]
async fn a_raw_connection_has_one_without_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut proxy = Logged::before(listener.local_addr().unwrap(), &[("PROTOCOL", "tcp")]).await;
    let mut client = Client::connect(proxy.address).await;
    client.send("ping").await;
    // The watch connects, too, and says nothing.
    let mut service = loop {
        let mut taken = Client::over(listener.accept().await.unwrap().0);
        if taken.through("ping").await.is_some() {
            break taken;
        }
    };
    service.send("pong!").await;
    assert_eq!(client.bytes(5).await, b"pong!");
    drop((client, service));
    let line = proxy.line().await;
    says(&line, &[("message", "connection".into()), ("protocol", "tcp".into()), ("bytes", 5.into())]);
    assert!(line["path"].is_null() && line["status"].is_null(), "{line}");
}

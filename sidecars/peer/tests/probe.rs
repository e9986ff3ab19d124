//! Checks against a small server: which answers are healthy.

#![cfg(feature = "runtime")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use dormouse_peer::probe::{Check, Failure, check};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LONG: Duration = Duration::from_secs(10);

/// A server that says this to whoever connects, and then reads on; its port.
async fn saying(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                assert!(read == 0 || request.starts_with(b"GET /path HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.ok();
                while matches!(stream.read(&mut request).await, Ok(1..)) {}
            });
        }
    });
    port
}

fn service() -> Check {
    Check::Service { path: "/path".into() }
}

fn proxy() -> Check {
    Check::Proxy { path: "/path".into() }
}

#[tokio::test]
async fn which_answers_are_healthy() {
    const DRAINING: &str = "HTTP/1.1 503 X\r\nx-dormouse-state: draining\r\ncontent-length: 0\r\n\r\n";
    for (answer, as_service, as_proxy) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true, true),
        ("HTTP/1.1 302 X\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", true, false),
        ("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n", true, false),
        ("HTTP/1.1 499 X\r\ncontent-length: 0\r\n\r\n", true, false),
        ("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", false, false),
        ("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n", false, false),
        (DRAINING, false, true),
        // An endless page is an answer all the same.
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", true, true),
        ("SSH-2.0-OpenSSH_9.6\r\n", false, false),
    ] {
        let port = saying(answer).await;
        assert_eq!(check(&service(), "127.0.0.1", port, LONG).await.is_ok(), as_service, "{answer}");
        assert_eq!(check(&proxy(), "127.0.0.1", port, LONG).await.is_ok(), as_proxy, "{answer}");
        assert!(check(&Check::Tcp, "127.0.0.1", port, LONG).await.is_ok(), "{answer}");
    }
}

#[tokio::test]
async fn silence_and_refusal_are_told_apart() {
    let port = saying("").await;
    let failure = check(&service(), "127.0.0.1", port, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(failure, Failure::Silent(_)), "{failure}");
    assert_eq!(failure.to_string(), "no answer within 50 ms");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for refused in [service(), Check::Tcp] {
        let failure = check(&refused, "127.0.0.1", port, LONG).await.unwrap_err();
        assert!(failure.to_string().contains("refused"), "{failure}");
    }
}

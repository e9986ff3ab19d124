//! Callers who mean harm, or know no better.

use super::rig::{PEER, Raw, echo, request, rig, rig_of, text, until};
use crate::activator::Limits;
use crate::testing::{asleep, awake};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The status of the answer to these bytes; 0 when the connection ends without one.
async fn status(address: SocketAddr, bytes: &[u8]) -> u16 {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let bytes = bytes.to_vec();
    // It may be answered, and closed, before all is said.
    let said = tokio::spawn(async move {
        let _ = write.write_all(&bytes).await;
        write
    });
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n") {
        match read.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let write = said.await.unwrap();
    drop((read, write));
    let head = String::from_utf8_lossy(&head).into_owned();
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn hosts_of_all_sorts() {
    let rig = rig_of([awake("hello")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    let long = "x".repeat(64 * 1024);
    let dotted = format!("{}hello.example.com", "a.".repeat(5_000));
    for (host, expected) in [
        ("hello.example.com", 200),
        ("hello.example.com:9060", 200),
        ("hello.example.com:", 200),
        ("hello.example.com.", 200),
        ("HeLLo.EXAMPLE.com.:1", 200),
        ("hello.example.com:65536000", 400),
        ("hello.example.com:-1", 400),
        ("hello.example.com..", 404),
        (".hello.example.com", 404),
        ("hello..example.com", 404),
        ("[::1]", 404),
        ("[::1]:9060", 404),
        ("[2001:db8::1%25eth0]:9060", 404),
        ("2001:db8::1", 400),
        ("hello.example.com@evil.example", 400),
        ("hello.example.com, other.example.com", 400),
        ("hello.example.com/../admin", 400),
        ("hello.example.com\0", 400),
        ("h\u{e9}llo.example.com", 400),
        ("\u{ff48}\u{ff45}llo.example.com", 400),
        ("xn--hllo-bpa.example.com", 404),
        ("%68ello.example.com", 400),
        ("hello.example.com\t", 200),
        (dotted.as_str(), 404),
        (long.as_str(), 431),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let shown: String = host.chars().take(60).collect();
        assert_eq!(status(rig.address, request.as_bytes()).await, expected, "{shown:?}");
    }
    assert_eq!(rig.plane.wakes(), 0);
}

#[tokio::test]
async fn paths_are_the_service_s_own_business() {
    let rig = rig_of([awake("hello"), asleep("other")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    for path in [
        "/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/",
        "//other.example.com/",
        "/a/./b//c",
        "/?../..",
    ] {
        let response = rig.call(request("GET", path)).await;
        assert_eq!(
            text(response).await,
            format!("GET {path}\n"),
            "passed on as it came, and to no other service"
        );
    }
    // The target's authority names the service, whatever the path.
    let absolute = b"GET http://other.example.com/../hello HTTP/1.1\r\nHost: hello.example.com\r\nPrefer: respond-async\r\n\r\n";
    assert_eq!(status(rig.address, absolute).await, 202);
    assert_eq!(rig.plane.asked.lock().unwrap()[0].0, "other");
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_tag() {
    let rig = rig().await;
    let script = "<script>alert(1)</script>";
    for (host, accept) in [
        ("nobody.example.com", "text/html"),
        ("nobody.example.com", "*/*"),
        ("hello.example.org", "text/html"),
    ] {
        let mut caller = Raw::open(
            &rig,
            &format!(
                "GET /{script}?{script} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nUser-Agent: {script}\r\n\
                 X-Forwarded-For: {script}\r\nConnection: close\r\n\r\n"
            ),
        )
        .await;
        let mut answer = String::new();
        caller.0.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("<script>alert"), "{answer}");
    }
    // What is told of a wake is text, and without characters that could end a line or a cell.
    let head =
        "GET /a HTTP/1.1\r\nHost: hello.example.com\r\nUser-Agent: a\tb\r\nPrefer: respond-async\r\n\r\n";
    assert_eq!(status(rig.address, head.as_bytes()).await, 202);
    assert_eq!(rig.plane.asked.lock().unwrap()[0].1.reason, "GET /a from 127.0.0.1 (ab)");
}

#[tokio::test]
async fn a_message_has_one_length() {
    let service = echo().await;
    let rig = rig_of([awake("hello")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(service.address));
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length : 5\r\n",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: hello.example.com\r\n{lengths}\r\nhello");
        assert_eq!(status(rig.address, head.as_bytes()).await, 400, "{lengths}");
    }
    assert_eq!(service.requests(), 0);
    // Both: the chunks count (RFC 9112, 6.3), and the service sees one of the two.
    let both = "POST /both HTTP/1.1\r\nHost: hello.example.com\r\nContent-Length: 3\r\n\
                Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut caller = Raw::open(&rig, both).await;
    caller.hear("POST /both\n").await;
    caller.hear("hello\r\n").await;
    caller.hear("0\r\n\r\n").await;
    assert_eq!(service.requests(), 1, "what follows is no second request");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_not_waited_for() {
    let rig = rig().await;
    // Not over a socket: paused clocks run ahead of those.
    let (mut caller, io) = tokio::io::duplex(1024);
    let served = tokio::spawn(Arc::clone(&rig.activator).connection(io, PEER, rig.stop.clone()));
    let began = Instant::now();
    let trickled = tokio::spawn(async move {
        for byte in
            b"GET / HTTP/1.1\r\nHost: hello.example.com\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"
        {
            if caller.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    served.await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(61), "{:?}", began.elapsed());
    trickled.await.unwrap();
    assert_eq!(rig.plane.wakes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_held_no_longer_than_others() {
    let rig = rig().await;
    let (mut caller, io) = tokio::io::duplex(4096);
    let _served = tokio::spawn(Arc::clone(&rig.activator).connection(io, PEER, rig.stop.clone()));
    caller
        .write_all(b"POST / HTTP/1.1\r\nHost: hello.example.com\r\nContent-Length: 1000\r\n\r\nabc")
        .await
        .unwrap();
    let began = Instant::now();
    let mut head = [0; 12];
    caller.read_exact(&mut head).await.unwrap();
    assert_eq!((&head, began.elapsed()), (b"HTTP/1.1 504", Duration::from_secs(60)));
}

#[tokio::test]
async fn who_leaves_with_a_body_unread_is_noticed() {
    let rig = rig_of([asleep("hello")], Limits { per_service: 1, total: 1 }).await;
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 50\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let caller = Raw::open(&rig, &format!("POST / HTTP/1.1\r\nHost: hello.example.com\r\n{body}")).await;
        rig.until_held(1).await;
        drop(caller);
        rig.until_held(0).await;
        until(|| rig.in_use() == 0).await;
    }
}

#[tokio::test]
async fn the_number_and_size_of_headers_is_bounded() {
    let rig = rig().await;
    let many = "X-A: b\r\n".repeat(200);
    for head in [many, format!("X-A: {}\r\n", "b".repeat(70_000)), format!("X-{}: b\r\n", "a".repeat(70_000))]
    {
        let head = format!("GET / HTTP/1.1\r\nHost: hello.example.com\r\n{head}\r\n");
        assert_eq!(status(rig.address, head.as_bytes()).await, 431);
    }
    let target = format!("GET /{} HTTP/1.1\r\nHost: hello.example.com\r\n\r\n", "a".repeat(70_000));
    let refused = status(rig.address, target.as_bytes()).await;
    assert!([414, 431].contains(&refused), "{refused}");
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        assert_eq!(status(rig.address, garbage).await, 400, "{garbage:?}");
    }
    assert_eq!(rig.plane.wakes(), 0);
}

/// As many files as this machine lets a process open, up to these.
fn open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).max(wanted);
    for (current, maximum) in
        [(wanted, Some(most)), (wanted.min(limit.maximum.unwrap_or(wanted)), limit.maximum)]
    {
        if limit.current.is_some_and(|now| now < current) {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum });
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Many who connect and say nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_do_not_keep_others_out() {
    const MANY: u64 = 10_000;
    let rig = rig_of([awake("hello")], Limits::default()).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    // Both ends are here, and other tests run beside this one.
    let many = MANY.min((open_files(2 * MANY + 2_000) - 2_000) / 2);
    let began = Instant::now();
    let mut idle = Vec::new();
    for count in 0..many {
        idle.push(TcpStream::connect(rig.address).await.unwrap());
        // Now and then somebody wants something.
        if count % 1_000 == 0 {
            assert_eq!(status(rig.address, b"GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n").await, 200);
        }
    }
    let asked = Instant::now();
    assert_eq!(status(rig.address, b"GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n").await, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

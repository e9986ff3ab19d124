//! Messages that two parsers could read in two ways: none gets through.

use crate::support::{Client, Rig, Service, header, until};
use std::sync::{Arc, Mutex};

/// Keeps every byte that reaches it, and answers each head with 200.
async fn recorder() -> (Service, Arc<Mutex<String>>) {
    let heard = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&heard);
    let service = Service::start(move |head, mut client, _| {
        let heard = Arc::clone(&kept);
        async move {
            heard.lock().unwrap().push_str(&head);
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let rest = client.rest().await;
            heard.lock().unwrap().push_str(&String::from_utf8_lossy(&rest));
        }
    })
    .await;
    (service, heard)
}

#[tokio::test]
async fn what_could_be_smuggled_is_refused_and_the_connection_ends() {
    let (service, heard) = recorder().await;
    let rig = Rig::before(&service).await;
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nhost: h\r\n{fields}\r\n\r\n{body}");
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: h\r\n\r\n";
    for (request, status) in [
        (post("content-length: 4\r\ntransfer-encoding: chunked", hidden), 400),
        (post("transfer-encoding: chunked\r\ncontent-length: 4", hidden), 400),
        (post("content-length: 0\r\ncontent-length: 40", hidden), 400),
        (post("content-length: 5\r\ncontent-length: 5", hidden), 400),
        (post("content-length: 5, 5", hidden), 400),
        (post("content-length: +5", hidden), 400),
        (post("content-length: 5\r\n ", hidden), 400),
        (post("content-length : 5", hidden), 400),
        (post("content-length: 18446744073709551617", hidden), 400),
        (post("transfer-encoding: xchunked", hidden), 501),
        (post("transfer-encoding: gzip, chunked", hidden), 501),
        (post("transfer-encoding: chunked\r\ntransfer-encoding: identity", hidden), 400),
        (post("transfer-encoding:\x0bchunked", hidden), 400),
        (post("transfer-encoding : chunked", hidden), 400),
        (post("x: a\r\n transfer-encoding: chunked", hidden), 400),
        (post("x: a\ntransfer-encoding: chunked", hidden), 400),
        (post("x: a\rtransfer-encoding: chunked", hidden), 400),
        (post("x: \0", hidden), 400),
        ("GET / HTTP/1.1\nhost: h\n\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: h\r\n\nGET /hidden HTTP/1.1\r\nhost: h\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/3.0\r\nhost: h\r\n\r\n".to_owned(), 505),
        ("GET /\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a/../b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n".to_owned(), 400),
        ("GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = rig.client().await;
        client.send(&request).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (status, Some("close")), "{request:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(client.rest().await, b"", "nothing of what follows is answered: {request:?}");
    }
    assert_eq!((service.connections(), heard.lock().unwrap().as_str()), (0, ""));
    until("nothing is in flight", || rig.activity().in_flight == 0).await;
}

#[tokio::test]
async fn a_body_that_is_no_chunks_ends_both_connections() {
    for body in [
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "8000000000000000\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0\r\ncontent-length: 5\r\n\r\n",
        "0\r\nx: y\n\r\n",
    ] {
        for split in [false, true] {
            let (service, heard) = recorder().await;
            let rig = Rig::before(&service).await;
            let mut client = rig.client().await;
            let head = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
            if split {
                client.send(head).await;
                until("it was sent on", || service.connections() == 1).await;
                client.send(body).await;
            } else {
                client.send(&format!("{head}{body}GET /hidden HTTP/1.1\r\nhost: h\r\n\r\n")).await;
            }
            // Whether the service's hasty 200 comes first or not: nothing follows it.
            let told = String::from_utf8(client.rest().await).unwrap();
            assert!(told.matches("HTTP/1.1 ").count() <= 2 && !told.contains("/hidden"), "{body:?}: {told}");
            assert!(split || told.starts_with("HTTP/1.1 400 "), "{body:?}: {told}");
            drop(rig);
            let heard = heard.lock().unwrap();
            assert!(!heard.contains("/hidden") && !heard.contains("0\r\n\r\n"), "{body:?}: {heard}");
        }
    }
}

#[tokio::test]
async fn chunk_extensions_do_not_go_on() {
    let service = Service::start(|_, mut client, _| async move {
        let body = client.through("0\r\n\r\n").await.unwrap();
        assert_eq!(body, "5\r\nhello\r\n0\r\n\r\n");
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0;z\r\n\r\n").await;
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("5;a=b;c=\"d e\"\r\nhello\r\n0;q\r\n\r\n").await;
    client.head().await.unwrap();
    assert_eq!(client.through("0\r\n\r\n").await.unwrap(), "2\r\nok\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_answer_that_is_none_is_503() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\nok",
        "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nx : a\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "220 mail.example ESMTP\r\n\r\n",
    ] {
        let service = Service::start(move |_, mut client, _| async move {
            client.send(answer).await;
            client.rest().await;
        })
        .await;
        let rig = Rig::before(&service).await;
        let told = rig.get("/").await;
        assert_eq!((told.status(), told.header("retry-after")), (503, Some("1")), "{answer:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let service = Service::start(move |_, mut client, _| {
        let long = long.clone();
        async move {
            client.send(&long).await;
            client.rest().await;
        }
    })
    .await;
    assert_eq!(Rig::before(&service).await.get("/").await.status(), 503);
}

#[tokio::test]
async fn more_bytes_than_an_answer_has_are_nobodys_answer() {
    let extra =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden";
    for answer in [extra, "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden"] {
        let service = Service::start(move |_, mut client, _| async move {
            client.send(answer).await;
            client.rest().await;
        })
        .await;
        let rig = Rig::before(&service).await;
        let mut client = rig.client().await;
        for number in 1..=3 {
            client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
            let got = client.answer().await;
            assert_ne!(got.text(), "hidden");
            until("its connection is not used again", || service.connections() == number).await;
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_length_goes_on_in_chunks_or_to_the_end() {
    let service = Service::start(|head, mut client, _| async move {
        let old = header(&head, "x-forwarded-host").is_none();
        client.send(if old { "HTTP/1.0 200 OK\r\n\r\n" } else { "HTTP/1.1 200 OK\r\n\r\n" }).await;
        client.send("hello").await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
        let body = client.through("0\r\n\r\n").await.unwrap();
        assert!(body.contains("hello"), "{body}");
    }
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert_eq!((header(&head, "transfer-encoding"), header(&head, "connection")), (None, Some("close")));
    assert_eq!(client.rest().await, b"hello");
}

#[tokio::test]
async fn chunks_are_unwrapped_for_old_clients_who_may_keep_their_connection() {
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            let answer = match head.starts_with("GET /chunks ") {
                true => {
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-a: b\r\n\r\n"
                }
                false => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            };
            client.send(answer).await;
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n").await;
        let answer = client.answer().await;
        assert!(answer.head.starts_with("HTTP/1.0 200 "));
        assert_eq!((answer.text(), answer.header("connection")), ("ok", Some("keep-alive")));
    }
    client.send("GET /chunks HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    client.head().await.unwrap();
    assert_eq!(client.rest().await, b"one");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_reset_to_an_old_client() {
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = Client::connect(rig.address).await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let mut all = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut all).await;
    assert!(end.is_err(), "an orderly end would be the end of the answer: {}", String::from_utf8_lossy(&all));
}

#[tokio::test]
async fn interim_answers_go_on() {
    let service = Service::start(|_, mut client, _| async move {
        loop {
            client.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: x\r\n\r\n").await;
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            if client.head().await.is_none() {
                return;
            }
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    assert_eq!(client.answer().await.text(), "ok");
    let mut old = rig.client().await;
    old.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.status(), 200, "HTTP/1.0 knows no interim answers");
}

#[tokio::test]
async fn whatever_comes_a_byte_at_a_time_is_the_same() {
    const REQUEST: &str = "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n\
                           3;ext\r\none\r\n0\r\nx-sum: 1\r\n\r\n";
    const ANSWER: &str = "HTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                          date: d\r\n\r\n2\r\nhi\r\n0;ext\r\nx-check: 2\r\n\r\n";
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            assert!(head.starts_with("POST /a HTTP/1.1\r\nHost: h\r\nX: y\r\n"), "{head}");
            assert_eq!(
                client.through("x-sum: 1\r\n\r\n").await.unwrap(),
                "3\r\none\r\n0\r\nx-sum: 1\r\n\r\n"
            );
            for byte in ANSWER.chars() {
                client.send(&byte.to_string()).await;
                tokio::task::yield_now().await;
            }
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for _ in 0..3 {
        for byte in REQUEST.chars() {
            client.send(&byte.to_string()).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.head().await.unwrap(), "HTTP/1.1 103 Early\r\nlink: a\r\n\r\n");
        assert_eq!(
            client.head().await.unwrap(),
            "HTTP/1.1 200 OK\r\ndate: d\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(client.through("2\r\n\r\n").await.unwrap(), "2\r\nhi\r\n0\r\nx-check: 2\r\n\r\n");
    }
    assert_eq!(service.connections(), 1);
}

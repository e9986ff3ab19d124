//! One request, one answer: what arrives on either side.

use crate::support::{Client, Rig, Service, header, until};

#[tokio::test]
async fn a_request_goes_through_and_says_who_asks() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client
        .send(
            "POST /a/b?c=%20d HTTP/1.1\r\nHost: hello.example\r\nConnection: keep-alive, X-Private\r\n\
             X-Private: 1\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 4\r\n\r\nping",
        )
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status(), 200);
    let sent = answer.text();
    assert!(sent.starts_with("POST /a/b?c=%20d HTTP/1.1\r\n"), "{sent}");
    assert!(sent.ends_with("ping"));
    assert_eq!(header(sent, "host"), Some("hello.example"));
    assert_eq!(header(sent, "x-forwarded-for"), Some("127.0.0.1"), "what a stranger says does not count");
    assert_eq!(header(sent, "x-real-ip"), Some("127.0.0.1"));
    assert_eq!(header(sent, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(sent, "x-forwarded-host"), Some("hello.example"));
    assert_eq!((header(sent, "x-private"), header(sent, "connection")), (None, None));
    until("the request is done", || rig.activity().in_flight == 0).await;
    let counted = rig.activity();
    assert_eq!((counted.requests, counted.bytes), (1, 4 + answer.body.len() as u64));
}

#[tokio::test]
async fn a_trusted_proxy_says_for_whom_it_asks() {
    let service = Service::echo().await;
    let rig = Rig::before_with(&service, &[("DORMOUSE_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")]).await;
    let mut client = rig.client().await;
    client
        .send("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.9\r\nX-Forwarded-Proto: https\r\n\r\n")
        .await;
    let answer = client.answer().await;
    let sent = answer.text();
    assert_eq!(header(sent, "x-forwarded-for"), Some("6.6.6.6, 192.0.2.1, 10.0.0.9, 127.0.0.1"));
    assert_eq!(header(sent, "x-real-ip"), Some("192.0.2.1"));
    assert_eq!(header(sent, "x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn chunked_bodies_go_through_even_with_get() {
    let service = Service::start(|head, mut client, _| async move {
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
        assert_eq!(header(&head, "content-length"), None);
        let body = client.through("0\r\n\r\n").await.unwrap();
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        client.send(&body).await;
    })
    .await;
    let rig = Rig::before(&service).await;
    for method in ["POST", "GET"] {
        let mut client = rig.client().await;
        client.send(&format!("{method} / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n")).await;
        client.send("3\r\none\r\n0\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
        assert_eq!(client.through("0\r\n\r\n").await.unwrap(), "3\r\none\r\n0\r\n\r\n");
    }
}

#[tokio::test]
async fn trailers_go_through_both_ways() {
    let service = Service::start(|head, mut client, _| async move {
        assert_eq!(header(&head, "trailer"), Some("x-sum"));
        assert_eq!(header(&head, "te"), Some("trailers"));
        let body = client.through("\r\n\r\n").await.unwrap();
        assert!(body.contains("0\r\nx-sum: 6\r\n"), "{body}");
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-check\r\n\r\n").await;
        client.send("2\r\nhi\r\n0\r\nx-check: 7\r\n\r\n").await;
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: h\r\nte: trailers\r\nconnection: te\r\ntrailer: x-sum\r\n\
             transfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-sum: 6\r\n\r\n",
        )
        .await;
    let head = client.head().await.unwrap();
    assert_eq!(header(&head, "trailer"), Some("x-check"));
    let body = client.through("\r\n\r\n").await.unwrap();
    assert_eq!(body, "2\r\nhi\r\n0\r\nx-check: 7\r\n\r\n");
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length_and_the_connection() {
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            let answer = match head.split(' ').nth(1).unwrap() {
                "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n",
                "/head-chunked" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\ncontent-length: 99\r\n\r\n",
                _ => "HTTP/1.1 418 Short And Stout\r\ncontent-length: 2\r\n\r\nhi",
            };
            client.send(answer).await;
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    let heads = async |client: &mut Client, method: &str, path: &str| {
        client.send(&format!("{method} {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        client.head().await.unwrap()
    };
    let head = heads(&mut client, "HEAD", "/head").await;
    assert_eq!(header(&head, "content-length"), Some("12345"));
    let head = heads(&mut client, "HEAD", "/head-chunked").await;
    assert!(header(&head, "content-length").is_none(), "a made-up length: {head}");
    let head = heads(&mut client, "GET", "/204").await;
    assert!(head.starts_with("HTTP/1.1 204 ") && header(&head, "content-length").is_none(), "{head}");
    let head = heads(&mut client, "GET", "/304").await;
    assert!(head.starts_with("HTTP/1.1 304 ") && header(&head, "etag") == Some("\"a\""), "{head}");
    let head = heads(&mut client, "GET", "/").await;
    assert!(head.starts_with("HTTP/1.1 418 Short And Stout\r\n"), "{head}");
    assert_eq!(client.bytes(2).await, b"hi");
    assert_eq!(service.connections(), 1, "one connection served them all");
}

#[tokio::test]
async fn expect_continue_waits_for_the_service() {
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            assert_eq!(header(&head, "expect"), Some("100-continue"));
            if head.starts_with("POST /no ") {
                client.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n").await;
                return;
            }
            client.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            assert_eq!(client.bytes(4).await, b"ping");
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npong").await;
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST /yes HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ping").await;
    assert_eq!(client.answer().await.text(), "pong");

    let mut client = rig.client().await;
    client.send("POST /no HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 417, "and no 100 before it");
    assert_eq!(client.rest().await, b"", "the body was never sent: the connection is of no more use");
}

#[tokio::test]
async fn old_clients_and_absolute_targets() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET /old HTTP/1.0\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.head.starts_with("HTTP/1.0 200 ") && answer.text().starts_with("GET /old HTTP/1.1\r\n"));
    assert_eq!(client.rest().await, b"", "closed, as HTTP/1.0 wants");

    let mut client = rig.client().await;
    client.send("GET http://other.example/abs HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.text().starts_with("GET /abs HTTP/1.1\r\n"), "{}", answer.text());
    assert_eq!(header(answer.text(), "host"), Some("other.example"));
}

#[tokio::test]
async fn what_no_service_should_see_is_refused() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    let many = "x: y\r\n".repeat(200);
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned(), 405),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(60_000)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "y".repeat(70_000)), 431),
        ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in cases {
        let mut client = rig.client().await;
        client.send(&request).await;
        let head = client.head().await.unwrap();
        let shown: String = request.chars().take(60).collect();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {head}");
    }
    assert_eq!(service.connections(), 0);
    until("nothing is in flight", || rig.activity().in_flight == 0).await;
}

#[tokio::test]
async fn health_is_the_proxys_own_and_no_activity() {
    let service = Service::echo().await;
    let rig = Rig::before(&service).await;
    until("the service answered", || rig.proxy.peer_health().is_some_and(|p| p.healthy)).await;
    let before = rig.activity();
    let answer = rig.get("/health").await;
    assert_eq!((answer.status(), answer.text()), (200, r#"{"state":"serving","upstream":true}"#));
    assert_eq!(answer.header("x-dormouse-upstream"), Some("ok"));
    assert_eq!(rig.activity().requests, before.requests);
    let mut client = rig.client().await;
    client.send("POST /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(client.answer().await.text().starts_with("POST /health "), "only a GET is a health check");
}

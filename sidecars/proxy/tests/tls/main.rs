//! TLS on the front, with the feature `tls`: over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

use dormouse_peer::stop::Stop;
use dormouse_proxy::proxy::Proxy;
use dormouse_proxy::serve::{Listeners, serve};
use dormouse_proxy::settings::Settings;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

const DEADLINE: Duration = Duration::from_secs(20);
const ONE: (&str, &str) = (include_str!("one.pem"), include_str!("one.key.pem"));
const TWO: (&str, &str) = (include_str!("two.pem"), include_str!("two.key.pem"));

/// Answers each request with its own head.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut read = Vec::new();
                while let Ok(1..) = stream.read_buf(&mut read).await {
                    if read.ends_with(b"\r\n\r\n") {
                        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", read.len());
                        stream.write_all(&[head.as_bytes(), &read].concat()).await.unwrap();
                        read.clear();
                    }
                }
            });
        }
    });
    address
}

async fn start(extra: &[(&str, &str)]) -> (SocketAddr, mpsc::Sender<()>) {
    let port = echo().await.port().to_string();
    let defaults = [
        ("LISTEN_ADDRESS", "127.0.0.1"),
        ("PROXY_PORT", "0"),
        ("HEALTH_PORT", "0"),
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", port.as_str()),
    ];
    let source = |name: &str| {
        let all = extra.iter().chain(&defaults);
        all.clone().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    };
    let settings = Settings::read(&source).unwrap();
    let listeners = Listeners::open(&settings).await.unwrap();
    let address = listeners.traffic().unwrap();
    let (stop, asked) = Stop::by_hand();
    tokio::spawn(serve(Arc::new(Proxy::new(settings)), listeners, asked));
    (address, stop)
}

async fn connect(to: SocketAddr, name: &'static str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for (pem, _) in [ONE, TWO] {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(to).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

async fn ask(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let whole = |read: &[u8]| {
        let text = String::from_utf8_lossy(read);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        (body.len() >= length.parse().unwrap()).then_some(())
    };
    while whole(&read).is_none() {
        let n = timeout(DEADLINE, stream.read_buf(&mut read)).await.unwrap().unwrap();
        assert_ne!(n, 0, "ended after {}", String::from_utf8_lossy(&read));
    }
    String::from_utf8(read).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nhost: one.example\r\n\r\n";

#[tokio::test]
async fn requests_over_tls_say_so_and_plain_ones_reach_health_alone() {
    let (address, _stop) = start(&[("TLS_CERTIFICATE", ONE.0), ("TLS_KEY", ONE.1)]).await;
    let mut client = connect(address, "one.example", &["http/1.1"]).await.unwrap();
    for _ in 0..3 {
        let answer = ask(&mut client, GET).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-forwarded-proto: https\r\n"),
            "{answer}"
        );
    }
    let answer = ask(&mut client, &GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    let mut rest = Vec::new();
    // rustls tells an end without close_notify from an orderly one.
    timeout(DEADLINE, client.read_to_end(&mut rest)).await.unwrap().unwrap();

    let mut plain = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut plain, "GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    assert!(ask(&mut plain, GET).await.starts_with("HTTP/1.1 404 "));
    assert!(connect(address, "two.example", &[]).await.is_err(), "it has one name alone");
}

#[tokio::test]
async fn http2_is_negotiated() {
    let (address, _stop) = start(&[("TLS_CERTIFICATE", ONE.0), ("TLS_KEY", ONE.1)]).await;
    let stream = connect(address, "one.example", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let stream = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get("https://one.example/")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let answer = timeout(DEADLINE, sender.send_request(request)).await.unwrap().unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("x-forwarded-proto: https") && text.contains("host: one.example"), "{text}");
}

#[tokio::test]
async fn a_changed_certificate_is_served_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let put = |pair: (&str, &str)| {
        std::fs::write(Path::new(&certificate), pair.0).unwrap();
        std::fs::write(Path::new(&key), pair.1).unwrap();
    };
    put(ONE);
    let (address, _stop) = start(&[("TLS_CERTIFICATE_FILE", &certificate), ("TLS_KEY_FILE", &key)]).await;
    let mut before = connect(address, "one.example", &[]).await.unwrap();
    put((TWO.0, ONE.1));
    ask(&mut before, GET).await;
    put(TWO);
    let end = Instant::now() + DEADLINE;
    while let Err(error) = connect(address, "two.example", &[]).await {
        assert!(Instant::now() < end, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
    ask(&mut before, GET).await;
}

#[tokio::test]
async fn what_cannot_be_served_is_said_at_the_start() {
    let settings = |certificate: &'static str, key: &'static str| {
        let source = move |name: &str| match name {
            "UPSTREAM_HOST" => Some("h".to_owned()),
            "LISTEN_ADDRESS" => Some("127.0.0.1".to_owned()),
            "PROXY_PORT" => Some("0".to_owned()),
            "TLS_CERTIFICATE" => Some(certificate.to_owned()),
            "TLS_KEY" => Some(key.to_owned()),
            _ => None,
        };
        Settings::read(&source)
    };
    assert_eq!(settings(ONE.0, "").unwrap_err().name, "TLS_KEY");
    for (certificate, key) in [(ONE.0, TWO.1), ("nonsense", ONE.1), (ONE.0, "nonsense")] {
        let error = Listeners::open(&settings(certificate, key).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
    }
}

#[tokio::test]
async fn raw_connections_over_tls() {
    let (address, _stop) =
        start(&[("PROTOCOL", "tcp"), ("TLS_CERTIFICATE", ONE.0), ("TLS_KEY", ONE.1)]).await;
    let mut client = connect(address, "one.example", &[]).await.unwrap();
    assert!(ask(&mut client, "anything\r\n\r\n").await.ends_with("anything\r\n\r\n"));
}

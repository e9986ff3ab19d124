//! The rig: a proxy, a scripted service, a raw client, and waiting with a deadline.

use dormouse_peer::exit::Exit;
use dormouse_peer::stop::Stop;
use dormouse_peer::wire::Activity;
use dormouse_proxy::proxy::Proxy;
use dormouse_proxy::serve::{Listeners, serve};
use dormouse_proxy::settings::Settings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until something is so; fails after the deadline.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !so() {
        assert!(Instant::now() < end, "still not: {what}");
        sleep(Duration::from_millis(3)).await;
    }
}

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A proxy that runs in this process.
pub struct Rig {
    pub address: SocketAddr,
    pub health: SocketAddr,
    pub proxy: Arc<Proxy>,
    pub stop: mpsc::Sender<()>,
    pub exit: JoinHandle<Exit>,
}

impl Rig {
    pub async fn start(extra: &[(&str, &str)]) -> Rig {
        let defaults = [
            ("LISTEN_ADDRESS", "127.0.0.1"),
            ("PROXY_PORT", "0"),
            ("HEALTH_PORT", "0"),
            ("HEALTH_CHECK_PATH", "/probe"),
            ("DRAIN_MS", "10000"),
            ("HOLD_MS", "300"),
        ];
        let source = |name: &str| {
            let of =
                |pairs: &[(&str, &str)]| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            of(extra).or_else(|| of(&defaults))
        };
        let settings = Settings::read(&source).unwrap();
        let listeners = Listeners::open(&settings).await.unwrap();
        let (address, health) = (listeners.traffic().unwrap(), listeners.health().unwrap());
        let proxy = Arc::new(Proxy::new(settings));
        let (stop, asked) = Stop::by_hand();
        let exit = tokio::spawn(serve(Arc::clone(&proxy), listeners, asked));
        Rig { address, health, proxy, stop, exit }
    }

    /// In front of this service.
    pub async fn before(service: &Service) -> Rig {
        Rig::before_with(service, &[]).await
    }

    pub async fn before_with(service: &Service, extra: &[(&str, &str)]) -> Rig {
        let port = service.address.port().to_string();
        let mut all = extra.to_vec();
        all.extend([("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", port.as_str())]);
        Rig::start(&all).await
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    pub fn activity(&self) -> Activity {
        self.proxy.activity.snapshot()
    }

    /// One request over a connection of its own: the whole answer.
    pub async fn get(&self, path: &str) -> Answer {
        let mut client = self.client().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        client.answer().await
    }

    pub async fn ends(self) -> Exit {
        soon("the proxy ends", self.exit).await.unwrap()
    }
}

/// A head, and what came of the body.
#[derive(Debug)]
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// One connection, byte by byte: both as a client and as a service.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub async fn connect(to: SocketAddr) -> Client {
        Client::over(soon("connect", TcpStream::connect(to)).await.unwrap())
    }

    pub fn over(stream: TcpStream) -> Client {
        stream.set_nodelay(true).unwrap();
        Client { stream, read: Vec::new() }
    }

    pub async fn send(&mut self, text: &str) {
        soon("send", self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// Up to and with a mark; `None` when the connection ends before.
    pub async fn through(&mut self, mark: &str) -> Option<String> {
        loop {
            let found = self.read.windows(mark.len()).position(|w| w == mark.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + mark.len());
                let text = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8(text).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub async fn head(&mut self) -> Option<String> {
        self.through("\r\n\r\n").await
    }

    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "ended after {} of {count} bytes", self.read.len());
        }
        let rest = self.read.split_off(count);
        std::mem::replace(&mut self.read, rest)
    }

    /// Everything up to the end of the connection, clean or not.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// A head, and the body that its `content-length` tells.
    pub async fn answer(&mut self) -> Answer {
        let head = self.head().await.expect("an answer");
        let length = header(&head, "content-length").map_or(0, |l| l.parse().unwrap());
        Answer { body: self.bytes(length).await, head }
    }

    async fn more(&mut self) -> bool {
        let read = soon("read", self.stream.read_buf(&mut self.read)).await;
        matches!(read, Ok(n) if n > 0)
    }
}

/// A service that plays a script on each connection, and answers probes aside.
pub struct Service {
    pub address: SocketAddr,
    /// Connections that were no probe.
    pub connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    /// `script` gets the first request's head, the connection, and the connection's number, from 1.
    pub async fn start<F, Fut>(script: F) -> Service
    where
        F: Fn(String, Client, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, counted) = (Arc::clone(&script), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut client = Client::over(stream);
                    let Some(head) = client.head().await else { return };
                    if head.starts_with("GET /probe ") {
                        client
                            .send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                            .await;
                        return;
                    }
                    let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                    script(head, client, number).await;
                });
            }
        });
        Service { address, connections, task }
    }

    /// Answers each request with this, again and again.
    pub async fn saying(answer: &'static str) -> Service {
        Service::start(move |_, mut client, _| async move {
            client.send(answer).await;
            while client.head().await.is_some() {
                client.send(answer).await;
            }
        })
        .await
    }

    /// Answers each request with its own head (and body, by its length) as the body.
    pub async fn echo() -> Service {
        Service::start(|mut head, mut client, _| async move {
            loop {
                let length = header(&head, "content-length").map_or(0, |l| l.parse().unwrap());
                let body = String::from_utf8(client.bytes(length).await).unwrap();
                let text = format!("{head}{body}");
                client
                    .send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()))
                    .await;
                let Some(next) = client.head().await else { return };
                head = next;
            }
        })
        .await
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

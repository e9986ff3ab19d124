//! Small servers for the three others: container, proxy, controller; and waiting with a deadline.

use dormouse_peer::wire::{Answer, Heartbeat};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub const DEADLINE: Duration = Duration::from_secs(20);

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

/// Answers every request with a status; with 0, not at all.
pub struct Server {
    pub address: SocketAddr,
    pub status: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(status: u16) -> Server {
        Server::saying(status, "").await
    }

    /// Also with these header lines.
    pub async fn saying(status: u16, headers: &'static str) -> Server {
        Server::with(status, headers, None).await
    }

    /// 200 with this text.
    pub async fn answering(text: &'static str) -> Server {
        Server::with(200, "", Some(text)).await
    }

    async fn with(status: u16, headers: &'static str, text: Option<&'static str>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(status));
        let now = Arc::clone(&status);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let now = Arc::clone(&now);
                tokio::spawn(async move {
                    let (head, mut stream, _) = request(stream).await?;
                    if now.load(SeqCst) == 0 {
                        // Frozen: the connection stays open, without a word.
                        return stream.read(&mut [0]).await.ok();
                    }
                    let status = now.load(SeqCst);
                    let body =
                        text.map_or_else(|| head.lines().next().map(str::to_owned), |t| Some(t.into()))?;
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(text.as_bytes()).await.ok()?;
                    Some(0)
                });
            }
        });
        Server { address, status, task }
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request: head, connection, body.
async fn request(mut stream: TcpStream) -> Option<(String, TcpStream, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, stream, body))
}

/// Collects heartbeats and gives one answer, over connections that it does not keep.
pub struct Controller {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heartbeat>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Controller {
    pub async fn start(answer: Answer) -> Controller {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, answer) = (Arc::<Mutex<Vec<Heartbeat>>>::default(), Arc::new(Mutex::new(answer)));
        let (hears, says) = (Arc::clone(&heard), Arc::clone(&answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (hears, says) = (Arc::clone(&hears), Arc::clone(&says));
                tokio::spawn(async move {
                    let (head, mut stream, body) = request(stream).await?;
                    assert!(head.contains("Bearer secret\r\n"), "{head}");
                    hears.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                    let text = serde_json::to_string(&*says.lock().unwrap()).unwrap();
                    let length = text.len();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
                    );
                    stream.write_all(answer.as_bytes()).await.ok()
                });
            }
        });
        Controller { address, heard, answer }
    }

    pub fn say(&self, change: impl FnOnce(&mut Answer)) {
        change(&mut self.answer.lock().unwrap());
    }

    pub fn all(&self) -> Vec<Heartbeat> {
        self.heard.lock().unwrap().clone()
    }

    pub async fn hears(&self, what: &str, so: impl Fn(&Heartbeat) -> bool) {
        until(what, || self.heard.lock().unwrap().last().is_some_and(&so)).await;
    }
}

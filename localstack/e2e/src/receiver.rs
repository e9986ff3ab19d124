//! Who is told by the webhook: keeps every request, and answers as it is told to.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Told {
    /// The path, with its query.
    pub target: String,
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// As it was sent: that is what is signed.
    pub body: String,
    /// What it was answered with.
    pub status: u16,
}

impl Told {
    /// A text of the message, by its pointer.
    pub fn text(&self, pointer: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// A server on an address of its own, until the process ends.
#[derive(Debug, Clone)]
pub struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Receiver {
    /// Starts one that answers with a status.
    ///
    /// # Panics
    /// When there is no port for it.
    pub fn start(status: u16) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let receiver = Receiver { address, status: Arc::new(AtomicU16::new(status)), told: Arc::default() };
        let own = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                thread::spawn(move || own.serve(&stream));
            }
        });
        receiver
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with another status from here on.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Every request so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut to = stream;
        while let Some(mut told) = read(&mut reader) {
            told.status = self.status.load(Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {} .\r\ncontent-length: 0\r\n\r\n", told.status);
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
            if to.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// One request with a `content-length`; `None`: no more come.
fn read(reader: &mut impl BufRead) -> Option<Told> {
    let mut line = || {
        let mut line = String::new();
        let count = reader.read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let target = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Told {
        target,
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: String::from_utf8(body).ok()?,
        status: 0,
    })
}

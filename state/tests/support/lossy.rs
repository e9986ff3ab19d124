//! A connection that loses answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A way to the local AWS that carries every request there and can lose answers on the way back.
pub struct Lossy {
    pub endpoint: String,
    losses: Arc<AtomicU32>,
}

impl Lossy {
    pub async fn to(endpoint: &str) -> Lossy {
        let behind: SocketAddr =
            endpoint.trim_start_matches("http://").trim_end_matches('/').parse().expect("host:port");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let losses = Arc::new(AtomicU32::new(0));
        let left = losses.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, behind, left.clone()));
            }
        });
        Lossy { endpoint, losses }
    }

    /// Loses the next answers.
    pub fn lose(&self, answers: u32) {
        self.losses.store(answers, Ordering::SeqCst);
    }

    /// How many are still to be lost.
    pub fn left(&self) -> u32 {
        self.losses.load(Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, behind: SocketAddr, left: Arc<AtomicU32>) {
    let Ok(server) = TcpStream::connect(behind).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        // The first bytes of an answer mean that the call took effect.
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            break;
        }
        if to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    there.abort();
}

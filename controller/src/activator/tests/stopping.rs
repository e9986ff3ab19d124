//! The end of an activator.

use super::rig::{Raw, echo, get, rig, rig_with};
use crate::activator::Limits;
use crate::testing::asleep;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

#[tokio::test]
async fn what_is_held_is_still_answered() {
    let rig = rig().await;
    let held = rig.spawn(get("/last"));
    rig.until_held(1).await;
    rig.stop.cancel();
    while TcpStream::connect(rig.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(held.await.unwrap(), (200, "GET /last\n".into()));
    rig.served.await.unwrap();
}

#[tokio::test]
async fn what_is_held_at_the_very_end_is_told_so() {
    let rig = rig_with([asleep("hello")], Limits::default(), Duration::from_millis(300)).await;
    let mut held = Raw::open(&rig, "GET / HTTP/1.1\r\nHost: hello.example.com\r\n\r\n").await;
    let mut silent = TcpStream::connect(rig.address).await.unwrap();
    rig.until_held(1).await;
    let began = Instant::now();
    rig.stop.cancel();
    assert!(held.hear("\r\n\r\n").await.starts_with("HTTP/1.1 503 "), "not cut off without a word");
    assert!(began.elapsed() >= Duration::from_millis(270), "{:?}", began.elapsed());
    assert!(held.hear("}").await.contains("urn:dormouse:stopping"));
    let mut nothing = Vec::new();
    assert_eq!(tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut nothing).await.unwrap(), 0);
    rig.served.await.unwrap();
}

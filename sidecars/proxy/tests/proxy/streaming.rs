//! Large bodies both ways: passed on as they come, never collected.

use crate::support::{DEADLINE, Rig, Service, header, soon, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const TOTAL: usize = 96 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;
/// Far more than the proxy's and the system's buffers of three sockets, far less than the whole.
const BOUND: usize = 48 * 1024 * 1024;

/// Waits until a count stands still.
async fn stands_still(count: &AtomicUsize) -> usize {
    let end = Instant::now() + DEADLINE;
    let mut last = count.load(SeqCst);
    let mut still = 0;
    while still < 20 {
        assert!(Instant::now() < end, "it never stood still");
        sleep(Duration::from_millis(10)).await;
        let now = count.load(SeqCst);
        still = if now == last && now > 0 { still + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_the_service_down() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let service = Service::start(move |_, mut client, _| {
        let sent = Arc::clone(&counted);
        async move {
            client.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n")).await;
            let chunk = vec![7; CHUNK];
            while sent.load(SeqCst) < TOTAL {
                client.stream.write_all(&chunk).await.unwrap();
                sent.fetch_add(CHUNK, SeqCst);
            }
            client.rest().await;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.head().await.unwrap();
    let held = stands_still(&sent).await;
    assert!(held < BOUND, "{held} bytes taken from a service whose client reads none");
    assert_eq!(rig.activity().in_flight, 1);
    let body = client.bytes(TOTAL).await;
    assert!(body.iter().all(|byte| *byte == 7));
    until("it is counted", || rig.activity().bytes == TOTAL as u64 && rig.activity().in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_service_slows_the_sender_down() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let service = Service::start(move |_, mut client, _| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            let body = client.bytes(TOTAL).await;
            assert!(body.iter().all(|byte| *byte == 9));
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            client.rest().await;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send(&format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {TOTAL}\r\n\r\n")).await;
    let (mut reader, mut writer) = client.stream.into_split();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let sender = tokio::spawn(async move {
        let chunk = vec![9; CHUNK];
        while counted.load(SeqCst) < TOTAL {
            writer.write_all(&chunk).await.unwrap();
            counted.fetch_add(CHUNK, SeqCst);
        }
        writer
    });
    let held = stands_still(&sent).await;
    assert!(held < BOUND, "{held} bytes taken for a service that reads none");
    go.notify_one();
    let _open = soon("all is sent", sender).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok") {
        assert_ne!(soon("the answer", reader.read_buf(&mut answer)).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn each_piece_goes_on_at_once() {
    let service = Service::start(|_, mut client, _| async move {
        client
            .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        // Each event waits for the client's word that it has the one before.
        for i in 0..5 {
            client.send(&format!("2\r\n{i}\n\r\n")).await;
            client.through(&format!("ack{i}")).await.unwrap();
        }
        client.send("0\r\n\r\n").await;
        client.rest().await;
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.head().await.unwrap();
    for i in 0..5 {
        assert_eq!(client.through("\n\r\n").await.unwrap(), format!("2\r\n{i}\n\r\n"));
        client.send(&format!("4\r\nack{i}\r\n")).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.through("0\r\n\r\n").await.unwrap(), "0\r\n\r\n");
}

/// Bytes that differ at any two places that are near each other.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i / 251 + i % 251) % 256).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_bodies_arrive_as_they_were_and_the_next_request_after_them() {
    const LONG: usize = 3_000_001;
    let service = Service::start(|mut head, mut client, _| async move {
        loop {
            let length = header(&head, "content-length").map_or(0, |l| l.parse().unwrap());
            let body = client.bytes(length).await;
            assert!(body == pattern(length));
            client.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n")).await;
            client.stream.write_all(&pattern(LONG)).await.unwrap();
            let Some(next) = client.head().await else { return };
            head = next;
        }
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    for number in 1..=3 {
        client.send(&format!("PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: {LONG}\r\n\r\n")).await;
        client.stream.write_all(&pattern(LONG)).await.unwrap();
        assert!(client.answer().await.body == pattern(LONG));
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert!(client.answer().await.body == pattern(LONG));
        until("it is counted", || rig.activity().bytes == number * 3 * LONG as u64).await;
    }
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn a_long_answer_that_breaks_off_is_never_completed() {
    let service = Service::start(|_, mut client, _| async move {
        client.send("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n").await;
        client.stream.write_all(&pattern(2_000_000)).await.unwrap();
    })
    .await;
    let rig = Rig::before(&service).await;
    let mut client = rig.client().await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    client.head().await.unwrap();
    assert!(client.rest().await == pattern(2_000_000));
    until("it is over", || rig.activity().in_flight == 0).await;
}

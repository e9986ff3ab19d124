//! How a proxy ends, and that it loses nothing on the way.

use crate::support::{Client, Rig, Service, until};
use dormouse_peer::exit::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::sync::Notify;

/// Answers when told to.
async fn waiting(go: Arc<Notify>) -> Service {
    Service::start(move |_, mut client, _| {
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            client.rest().await;
        }
    })
    .await
}

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight() {
    let go = Arc::new(Notify::new());
    let service = waiting(Arc::clone(&go)).await;
    let rig = Rig::before(&service).await;
    let mut idle = rig.client().await;
    idle.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    idle.answer().await;
    let mut client = rig.client().await;
    client.send(GET).await;
    until("it is in flight", || rig.activity().in_flight == 1).await;
    rig.stop.send(()).await.unwrap();
    until("it drains", || rig.proxy.is_draining()).await;
    // Both have connected, so both are owed an answer.
    idle.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let health = idle.answer().await;
    assert_eq!((health.status(), health.header("x-dormouse-state")), (503, Some("draining")));
    go.notify_one();
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.header("connection")), ("ok", Some("close")));
    assert_eq!(client.rest().await, b"");
    assert_eq!(rig.ends().await, Exit::Asked);
}

#[tokio::test]
async fn a_client_in_the_backlog_is_served() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let rig = Rig::before(&service).await;
    let address = rig.address;
    rig.stop.send(()).await.unwrap();
    // Nothing is awaited in between: the proxy has seen neither the stop nor the connections.
    let connected: Vec<Client> = (0..8)
        .map(|_| {
            let stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_nonblocking(true).unwrap();
            Client::over(tokio::net::TcpStream::from_std(stream).unwrap())
        })
        .collect();
    for mut client in connected {
        client.send(GET).await;
        assert_eq!(client.answer().await.text(), "ok");
    }
    assert_eq!(rig.ends().await, Exit::Asked);
}

#[tokio::test]
async fn a_drain_has_an_end_and_a_second_stop_is_at_once() {
    for (drain, twice) in [("50", false), ("600000", true)] {
        let service = waiting(Arc::new(Notify::new())).await;
        let rig = Rig::before_with(&service, &[("DRAIN_MS", drain)]).await;
        let mut client = rig.client().await;
        client.send(GET).await;
        until("it is in flight", || rig.activity().in_flight == 1).await;
        rig.stop.send(()).await.unwrap();
        if twice {
            until("it drains", || rig.proxy.is_draining()).await;
            rig.stop.send(()).await.unwrap();
        }
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
        assert_eq!(rig.ends().await, Exit::Asked);
    }
}

#[tokio::test]
async fn a_service_that_freezes_is_lost() {
    let frozen = Arc::new(AtomicBool::new(false));
    let service = Service::start({
        let frozen = Arc::clone(&frozen);
        move |_, mut client, _| {
            let frozen = Arc::clone(&frozen);
            async move {
                // Connections are taken, as the kernel does for a stopped process; none is answered.
                if !frozen.load(SeqCst) {
                    client.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
                }
                client.rest().await;
            }
        }
    })
    .await;
    let quick = [
        ("HEALTH_CHECK_BASE_INTERVAL", "40"),
        ("MAX_HEALTH_CHECK_FAILURES", "3"),
        ("HEALTH_CHECK_PATH", "/not-a-probe"),
    ];
    let rig = Rig::before_with(&service, &quick).await;
    until("404 is a sign of life", || rig.proxy.peer_health().is_some_and(|p| p.healthy)).await;
    frozen.store(true, SeqCst);
    let mut client = rig.client().await;
    client.send(GET).await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (503, Some("close")),
        "it is not left waiting"
    );
    assert_eq!(rig.ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn a_service_that_never_comes_is_lost_after_the_grace_period() {
    let quick = [
        ("HEALTH_CHECK_BASE_INTERVAL", "20"),
        ("HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS", "100"),
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", "1"),
    ];
    assert_eq!(Rig::start(&quick).await.ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn nobody_says_where_the_service_is() {
    let alone = [
        ("DORMOUSE_CONTROLLER_URL", "http://127.0.0.1:1"),
        ("DORMOUSE_TASK_TOKEN", "t"),
        ("HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS", "100"),
    ];
    assert_eq!(Rig::start(&alone).await.ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn idle_without_a_controller_ends() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let idle = [
        ("IDLE_AFTER_MS", "300"),
        ("IDLE_MARGIN_MS", "100"),
        ("DORMOUSE_CONTROLLER_URL", "http://127.0.0.1:1"),
        ("DORMOUSE_TASK_TOKEN", "t"),
    ];
    for extra in [&idle[..], &idle[..2]] {
        let rig = Rig::before_with(&service, extra).await;
        assert_eq!(rig.get("/").await.text(), "ok");
        let activity = Arc::clone(&rig.proxy.activity);
        assert_eq!(rig.ends().await, Exit::Idle);
        assert!(activity.snapshot().idle_for_ms >= 400);
    }
}

#[tokio::test]
async fn an_open_request_keeps_it_awake() {
    let go = Arc::new(Notify::new());
    let service = waiting(Arc::clone(&go)).await;
    let rig = Rig::before_with(&service, &[("IDLE_AFTER_MS", "50"), ("IDLE_MARGIN_MS", "0")]).await;
    let mut client = rig.client().await;
    client.send(GET).await;
    until("it has been open for long", || rig.activity().idle_for_ms > 500).await;
    assert!(!rig.exit.is_finished());
    go.notify_one();
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(rig.ends().await, Exit::Idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let rig = Rig::before(&service).await;
    let stopped = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (stopped, address) = (Arc::clone(&stopped), rig.address);
            tokio::spawn(async move {
                let mut answered = 0u64;
                // Whoever has connected before the stop is owed an answer, whatever happens then.
                while !stopped.load(SeqCst) {
                    let mut client = Client::connect(address).await;
                    loop {
                        client.send(GET).await;
                        let answer = client.answer().await;
                        assert_eq!((answer.status(), answer.text()), (200, "ok"));
                        answered += 1;
                        if answer.header("connection") == Some("close") || answered.is_multiple_of(3) {
                            break;
                        }
                    }
                }
                answered
            })
        })
        .collect();
    until("there is load", || rig.activity().requests > 500).await;
    stopped.store(true, SeqCst);
    rig.stop.send(()).await.unwrap();
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    assert_eq!(rig.activity().requests, answered, "each was sent once and answered once");
    assert_eq!(rig.ends().await, Exit::Asked);
}

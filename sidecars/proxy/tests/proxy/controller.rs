//! A small controller: what it hears, and what its answers do.

use crate::support::{Client, Rig, Service, header, until};
use dormouse_peer::exit::Exit;
use dormouse_peer::wire::{Answer, Heartbeat, PeerAddress, SidecarState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

struct Controller {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heartbeat>>>,
    answer: Arc<Mutex<(u16, Answer)>>,
    connections: Arc<AtomicUsize>,
}

impl Controller {
    async fn start() -> Controller {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let controller = Controller {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            answer: Arc::new(Mutex::new((
                200,
                Answer { peer: None, drain: false, interval_ms: 60_000, controllers: Vec::new() },
            ))),
            connections: Arc::default(),
        };
        let (heard, answer) = (Arc::clone(&controller.heard), Arc::clone(&controller.answer));
        let connections = Arc::clone(&controller.connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, SeqCst);
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut client = Client::over(stream);
                    while let Some(head) = client.head().await {
                        assert!(head.starts_with("POST /v1/heartbeat HTTP/1.1\r\n"), "{head}");
                        assert_eq!(header(&head, "authorization"), Some("Bearer secret"));
                        let length = header(&head, "content-length").unwrap().parse().unwrap();
                        let body = client.bytes(length).await;
                        heard.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                        let (status, answer) = answer.lock().unwrap().clone();
                        let body = serde_json::to_string(&answer).unwrap();
                        let length = body.len();
                        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
                        client.send(&(head + &body)).await;
                    }
                });
            }
        });
        controller
    }

    fn say(&self, change: impl FnOnce(&mut Answer)) {
        change(&mut self.answer.lock().unwrap().1);
    }

    fn last(&self) -> Option<Heartbeat> {
        self.heard.lock().unwrap().last().cloned()
    }

    async fn hears(&self, what: &str, so: impl Fn(&Heartbeat) -> bool) {
        until(what, || self.last().is_some_and(|last| so(&last))).await;
    }

    /// A proxy under this controller.
    async fn rig(&self, extra: &[(&str, &str)]) -> Rig {
        let url = format!("http://{}", self.address);
        let mut all = extra.to_vec();
        all.extend([("DORMOUSE_CONTROLLER_URL", url.as_str()), ("DORMOUSE_TASK_TOKEN", "secret")]);
        Rig::start(&all).await
    }
}

fn place(service: &Service) -> Option<PeerAddress> {
    Some(PeerAddress { host: "127.0.0.1".into(), port: service.address.port() })
}

#[tokio::test]
async fn it_reports_what_changes_at_once_and_over_one_connection() {
    let service = Service::saying(OK).await;
    let controller = Controller::start().await;
    controller.say(|answer| answer.peer = place(&service));
    // The controller asks for a heartbeat a minute: all others come because something changed.
    let rig = controller.rig(&[]).await;
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    controller.hears("its peer is healthy", |h| h.peer.is_some_and(|p| p.healthy && p.ever_healthy)).await;
    until("it has been idle for a second", || rig.activity().idle_for_ms >= 1000).await;
    assert_eq!(rig.get("/").await.text(), "ok");
    controller.hears("the first request", |h| h.activity.is_some_and(|a| a.requests == 1)).await;
    rig.stop.send(()).await.unwrap();
    controller.hears("the farewell", |h| h.state == SidecarState::Stopping).await;
    assert_eq!(rig.ends().await, Exit::Asked);

    let heard = controller.heard.lock().unwrap();
    assert_eq!(heard[0].state, SidecarState::Starting);
    assert_eq!((heard[0].peer, heard[0].seq), (None, 1));
    assert!(heard.windows(2).all(|two| two[0].seq + 1 == two[1].seq && two[0].boot == two[1].boot));
    assert!(heard.len() < 12, "{} heartbeats for a handful of changes", heard.len());
    assert!(controller.connections.load(SeqCst) <= 2, "one, and perhaps one for the farewell");
}

#[tokio::test]
async fn a_drain_serves_on_and_can_be_taken_back() {
    let service = Service::saying(OK).await;
    let controller = Controller::start().await;
    controller.say(|answer| {
        answer.peer = place(&service);
        answer.interval_ms = 100;
    });
    let rig = controller.rig(&[]).await;
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    let mut kept = rig.client().await;
    kept.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(kept.answer().await.header("connection"), None);

    controller.say(|answer| answer.drain = true);
    controller.hears("it drains", |h| h.state == SidecarState::Draining).await;
    let health = rig.get("/health").await;
    assert_eq!((health.status(), health.header("x-dormouse-state")), (503, Some("draining")));
    assert_eq!(health.text(), r#"{"state":"draining","upstream":true}"#);
    kept.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let answer = kept.answer().await;
    assert_eq!((answer.text(), answer.header("connection")), ("ok", Some("close")), "on a kept connection");
    assert_eq!(rig.get("/").await.text(), "ok", "and on a new one");

    controller.say(|answer| answer.drain = false);
    controller.hears("it drains no more", |h| h.state == SidecarState::Serving).await;
    assert_eq!(rig.get("/health").await.status(), 200);
    assert_eq!(rig.get("/").await.header("connection"), None);
}

#[tokio::test]
async fn another_service_takes_over() {
    let first = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst").await;
    let second = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond").await;
    let controller = Controller::start().await;
    controller.say(|answer| {
        answer.peer = place(&first);
        answer.interval_ms = 100;
    });
    let rig = controller.rig(&[]).await;
    until("the first one is known", || rig.proxy.peer_health().is_some()).await;
    assert_eq!(rig.get("/").await.text(), "first");
    controller.say(|answer| answer.peer = place(&second));
    let address = rig.proxy.upstream.address();
    until("the second one is known", || *address.borrow() == place(&second)).await;
    assert_eq!(rig.get("/").await.text(), "second", "the kept connection to the first is not used");
    controller.say(|answer| answer.peer = None);
    let seen = controller.last().unwrap().seq;
    controller.hears("two more heartbeats", |h| h.seq > seen + 1).await;
    assert_eq!(*address.borrow(), place(&second), "unknown is not gone");
}

#[tokio::test]
async fn a_fixed_service_stays() {
    let fixed = Service::saying(OK).await;
    let other = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother").await;
    let controller = Controller::start().await;
    controller.say(|answer| answer.peer = place(&other));
    let port = fixed.address.port().to_string();
    let rig = controller.rig(&[("UPSTREAM_HOST", "127.0.0.1"), ("UPSTREAM_PORT", &port)]).await;
    until("the controller answered", || rig.proxy.link().is_some_and(|link| link.ever_answered())).await;
    assert_eq!(rig.get("/").await.text(), "ok");
}

#[tokio::test]
async fn a_refused_token_is_silence() {
    let service = Service::saying(OK).await;
    let controller = Controller::start().await;
    controller.answer.lock().unwrap().0 = 403;
    let port = service.address.port().to_string();
    let rig = controller
        .rig(&[
            ("UPSTREAM_HOST", "127.0.0.1"),
            ("UPSTREAM_PORT", &port),
            ("IDLE_AFTER_MS", "200"),
            ("IDLE_MARGIN_MS", "0"),
        ])
        .await;
    controller.hears("a heartbeat", |_| true).await;
    assert_eq!(rig.ends().await, Exit::Idle);
}

#[tokio::test]
async fn a_controller_that_answers_keeps_an_idle_proxy() {
    let service = Service::saying(OK).await;
    let controller = Controller::start().await;
    controller.say(|answer| {
        answer.peer = place(&service);
        answer.interval_ms = 100;
    });
    let rig = controller.rig(&[("IDLE_AFTER_MS", "1000"), ("IDLE_MARGIN_MS", "0")]).await;
    until("it has been idle for long", || rig.activity().idle_for_ms > 2000).await;
    assert!(!rig.exit.is_finished(), "sleep is the controller's to order");
    controller.answer.lock().unwrap().0 = 500;
    assert_eq!(rig.ends().await, Exit::Idle);
}

//! The sidecar in-process.

use crate::support::{Controller, Server, soon, until};
use dormouse_peer::exit::Exit;
use dormouse_peer::stop::Stop;
use dormouse_peer::wire::{Answer, PeerAddress, SidecarState};
use dormouse_service::serve::serve;
use dormouse_service::settings::Settings;
use std::path::PathBuf;
use std::sync::atomic::Ordering::SeqCst;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

struct Rig {
    stop: mpsc::Sender<()>,
    exit: JoinHandle<Exit>,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn start(container: &Server, extra: &[(&str, &str)]) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shutdown");
        let port = container.port();
        let source = |name: &str| match name {
            "SERVICE_PORT" => Some(port.clone()),
            "SHUTDOWN_FILE" => Some(file.display().to_string()),
            // Tests run side by side.
            "SLEEP_PORT" if extra.iter().all(|(n, _)| *n != "SLEEP_PORT") => Some("0".to_owned()),
            _ => extra.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
        };
        let settings = Settings::read(&source).unwrap();
        let (stop, asked) = Stop::by_hand();
        Rig { stop, exit: tokio::spawn(serve(settings, asked)), file, _dir: dir }
    }

    /// Stand-alone, with this proxy.
    fn beside(container: &Server, proxy: &Server, extra: &[(&str, &str)]) -> Rig {
        let port = proxy.port();
        let mut all = extra.to_vec();
        all.extend([
            ("PROXY_HOST", "127.0.0.1"),
            ("PROXY_PORT", port.as_str()),
            ("HEALTH_CHECK_BASE_INTERVAL", "40"),
            ("MAX_HEALTH_CHECK_FAILURES", "3"),
        ]);
        Rig::start(container, &all)
    }

    /// Under this controller.
    fn under(container: &Server, controller: &Controller, extra: &[(&str, &str)]) -> Rig {
        let url = format!("http://{}/", controller.address);
        let mut all = extra.to_vec();
        all.extend([
            ("DORMOUSE_CONTROLLER_URL", url.as_str()),
            ("DORMOUSE_TASK_TOKEN", "secret"),
            ("HEALTH_CHECK_BASE_INTERVAL", "40"),
        ]);
        Rig::start(container, &all)
    }

    async fn ends(self) -> Exit {
        soon("the sidecar ends", self.exit).await.unwrap()
    }
}

fn place(server: &Server) -> Option<PeerAddress> {
    Some(PeerAddress { host: "127.0.0.1".into(), port: server.address.port() })
}

fn answer(peer: Option<PeerAddress>) -> Answer {
    Answer { peer, drain: false, interval_ms: 100, controllers: Vec::new() }
}

#[tokio::test]
async fn it_reports_its_container_and_its_proxy() {
    let (container, proxy) = (Server::start(0).await, Server::start(200).await);
    let controller = Controller::start(answer(None)).await;
    let rig = Rig::under(&container, &controller, &[("HEALTH_CHECK_TIMEOUT_MS", "50")]);
    controller.hears("why it starts", |h| h.detail.as_ref().is_some_and(|d| d.contains("no answer"))).await;
    controller.hears("it starts", |h| h.state == SidecarState::Starting && h.peer.is_none()).await;
    container.status.store(404, SeqCst);
    controller.hears("it serves", |h| h.state == SidecarState::Serving && h.detail.is_none()).await;
    controller.say(|answer| answer.peer = place(&proxy));
    controller.hears("its proxy is healthy", |h| h.peer.is_some_and(|p| p.healthy)).await;
    rig.stop.send(()).await.unwrap();
    assert_eq!(rig.ends().await, Exit::Asked);
    controller.hears("the farewell", |h| h.state == SidecarState::Stopping).await;
}

#[tokio::test]
async fn a_container_that_answers_no_more_is_said_to_be_down_and_then_lost() {
    let container = Server::start(200).await;
    let controller = Controller::start(answer(None)).await;
    let rig = Rig::under(&container, &controller, &[("MAX_HEALTH_CHECK_FAILURES", "40")]);
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    container.status.store(500, SeqCst);
    controller.hears("it is down", |h| h.state == SidecarState::Starting && h.detail.is_some()).await;
    container.status.store(200, SeqCst);
    controller.hears("it serves again", |h| h.state == SidecarState::Serving).await;
    container.status.store(503, SeqCst);
    assert_eq!(rig.ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn a_lost_proxy_ends_it_and_a_draining_one_does_not() {
    let container = Server::start(200).await;
    let draining = Server::saying(503, "x-dormouse-state: draining\r\n").await;
    let controller = Controller::start(answer(place(&draining))).await;
    let rig = Rig::under(&container, &controller, &[("MAX_HEALTH_CHECK_FAILURES", "3")]);
    controller.hears("a lame duck is healthy", |h| h.peer.is_some_and(|p| p.healthy)).await;
    // 404 has no such state: whoever is at that address now, it is no proxy.
    draining.status.store(404, SeqCst);
    assert_eq!(rig.ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn another_proxy_takes_over() {
    let (container, first, second) =
        (Server::start(200).await, Server::start(200).await, Server::start(200).await);
    let controller = Controller::start(answer(place(&first))).await;
    let rig = Rig::under(&container, &controller, &[("MAX_HEALTH_CHECK_FAILURES", "50")]);
    controller.hears("the first is healthy", |h| h.peer.is_some_and(|p| p.healthy)).await;
    drop(first);
    controller.hears("the first is gone", |h| h.peer.is_some_and(|p| p.failures > 0)).await;
    controller.say(|answer| answer.peer = place(&second));
    controller.hears("the second is healthy", |h| h.peer.is_some_and(|p| p.healthy)).await;
    assert!(!rig.exit.is_finished());
}

#[tokio::test]
async fn the_file_ends_one_that_stands_alone() {
    let (container, proxy) = (Server::start(200).await, Server::start(200).await);
    let rig = Rig::beside(&container, &proxy, &[]);
    std::fs::write(&rig.file, "").unwrap();
    let file = rig.file.clone();
    assert_eq!(soon("the sidecar ends", rig.exit).await.unwrap(), Exit::Asked);
    assert!(!file.exists(), "the next life does not begin with it");
}

#[tokio::test]
async fn the_file_asks_the_controller() {
    let container = Server::start(200).await;
    let controller = Controller::start(answer(None)).await;
    let rig = Rig::under(&container, &controller, &[]);
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    std::fs::write(&rig.file, "batch finished\n").unwrap();
    controller.hears("the wish", |h| h.sleep_requested.as_deref() == Some("batch finished")).await;
    until("the file is gone", || !rig.file.exists()).await;
    // Woken again meanwhile: the wish does not come back by itself.
    controller.hears("no wish any more", |h| h.sleep_requested.is_none()).await;
    assert!(!rig.exit.is_finished(), "sleep is the controller's to order");
    rig.stop.send(()).await.unwrap();
    assert_eq!(rig.ends().await, Exit::Asked);
    assert!(controller.all().windows(2).all(|two| two[0].seq < two[1].seq));
}

#[tokio::test]
async fn nobody_says_where_the_proxy_is() {
    let container = Server::start(200).await;
    let alone = [
        ("DORMOUSE_CONTROLLER_URL", "http://127.0.0.1:1"),
        ("DORMOUSE_TASK_TOKEN", "secret"),
        ("HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS", "100"),
    ];
    assert_eq!(Rig::start(&container, &alone).ends().await, Exit::PeerLost);
}

#[tokio::test]
async fn a_busy_container_is_told_of() {
    let container = Server::start(200).await;
    let controller = Controller::start(answer(None)).await;
    // The server says the request's first line: no word that means anything.
    let rig = Rig::under(&container, &controller, &[("BUSY_PATH", "/busy")]);
    controller.hears("it is not busy", |h| h.busy == Some(false)).await;
    rig.stop.send(()).await.unwrap();
    assert_eq!(rig.ends().await, Exit::Asked);
    let busy = Server::answering("busy\n").await;
    let rig = Rig::under(&busy, &controller, &[("BUSY_PATH", "/busy")]);
    controller.hears("it is busy", |h| h.busy == Some(true)).await;
    busy.status.store(404, SeqCst);
    controller.hears("only 200 counts", |h| h.busy == Some(false)).await;
    assert!(!rig.exit.is_finished());
}

#[tokio::test]
async fn nobody_is_asked_without_a_path() {
    let container = Server::answering("busy").await;
    let controller = Controller::start(answer(None)).await;
    let _rig = Rig::under(&container, &controller, &[]);
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    assert!(controller.all().iter().all(|heartbeat| heartbeat.busy.is_none()));
}

/// Asks for sleep at this port, over a connection of its own; gives the status.
async fn ask(port: u16, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn free_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_call_asks_for_sleep_as_the_file_does() {
    let container = Server::start(200).await;
    let controller = Controller::start(answer(None)).await;
    let port = free_port().await;
    let rig = Rig::under(&container, &controller, &[("SLEEP_PORT", &port.to_string())]);
    controller.hears("it serves", |h| h.state == SidecarState::Serving).await;
    for (request, status) in [
        ("GET /sleep HTTP/1.1\r\nhost: localhost\r\n\r\n", "405"),
        ("POST /other HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n", "404"),
        ("POST /sleep HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\n\r\n", "403"),
        ("POST /sleep HTTP/1.1\r\nhost: localhost\r\norigin: http://a\r\ncontent-length: 0\r\n\r\n", "403"),
        ("POST /sleep HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: x\r\n\r\n", "400"),
    ] {
        assert_eq!(ask(port, request).await, status, "{request}");
    }
    let long = format!(
        "POST /sleep HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\n\r\n{}",
        "x".repeat(5000)
    );
    assert_eq!(ask(port, &long).await, "413");
    assert!(controller.all().iter().all(|heartbeat| heartbeat.sleep_requested.is_none()));
    let wish = "POST /sleep HTTP/1.1\r\nhost: 127.0.0.1:9051\r\ncontent-length: 9\r\n\r\nall\u{7} done";
    assert_eq!(ask(port, wish).await, "202");
    controller.hears("the wish", |h| h.sleep_requested.as_deref() == Some("all done")).await;
    controller.hears("no wish any more", |h| h.sleep_requested.is_none()).await;
    assert!(!rig.exit.is_finished(), "sleep is the controller's to order");
}

#[tokio::test]
async fn a_call_ends_one_that_stands_alone() {
    let (container, proxy) = (Server::start(200).await, Server::start(200).await);
    let port = free_port().await;
    let rig = Rig::beside(&container, &proxy, &[("SLEEP_PORT", &port.to_string())]);
    let request = "POST /sleep HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
    assert_eq!(ask(port, request).await, "202");
    assert_eq!(rig.ends().await, Exit::Asked);
}

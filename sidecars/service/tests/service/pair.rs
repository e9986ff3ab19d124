//! The two real binaries, without a controller, as in the compose file.

use crate::support::{Server, soon};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

/// The proxy's binary. Cargo builds a test's own package only, so it is asked for the neighbour.
async fn proxy() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_dormouse-service")).parent().unwrap();
    let profile = match beside.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "dormouse-proxy", "--profile", profile, "--target-dir"]);
    let built = cargo.arg(beside.parent().unwrap()).kill_on_drop(true).status().await.unwrap();
    assert!(built.success());
    beside.join("dormouse-proxy")
}

type Log = Lines<BufReader<ChildStderr>>;

fn run(binary: &Path, env: &[(&str, &str)]) -> (Child, Log) {
    let mut command = Command::new(binary);
    command.env_clear().envs(env.iter().copied()).kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

async fn says(log: &mut Log, words: &str) -> String {
    loop {
        let line = soon(words, log.next_line()).await.unwrap();
        let line = line.unwrap_or_else(|| panic!("ended without saying {words:?}"));
        if line.contains(words) {
            return line;
        }
    }
}

struct Pair {
    proxy: Child,
    service: Child,
    address: String,
    container: Server,
    dir: tempfile::TempDir,
}

async fn pair() -> Pair {
    let container = Server::start(200).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shutdown").display().to_string();
    let port = container.port();
    let binary = proxy().await;
    let (proxy, mut log) = run(
        &binary,
        &[
            ("LISTEN_ADDRESS", "127.0.0.1"),
            ("PROXY_PORT", "0"),
            ("UPSTREAM_HOST", "127.0.0.1"),
            ("UPSTREAM_PORT", &port),
            ("HEALTH_CHECK_BASE_INTERVAL", "50"),
            ("MAX_HEALTH_CHECK_FAILURES", "3"),
        ],
    );
    let line: serde_json::Value = serde_json::from_str(&says(&mut log, "listens").await).unwrap();
    let address = line["listen"].as_str().unwrap().to_owned();
    let (_, proxy_port) = address.rsplit_once(':').unwrap();
    let (service, mut service_log) = run(
        Path::new(env!("CARGO_BIN_EXE_dormouse-service")),
        &[
            ("SERVICE_PORT", &port),
            ("PROXY_HOST", "127.0.0.1"),
            ("PROXY_PORT", proxy_port),
            ("SHUTDOWN_FILE", &file),
            ("HEALTH_CHECK_BASE_INTERVAL", "50"),
            ("MAX_HEALTH_CHECK_FAILURES", "3"),
        ],
    );
    says(&mut service_log, "the proxy is healthy").await;
    says(&mut log, "the service is healthy").await;
    // Whoever closes its end of the pipe would have the other one's log line fail.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    tokio::spawn(async move { while let Ok(Some(_)) = service_log.next_line().await {} });
    Pair { proxy, service, address, container, dir }
}

async fn code(child: &mut Child) -> Option<i32> {
    soon("it ends", child.wait()).await.unwrap().code()
}

#[tokio::test]
async fn traffic_goes_through_and_one_half_follows_the_other() {
    let mut pair = pair().await;
    let mut client = TcpStream::connect(&pair.address).await.unwrap();
    client.write_all(b"GET /hello HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("the answer", client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("GET /hello HTTP/1.1"), "{answer}");
    pair.proxy.start_kill().unwrap();
    assert_eq!(code(&mut pair.service).await, Some(10), "its proxy is lost");
}

#[tokio::test]
async fn the_containers_end_ends_both() {
    let mut pair = pair().await;
    drop(pair.container);
    assert_eq!(code(&mut pair.proxy).await, Some(10));
    assert_eq!(code(&mut pair.service).await, Some(10));
}

#[tokio::test]
async fn the_container_can_ask_for_its_sleep() {
    let mut pair = pair().await;
    std::fs::write(pair.dir.path().join("shutdown"), "").unwrap();
    assert_eq!(code(&mut pair.service).await, Some(0));
    drop(pair.container);
    assert_eq!(code(&mut pair.proxy).await, Some(10));
}

#[tokio::test]
async fn a_frozen_proxy_is_lost() {
    let mut pair = pair().await;
    let id = pair.proxy.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "STOP", &id]).status().await.unwrap().success());
    assert_eq!(code(&mut pair.service).await, Some(10));
}

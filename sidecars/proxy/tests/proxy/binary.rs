//! The real binary: its exit codes, and what it says.

use crate::support::{Client, Service, soon};
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

fn binary(env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse-proxy"));
    command.env_clear().envs(env.iter().copied()).kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    soon("it ends", binary(env).args(args).output()).await.unwrap()
}

/// A running one: its address, and the rest of its log.
pub async fn running(env: &[(&str, &str)]) -> (Child, SocketAddr, tokio::io::Lines<BufReader<ChildStderr>>) {
    let mut all = vec![("LISTEN_ADDRESS", "127.0.0.1"), ("PROXY_PORT", "0")];
    all.extend(env);
    let mut child = binary(&all).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = soon("it listens", lines.next_line()).await.unwrap().unwrap();
        let line: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        if let Some(address) = line["listen"].as_str() {
            return (child, address.parse().unwrap(), lines);
        }
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let good = ("UPSTREAM_HOST", "demo");
    for (env, words) in [
        (vec![], vec!["UPSTREAM_HOST is missing"]),
        (vec![good, ("PROXY_PORT", "http")], vec!["PROXY_PORT=\"http\"", "from 0 to 65535"]),
        (vec![good, ("PROTOCOL", "udp")], vec!["PROTOCOL=\"udp\"", "http, h2c or tcp"]),
        (vec![good, ("DORMOUSE_CONTROLLER_URL", "https://c")], vec!["DORMOUSE_TASK_TOKEN is missing"]),
        (
            vec![("DORMOUSE_CONTROLLER_URL", "https://c"), ("DORMOUSE_TASK_TOKEN", "secret")],
            vec!["DORMOUSE_CONTROLLER_URL=\"https://c\"", "http://HOST"],
        ),
    ] {
        let output = output(&[], &env).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{env:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{env:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    assert_eq!(output(&["serve"], &[good]).await.status.code(), Some(2));
}

#[tokio::test]
async fn help_names_every_setting() {
    let help = output(&["--help"], &[]).await;
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    for name in ["UPSTREAM_HOST", "IDLE_AFTER_MS", "DRAIN_MS", "DORMOUSE_TASK_TOKEN", "healthcheck"] {
        assert!(help.contains(name), "{name}");
    }
    let version = output(&["--version"], &[]).await;
    assert_eq!(version.stdout, concat!("dormouse-proxy ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
}

#[tokio::test]
async fn it_serves_is_checked_and_stops_when_asked() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let port = service.address.port().to_string();
    for signal in ["TERM", "INT"] {
        let (mut child, address, _lines) = running(&[
            ("UPSTREAM_HOST", "localhost"),
            ("UPSTREAM_PORT", &port),
            ("HEALTH_CHECK_PATH", "/probe"),
        ])
        .await;
        let mut client = Client::connect(address).await;
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
        let at = address.port().to_string();
        let check = [("PROXY_PORT", at.as_str())];
        assert_eq!(output(&["healthcheck"], &check).await.status.code(), Some(0));
        drop(client);
        kill(signal, &child).await;
        assert_eq!(soon("it ends", child.wait()).await.unwrap().code(), Some(0));
        assert_eq!(output(&["healthcheck"], &check).await.status.code(), Some(1));
    }
}

#[tokio::test]
async fn a_lost_service_is_exit_10() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let port = service.address.port().to_string();
    let (mut child, address, _lines) = running(&[
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", &port),
        ("HEALTH_CHECK_BASE_INTERVAL", "30"),
        ("HEALTH_CHECK_PATH", "/probe"),
    ])
    .await;
    let mut client = Client::connect(address).await;
    loop {
        client.send("GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
        if client.answer().await.header("x-dormouse-upstream") == Some("ok") {
            break;
        }
    }
    drop(service);
    assert_eq!(soon("it ends", child.wait()).await.unwrap().code(), Some(10));
}

#[tokio::test]
async fn a_log_that_nobody_reads_ends_nothing() {
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let port = service.address.port().to_string();
    let env = [
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", port.as_str()),
        ("HEALTH_CHECK_PATH", "/probe"),
        ("HEALTH_CHECK_BASE_INTERVAL", "10"),
        ("DORMOUSE_LOG", "trace"),
    ];
    let (mut child, address, lines) = running(&env).await;
    drop(lines);
    for _ in 0..20 {
        let mut client = Client::connect(address).await;
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
    }
    kill("TERM", &child).await;
    assert_eq!(soon("it ends", child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_taken_port_is_exit_1() {
    let service = Service::echo().await;
    let port = service.address.port().to_string();
    let taken = [("UPSTREAM_HOST", "demo"), ("LISTEN_ADDRESS", "127.0.0.1"), ("PROXY_PORT", port.as_str())];
    let output = output(&[], &taken).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot listen at 127.0.0.1:"));
}

async fn kill(signal: &str, child: &Child) {
    let id = child.id().unwrap().to_string();
    let status = Command::new("kill").args(["-s", signal, &id]).status().await.unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn ten_thousand_idle_connections_cost_little() {
    const CONNECTIONS: usize = 9_900;
    let service = Service::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let port = service.address.port().to_string();
    let env = [
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", port.as_str()),
        ("HEALTH_CHECK_PATH", "/probe"),
        ("DORMOUSE_LOG", "info"),
    ];
    let (child, address, _lines) = running(&env).await;
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    let before = resident();
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(address).await;
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok");
        clients.push(client);
    }
    let each = (resident() - before) * 1024 / CONNECTIONS;
    assert!(each < 4096, "{each} bytes each");
    for client in clients.iter_mut().step_by(1000) {
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert_eq!(client.answer().await.text(), "ok", "and they are as good as before");
    }
}

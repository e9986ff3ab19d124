//! The real binary: its exit codes, and what it says.

use crate::support::{Server, soon};
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

fn binary(env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse-service"));
    command.env_clear().envs(env.iter().copied()).kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    soon("it ends", binary(env).args(args).output()).await.unwrap()
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    for (env, words) in [
        (vec![], vec!["PROXY_HOST is missing"]),
        (vec![("PROXY_HOST", "p"), ("SERVICE_PORT", "x")], vec!["SERVICE_PORT=\"x\"", "from 1 to 65535"]),
        (vec![("PROXY_HOST", "p"), ("SHUTDOWN_FILE", "here")], vec!["SHUTDOWN_FILE=\"here\"", "absolute"]),
        (
            vec![("DORMOUSE_CONTROLLER_URL", "c:9070"), ("DORMOUSE_TASK_TOKEN", "secret")],
            vec!["DORMOUSE_CONTROLLER_URL=\"c:9070\"", "http://HOST"],
        ),
    ] {
        let output = output(&[], &env).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{env:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{env:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    assert_eq!(output(&["--no-such"], &[]).await.status.code(), Some(2));
    assert_eq!(output(&["--help"], &[]).await.status.code(), Some(0));
    assert_eq!(output(&["--version"], &[]).await.status.code(), Some(0));
}

#[tokio::test]
async fn healthcheck_is_the_containers() {
    let container = Server::start(302).await;
    let port = container.port();
    let check = async || output(&["healthcheck"], &[("SERVICE_PORT", &port)]).await.status.code();
    assert_eq!(check().await, Some(0));
    container.status.store(502, SeqCst);
    assert_eq!(check().await, Some(1));
    drop(container);
    assert_eq!(check().await, Some(1));
}

#[tokio::test]
async fn it_stops_when_asked_and_ends_when_its_proxy_is_lost() {
    for (lost, code) in [(false, 0), (true, 10)] {
        let (container, proxy) = (Server::start(200).await, Server::start(200).await);
        let (service_port, proxy_port) = (container.port(), proxy.port());
        let env = [
            ("SERVICE_PORT", service_port.as_str()),
            ("PROXY_PORT", proxy_port.as_str()),
            ("PROXY_HOST", "127.0.0.1"),
            ("HEALTH_CHECK_BASE_INTERVAL", "30"),
            ("DORMOUSE_LOG_FORMAT", "text"),
        ];
        let mut child = binary(&env).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while let Some(line) = soon("its proxy is healthy", lines.next_line()).await.unwrap() {
            if line.contains("the proxy is healthy") {
                break;
            }
        }
        if lost {
            drop(proxy);
        } else {
            let id = child.id().unwrap().to_string();
            assert!(Command::new("kill").args(["-s", "TERM", &id]).status().await.unwrap().success());
        }
        assert_eq!(soon("it ends", child.wait()).await.unwrap().code(), Some(code));
    }
}

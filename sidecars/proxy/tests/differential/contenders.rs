//! Who is compared: the proxy as a program, a small forwarder on hyper, and nginx where it is installed. Each has a
//! recorder of its own behind it.

use crate::forwarder;
use crate::recorder::Recorder;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Proxy,
    Hyper,
    Nginx,
}

pub struct Contender {
    pub who: Who,
    pub address: SocketAddr,
    pub recorder: Recorder,
    child: Option<Child>,
    _directory: Option<TempDir>,
    _port: Option<OwnedFd>,
}

/// All that are there; the proxy comes first.
pub fn all() -> Vec<Contender> {
    let mut all = vec![proxy(), hyper()];
    match nginx() {
        Some(nginx) => all.push(nginx),
        None => eprintln!("nginx is not installed: the proxy is compared with hyper alone"),
    }
    all
}

fn proxy() -> Contender {
    let recorder = Recorder::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dormouse-proxy"))
        .env_clear()
        .envs([
            ("UPSTREAM_HOST", "127.0.0.1"),
            ("UPSTREAM_PORT", &recorder.address.port().to_string()),
            ("LISTEN_ADDRESS", "127.0.0.1"),
            ("PROXY_PORT", "0"),
            ("HEALTH_CHECK_PATH", "/probe"),
            ("DORMOUSE_LOG_FORMAT", "json"),
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if let Some(address) = line["listen"].as_str() {
            break address.parse().unwrap();
        }
    };
    // Somebody must read on, or it would wait for that.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok).filter(|line| line.contains("panicked")) {
            eprintln!("{line}");
        }
    });
    Contender { who: Who::Proxy, address, recorder, child: Some(child), _directory: None, _port: None }
}

fn hyper() -> Contender {
    let recorder = Recorder::start();
    let address = forwarder::start(recorder.address);
    Contender { who: Who::Hyper, address, recorder, child: None, _directory: None, _port: None }
}

fn nginx_program() -> Option<&'static str> {
    let installed = |program: &&str| {
        Command::new(program).arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ["nginx", "/usr/sbin/nginx"].into_iter().find(installed)
}

fn nginx() -> Option<Contender> {
    let program = nginx_program()?;
    let recorder = Recorder::start();
    let directory = tempfile::tempdir().unwrap();
    let (held, address) = port();
    let config = directory.path().join("nginx.conf");
    std::fs::write(&config, nginx_config(directory.path(), address, recorder.address)).unwrap();
    let child = Command::new(program)
        .args(["-e", "stderr", "-p"])
        .arg(directory.path())
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let nginx = Contender {
        who: Who::Nginx,
        address,
        recorder,
        child: Some(child),
        _directory: Some(directory),
        _port: Some(held),
    };
    let end = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < end, "nginx did not start");
        thread::sleep(Duration::from_millis(5));
    }
    Some(nginx)
}

/// A port for nginx, which can't choose one itself. It is held, not only looked up: set free, it would now and then be
/// given to another lane's contender, which this lane would then take for its nginx.
fn port() -> (OwnedFd, SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket, sockopt::set_socket_reuseport};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    set_socket_reuseport(&held, true).unwrap();
    bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = SocketAddr::try_from(getsockname(&held).unwrap()).unwrap();
    (held, address)
}

fn nginx_config(at: &Path, address: SocketAddr, service: SocketAddr) -> String {
    let at = at.display();
    // One process, so that it ends with its test.
    format!(
        "daemon off; master_process off; worker_processes 1; pid {at}/pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
    upstream service {{ server {service} max_fails=0; keepalive 16; }}
    server {{
        listen {address} reuseport;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}

impl Drop for Contender {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

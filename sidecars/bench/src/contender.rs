//! A proxy as a process on a core of its own.

use crate::cpu::{Tree, pin};
use crate::nginx::{self, Setup};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a proxy may take to listen.
const START: Duration = Duration::from_secs(10);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// The proxy.
    Proxy,
    /// The same program once more: what it differs by is noise.
    Control,
    /// Another build of it.
    Before,
    /// nginx.
    Nginx(Setup),
}

impl Who {
    /// As tables say it.
    pub fn name(self) -> &'static str {
        match self {
            Who::Proxy => "proxy",
            Who::Control => "control",
            Who::Before => "before",
            Who::Nginx(Setup::Tuned) => "nginx tuned",
            Who::Nginx(Setup::Replaced) => "nginx as replaced",
            Who::Nginx(Setup::Large) => "nginx large bodies",
            Who::Nginx(Setup::Unspooled) => "nginx without files",
        }
    }
}

/// Where everything runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The proxy's program.
    pub proxy: PathBuf,
    /// Its other build.
    pub before: Option<PathBuf>,
    /// nginx's program.
    pub nginx: PathBuf,
    /// Port of the service, on 127.0.0.1.
    pub service: u16,
    /// The proxies' core.
    pub core: usize,
    /// Core of load and service, which this process runs on.
    pub load_core: usize,
}

/// A running one. It ends when this is dropped.
#[derive(Debug)]
pub struct Contender {
    /// Who it is.
    pub who: Who,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its processes.
    pub tree: Tree,
    child: Child,
    directory: TempDir,
}

impl Contender {
    /// Starts it, and waits until it listens.
    pub fn start(who: Who, place: &Place) -> Contender {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let mut command = match who {
            Who::Nginx(setup) => nginx_command(setup, place, directory.path(), port),
            Who::Before => proxy_command(place.before.as_deref().expect("another build"), place, port),
            Who::Proxy | Who::Control => proxy_command(&place.proxy, place, port),
        };
        let log = File::create(directory.path().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // A child runs where its parent does.
        pin(place.core);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        pin(place.load_core);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let tree = Tree::of(child.id());
        let mut contender = Contender { who, address, tree, child, directory };
        contender.wait();
        contender
    }

    fn wait(&mut self) {
        let end = Instant::now() + START;
        loop {
            if TcpStream::connect(self.address).is_ok() {
                self.tree = Tree::of(self.child.id());
                // nginx's first process listens before it has started its worker.
                if !matches!(self.who, Who::Nginx(_)) || self.tree.processes() > 1 {
                    return;
                }
            }
            let ended = self.child.try_wait().expect("its state");
            if ended.is_some() || Instant::now() > end {
                panic!("{} did not start:\n{}", self.who.name(), self.log());
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// The last it said.
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        let text = read("log") + &read("error.log");
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // nginx's first process takes its worker with it only when it is asked.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
            }
            sleep(Duration::from_millis(5));
        }
    }
}

fn proxy_command(program: &Path, place: &Place, port: u16) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", &place.service.to_string()),
        ("LISTEN_ADDRESS", "127.0.0.1"),
        ("PROXY_PORT", &port.to_string()),
        // No client is left when it is asked to stop.
        ("DRAIN_MS", "0"),
    ]);
    command
}

fn nginx_command(setup: Setup, place: &Place, directory: &Path, port: u16) -> Command {
    let config = directory.join("nginx.conf");
    let root = rustix::process::geteuid().is_root();
    fs::write(&config, nginx::config(setup, directory, port, place.service, root))
        .expect("its configuration");
    let mut command = Command::new(&place.nginx);
    command.arg("-p").arg(directory).arg("-c").arg(config).arg("-e").arg(directory.join("error.log"));
    command
}

/// A port that nobody has. Somebody else may take it before it is used; then the start fails and says so.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

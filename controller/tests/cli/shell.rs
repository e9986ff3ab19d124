//! The built program, beside a server in this process.

use super::testing::{FakeLogs, FakePlane, asleep, awake, wrote};
use dormouse::api::{Options, router, serve};
use dormouse::config::Secret;
use dormouse::plane::Plane;
use dormouse::serve::Grace;
use dormouse::tokens::Tokens;
use dormouse::waker::Waker;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub const TOKEN: &str = "an-api-token";

/// A server, and the program beside it.
pub struct Shell {
    pub plane: Arc<FakePlane>,
    pub logs: Arc<FakeLogs>,
    server: String,
    _runtime: tokio::runtime::Runtime,
}

pub fn shell() -> Shell {
    shell_with(None)
}

pub fn shell_with(token: Option<&str>) -> Shell {
    let plane = FakePlane::new([asleep("hello"), awake("up")]);
    let logs = FakeLogs::new([
        wrote(400, "up/app/0f0f0f0f0f0f", "of the wake before"),
        wrote(200, "up/app/1a2b3c4d5e6f", "listening on 9050\n"),
        wrote(100, "up/dormouse-proxy/9a8b7c6d5e4f", "serving"),
        wrote(50, "up/dormouse-service/1a2b3c4d5e6f", "the proxy is well"),
    ]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port: Arc<dyn Plane> = Arc::<FakePlane>::clone(&plane);
    let options = Options {
        tokens: token.map(|token| Tokens::admin(Secret::new(token))).unwrap_or_default(),
        logs: Some(logs.reader()),
        ..Options::default()
    };
    let api = router(Arc::clone(&port), Waker::new(port), options);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(serve(listener, api, CancellationToken::new(), Grace::of(Duration::ZERO)));
    Shell { plane, logs, server, _runtime: runtime }
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.env_clear().stdin(Stdio::null());
    command
}

impl Shell {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env("DORMOUSE_SERVER", &self.server).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Starts what goes on.
    pub fn follow(&self, arguments: &[&str]) -> Followed {
        Followed::of(self.command(arguments))
    }

    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails unless it ended so.
    #[track_caller]
    pub fn with(self, code: i32, stdout: &str, stderr: &str) -> Ran {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stdout.contains(stdout), "{self:?}");
        assert!(self.stderr.contains(stderr), "{self:?}");
        assert!(!stdout.is_empty() || self.stdout.is_empty() || code == 0, "data of a failure: {self:?}");
        self
    }
}

/// The program while it goes on.
pub struct Followed {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Followed {
    fn of(mut command: Command) -> Followed {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Followed { child, stdout, stderr }
    }

    /// The next line of its data.
    pub fn shows(&mut self) -> String {
        self.stdout.next().unwrap().unwrap()
    }

    /// The next line of what it says beside that.
    pub fn says(&mut self) -> String {
        self.stderr.next().unwrap().unwrap()
    }

    /// Waits for its end; what it had not said yet is in the answer.
    pub fn ends(mut self) -> Ran {
        let rest = |lines: &mut dyn Iterator<Item = std::io::Result<String>>| {
            lines.map(|line| line.unwrap() + "\n").collect()
        };
        let (stdout, stderr) = (rest(&mut self.stdout), rest(&mut self.stderr));
        Ran { code: self.child.wait().unwrap().code().unwrap(), stdout, stderr }
    }

    /// Ends it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

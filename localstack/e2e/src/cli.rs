//! The command line, as a user types it.

use crate::controller::Controller;
use crate::paths::program;
use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a command said and did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\nout: {}\nerr: {}", self.code, self.out, self.err)
    }
}

impl Outcome {
    /// Its output.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn fine(self) -> String {
        assert_eq!(self.code, 0, "{self}");
        self.out
    }
}

/// Runs `dormouse` without a server.
#[track_caller]
pub fn run(arguments: &[&str], input: &str) -> Outcome {
    command("http://127.0.0.1:9", arguments, input)
}

/// Runs `dormouse` against a controller.
#[track_caller]
pub fn with(controller: &Controller, arguments: &[&str]) -> Outcome {
    command(&controller.url(), arguments, "")
}

/// Runs `dormouse` against a controller, with an input.
#[track_caller]
pub fn with_input(controller: &Controller, arguments: &[&str], input: &str) -> Outcome {
    command(&controller.url(), arguments, input)
}

#[track_caller]
fn command(server: &str, arguments: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(program("dormouse"))
        .args(arguments)
        .env_clear()
        .env("DORMOUSE_SERVER", server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command line starts");
    let mut stdin = child.stdin.take().expect("it has an input");
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

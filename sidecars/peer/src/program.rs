//! A sidecar's command line: nothing, `healthcheck`, `--help` or `--version`.

use crate::exit::Exit;
use crate::settings::Wrong;
use std::io::{self, Write};

/// What a program says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What `--help` prints.
    pub help: &'static str,
}

/// What a program is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// To run.
    Start,
    /// To check a running one.
    Healthcheck,
    /// For nothing more than what was printed.
    Answered(Exit),
}

impl Program {
    /// Reads the arguments (without the program's name); answers what needs no more than a text.
    pub fn call(&self, args: &[String]) -> Call {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match args.as_slice() {
            [] => Call::Start,
            ["healthcheck"] => Call::Healthcheck,
            ["--help" | "-h" | "help"] => Call::Answered(print(self.help)),
            ["--version" | "-V"] => Call::Answered(print(&format!("{} {}\n", self.name, self.version))),
            other => {
                let other = other.join(" ");
                self.complain(&format!(
                    "{other:?} is not accepted: give nothing, healthcheck, --help or --version"
                ));
                Call::Answered(Exit::Wrong)
            }
        }
    }

    /// Says on stderr which setting is wrong.
    pub fn misconfigured(&self, wrong: &Wrong) -> Exit {
        self.complain(&wrong.to_string());
        Exit::Wrong
    }

    /// Says something on stderr, with the program's name.
    pub fn complain(&self, message: &str) {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(io::stderr(), "{}: {message}", self.name);
    }
}

fn print(text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Asked,
        Err(_) => Exit::Failed,
    }
}

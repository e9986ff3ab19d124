//! The command line: run, or check the user's container once.

use crate::container;
use crate::serve::serve;
use crate::settings::{Container, Settings};
use dormouse_peer::exit::Exit;
use dormouse_peer::settings::{Source, Wrong};
use dormouse_peer::stop::Stop;
use std::io::{self, Write};

const HELP: &str = include_str!("help.txt");

/// Does what the arguments (without the program's name) say.
pub async fn run(args: &[String], source: &dyn Source) -> Exit {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => start(source).await,
        ["healthcheck"] => healthcheck(source).await,
        ["--help" | "-h" | "help"] => print(HELP),
        ["--version" | "-V"] => print(concat!("dormouse-service ", env!("CARGO_PKG_VERSION"), "\n")),
        other => {
            let other = other.join(" ");
            complain(&format!("{other:?} is not accepted: give nothing, healthcheck, --help or --version"));
            Exit::Wrong
        }
    }
}

async fn start(source: &dyn Source) -> Exit {
    let settings = match Settings::read(source) {
        Ok(settings) => settings,
        Err(wrong) => return misconfigured(&wrong),
    };
    settings.common.log.clone().start();
    match Stop::signals() {
        Ok(stop) => {
            tracing::info!(
                container = settings.container.port,
                service = settings.common.service_name,
                domain = settings.common.domain,
                version = env!("CARGO_PKG_VERSION"),
                "dormouse-service watches"
            );
            serve(settings, stop).await
        }
        Err(error) => {
            complain(&format!("cannot listen for signals: {error}"));
            Exit::Failed
        }
    }
}

async fn healthcheck(source: &dyn Source) -> Exit {
    let container = match Container::read(source) {
        Ok(container) => container,
        Err(wrong) => return misconfigured(&wrong),
    };
    match container::check(&container, &container.addresses).await {
        Ok(_) => Exit::Asked,
        Err(error) => {
            complain(&format!("unhealthy: {error}"));
            Exit::Failed
        }
    }
}

fn misconfigured(wrong: &Wrong) -> Exit {
    complain(&wrong.to_string());
    Exit::Wrong
}

fn complain(message: &str) {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(io::stderr(), "dormouse-service: {message}");
}

fn print(text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Asked,
        Err(_) => Exit::Failed,
    }
}

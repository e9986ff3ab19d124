//! From what was typed to what is done.

use super::args::{Cli, Command, EventsArgs, GetArgs, What};
use super::failure::Failure;
use super::output::Output;
use super::{apply, controller, cost, delete, describe, diff, doctor, flip, get, logs, manifests, why};
use crate::client::Client;
use crate::config::Secret;
use crate::exit::Exit;
use clap::{CommandFactory as _, Parser as _};
use std::process::ExitCode;
use std::time::Duration;

/// Less than the time that a health check is given.
const ALIVE_WITHIN: Duration = Duration::from_secs(4);

/// The program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data and go well; the rest is wrong usage.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return exit.into();
        }
    };
    let out = Output::new(cli.no_color.as_deref());
    let exit = match dispatch(cli, out) {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.words.is_empty() {
                out.say(&format!("error: {}", failure.words));
            }
            failure.exit
        }
    };
    exit.into()
}

fn dispatch(cli: Cli, out: Output) -> Result<Exit, Failure> {
    match cli.command {
        Command::Controller(args) => controller::run(&args, out),
        Command::Validate(args) => manifests::validate(&args, out),
        Command::Schema => {
            out.data(&format!("{:#}\n", dormouse_manifests::schema()));
            Ok(Exit::Done)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dormouse", &mut text);
            out.data(&String::from_utf8_lossy(&text));
            Ok(Exit::Done)
        }
        command => {
            let token = cli.server.token.filter(|token| !token.is_empty()).map(Secret::new);
            let client = Client::new(&cli.server.server, token)?;
            runtime()?.block_on(call(command, &client, out))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

async fn call(command: Command, client: &Client, out: Output) -> Result<Exit, Failure> {
    match command {
        Command::Apply(args) => apply::run(&args, client, out).await,
        Command::Diff(args) => diff::run(&args, client, out).await,
        Command::Get(line) => get::run(&line.into(), client, out).await,
        Command::Events(args) => {
            let EventsArgs { names, output } = args;
            let args =
                GetArgs { what: What::Events, is_bare: false, names, selector: None, output, watch: false };
            get::run(&args, client, out).await
        }
        Command::Describe(args) => describe::run(&args, client, out).await,
        Command::Logs(args) => logs::run(&args, client, out).await,
        Command::Cost(args) => cost::run(&args, client, out).await,
        Command::Doctor(args) => doctor::run(&args, client, out).await,
        Command::Why(args) => why::run(&args, client, out).await,
        Command::Wake(args) => flip::wake(&args, client, out).await,
        Command::Sleep(args) => flip::sleep(&args, client, out).await,
        Command::Delete(args) => delete::run(&args, client, out).await,
        // Container runtimes know two answers.
        Command::Healthcheck => match client.alive(ALIVE_WITHIN).await {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
        },
        Command::Controller(_) | Command::Validate(_) | Command::Schema | Command::Completions { .. } => {
            Ok(Exit::Done)
        }
    }
}

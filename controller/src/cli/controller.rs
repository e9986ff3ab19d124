//! `dormouse controller`.

use super::failure::Failure;
use super::output::Output;
use crate::config::{self, ControllerArgs, Log, LogFormat};
use crate::exit::Exit;
use crate::startup::WrongSettings;
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

pub(super) fn run(args: &ControllerArgs, out: Output) -> Result<Exit, Failure> {
    let config = match config::read(|variable| args.get(variable)) {
        Ok(config) => config,
        Err(wrong) => {
            for wrong in wrong {
                out.say(&format!("error: {wrong}"));
            }
            return Err(Failure::new(Exit::Usage, ""));
        }
    };
    log(&config.log, out);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    match runtime.block_on(crate::run::run(config)) {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let wrong = error.downcast_ref::<WrongSettings>().is_some();
            Err(Failure::new(if wrong { Exit::Usage } else { Exit::Failed }, format!("{error:#}")))
        }
    }
}

fn log(log: &Log, out: Output) {
    let text = match log.format {
        Some(format) => format == LogFormat::Text,
        None => io::stderr().is_terminal(),
    };
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&log.filter)).with_writer(io::stderr);
    // An error says that logging is set up already.
    let _ = if text {
        tracing::subscriber::set_global_default(subscriber.with_ansi(out.colours).finish())
    } else {
        tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish())
    };
}

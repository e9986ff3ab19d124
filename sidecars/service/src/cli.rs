//! The command line: run, or check the user's container once.

use crate::container;
use crate::serve::serve;
use crate::settings::{Container, Settings};
use dormouse_peer::exit::Exit;
use dormouse_peer::program::{Call, Program};
use dormouse_peer::settings::Source;
use dormouse_peer::stop::Stop;

const PROGRAM: Program =
    Program { name: "dormouse-service", version: env!("CARGO_PKG_VERSION"), help: include_str!("help.txt") };

/// Does what the arguments (without the program's name) say.
pub async fn run(args: &[String], source: &dyn Source) -> Exit {
    match PROGRAM.call(args) {
        Call::Start => start(source).await,
        Call::Healthcheck => healthcheck(source).await,
        Call::Answered(exit) => exit,
    }
}

async fn start(source: &dyn Source) -> Exit {
    let settings = match Settings::read(source) {
        Ok(settings) => settings,
        Err(wrong) => return PROGRAM.misconfigured(&wrong),
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
            PROGRAM.complain(&format!("cannot listen for signals: {error}"));
            Exit::Failed
        }
    }
}

async fn healthcheck(source: &dyn Source) -> Exit {
    let container = match Container::read(source) {
        Ok(container) => container,
        Err(wrong) => return PROGRAM.misconfigured(&wrong),
    };
    match container::check(&container, &container.addresses).await {
        Ok(_) => Exit::Asked,
        Err(error) => {
            PROGRAM.complain(&format!("unhealthy: {error}"));
            Exit::Failed
        }
    }
}

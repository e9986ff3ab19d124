//! `dormouse delete`.

use super::args::DeleteArgs;
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use super::templates;
use crate::client::{CallError, Client};
use crate::exit::Exit;
use dormouse_core::view::{ServiceView, TemplateView};
use http::{Method, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks whether it is gone.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &DeleteArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    for name in &args.names {
        if templates::named(name)?.is_none() {
            checked(name)?;
        }
    }
    let deadline = Instant::now() + args.wait.timeout;
    for name in &args.names {
        if let Some(template) = templates::named(name)? {
            let _: TemplateView = client.json(Method::DELETE, &templates::path(template)).await?;
            out.data(&format!("template/{template} is deleted; its services stay until they expire\n"));
            continue;
        }
        let _: ServiceView = client.json(Method::DELETE, &path(name)).await?;
        if !args.wait.wait {
            out.data(&format!("service/{name} is being deleted\n"));
        }
    }
    if args.wait.wait {
        for name in args.names.iter().filter(|name| !name.contains('/')) {
            gone(name, deadline, client).await?;
            out.data(&format!("service/{name} is deleted\n"));
        }
    }
    Ok(Exit::Done)
}

fn path(name: &str) -> String {
    format!("/v1/services/{name}")
}

async fn gone(name: &str, deadline: Instant, client: &Client) -> Result<(), Failure> {
    loop {
        match client.json::<ServiceView>(Method::GET, &path(name)).await {
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(_) if Instant::now() >= deadline => {
                let words = format!("service/{name} is not gone yet; its deletion goes on");
                return Err(Failure::new(Exit::TimedOut, words));
            }
            Ok(_) => sleep(PAUSE).await,
        }
    }
}

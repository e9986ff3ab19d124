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
    // Nothing goes before all of them are names.
    let read = args.names.iter().map(|text| {
        let template = templates::named(text)?;
        if template.is_none() {
            checked(text)?;
        }
        Ok((text.as_str(), template))
    });
    let wishes: Vec<(&str, Option<&str>)> = read.collect::<Result<_, Failure>>()?;
    let deadline = Instant::now() + args.wait.timeout;
    for (name, template) in &wishes {
        if let Some(template) = template {
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
        for (name, _) in wishes.iter().filter(|(_, template)| template.is_none()) {
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

//! `dormouse wake` and `dormouse sleep`.

use super::args::{SleepArgs, WaitArgs, WakeArgs};
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use super::progress::while_waiting;
use crate::client::Client;
use crate::exit::Exit;
use dormouse_core::view::ServiceView;
use dormouse_manifests::format_duration;
use http::Method;
use std::time::Duration;

/// The server answers at its deadline; an answer takes a moment to arrive.
const MARGIN: Duration = Duration::from_secs(15);

pub(super) async fn wake(args: &WakeArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let at_least = args.at_least.map(|time| format!("for={}", format_duration(time)));
    let view = flip(&args.name, "wake", at_least, &args.wait, client, out).await?;
    let done = if args.wait.wait { "is ready" } else { "is woken" };
    out.data(&format!("service/{} {done}: {}\n", args.name, view.status.url));
    Ok(Exit::Done)
}

pub(super) async fn sleep(args: &SleepArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    flip(&args.name, "sleep", None, &args.wait, client, out).await?;
    let done = if args.wait.wait { "is asleep" } else { "is put to sleep" };
    out.data(&format!("service/{} {done}\n", args.name));
    Ok(Exit::Done)
}

async fn flip(
    name: &str,
    verb: &str,
    parameter: Option<String>,
    wait: &WaitArgs,
    client: &Client,
    out: Output,
) -> Result<ServiceView, Failure> {
    let name = checked(name)?;
    let waits = wait.wait.then(|| format!("wait={}", format_duration(wait.timeout)));
    let query: Vec<String> = waits.into_iter().chain(parameter).collect();
    let separator = if query.is_empty() { "" } else { "?" };
    let path = format!("/v1/services/{name}/{verb}{separator}{}", query.join("&"));
    if !wait.wait {
        return Ok(client.json_within(Method::POST, &path, MARGIN).await?);
    }
    let call = client.json_within(Method::POST, &path, wait.timeout + MARGIN);
    Ok(while_waiting(name, client, out, call).await?)
}

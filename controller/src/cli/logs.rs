//! `dormouse logs`: what a service's containers wrote.

use super::args::LogsArgs;
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use crate::api::LogLines;
use crate::client::{CallError, Client};
use crate::exit::Exit;
use crate::logs::MOST;
use dormouse_core::logs::{Line, Tail};
use dormouse_manifests::format_duration;
use http::{Method, StatusCode};
use std::fmt::Write as _;
use std::time::Duration;

/// Between two looks for new lines. CloudWatch Logs takes longer than that to show one.
const POLL: Duration = Duration::from_secs(2);
/// Of a task's id, enough to tell it from others.
const SHORT_ID: usize = 8;

pub(super) async fn run(args: &LogsArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let name = checked(&args.name)?;
    let path = format!("/v1/services/{name}/logs?container={}", args.container);
    let since = since(args);
    if args.follow {
        return follow(args, client, out, &path, &since).await;
    }
    let tail = args.tail.map_or_else(String::new, |tail| format!("&tail={tail}"));
    let found: LogLines = client.json(Method::GET, &format!("{path}&since={since}{tail}")).await?;
    out.data(&shown(&found.items, args));
    if found.older && args.tail.is_none_or(|tail| tail == MOST) {
        out.say(&format!(
            "only the newest {} lines are shown ({MOST} at most): --since or --tail for fewer; the log group has all",
            found.items.len()
        ));
    }
    found.asleep.iter().chain(&found.nothing).for_each(|words| out.say(words));
    Ok(Exit::Done)
}

/// Lines as they are written, until the service is deleted or the server is gone.
async fn follow(
    args: &LogsArgs,
    client: &Client,
    out: Output,
    path: &str,
    since: &str,
) -> Result<Exit, Failure> {
    let mut tail = Tail::default();
    let mut said: Option<String> = None;
    // How many of the lines that are there already are shown.
    let mut first = Some(args.tail.unwrap_or(MOST));
    loop {
        let from = tail.after().map_or_else(|| since.to_owned(), |at| at.to_string());
        let standing = match client.json::<LogLines>(Method::GET, &format!("{path}&since={from}")).await {
            Ok(found) => {
                let mut fresh = tail.fresh(found.items);
                if let Some(most) = first.take() {
                    fresh.drain(..fresh.len().saturating_sub(most));
                }
                out.data(&shown(&fresh, args));
                // Afterwards it goes without saying.
                found.asleep.or(found.nothing.filter(|_| tail.after().is_none()))
            }
            // AWS may be busy; it is asked again.
            Err(CallError::Refused { status: StatusCode::SERVICE_UNAVAILABLE, detail }) => Some(detail),
            Err(error) => return Err(error.into()),
        };
        if standing != said {
            standing.iter().for_each(|words| out.say(words));
            said = standing;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// From when on, as the API takes it.
fn since(args: &LogsArgs) -> String {
    match (args.previous, args.since, args.since_time) {
        (true, ..) => "previous-wake".to_owned(),
        (_, Some(since), _) => format_duration(since),
        (_, _, Some(at)) => at.to_string(),
        _ => "wake".to_owned(),
    }
}

/// Each with who wrote it, where several may have.
fn shown(lines: &[Line], args: &LogsArgs) -> String {
    let mut text = String::new();
    for line in lines {
        if args.timestamps {
            let _ = write!(text, "{:.3} ", line.at);
        }
        if args.container == "all" {
            let id: String = line.task.chars().take(SHORT_ID).collect();
            let _ = write!(text, "[{}/{id}] ", line.container);
        }
        text.push_str(&line.message);
        text.push('\n');
    }
    text
}

//! `dormouse describe`.

use super::args::DescribeArgs;
use super::declaration::List;
use super::failure::Failure;
use super::get::checked;
use super::output::Output;
use super::table::Table;
use super::templates;
use super::time::{age, between, brief};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use dormouse_core::view::{EventView, ServiceView};
use dormouse_state::Cause;
use http::Method;
use jiff::Timestamp;
use std::fmt::Write as _;

pub(super) async fn run(args: &DescribeArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    if let Some(name) = templates::named(&args.name)? {
        return templates::describe(name, client, out).await;
    }
    let name = checked(&args.name)?;
    let view: ServiceView = client.json(Method::GET, &format!("/v1/services/{name}")).await?;
    let events: List<EventView> = client.json(Method::GET, &format!("/v1/services/{name}/events")).await?;
    out.data(&describe(&view, &events.items, SystemClock.now()));
    Ok(Exit::Done)
}

/// When, by whom and why.
pub(super) fn cause(cause: &Cause, now: Timestamp) -> String {
    let mut text = format!("{} ago by {}: {}", age(cause.at, now), cause.origin, cause.reason);
    if let Some(took) = cause.duration_ms {
        let _ = write!(text, " (ready after {}.{} s)", took / 1000, took % 1000 / 100);
    }
    text
}

fn describe(view: &ServiceView, events: &[EventView], now: Timestamp) -> String {
    let status = &view.status;
    let spec = &view.spec;
    let mut text = String::new();
    let mut line = |title: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<13}{value}", format!("{title}:"));
    };
    line("Name", view.metadata.name.clone());
    if !view.metadata.labels.is_empty() {
        let labels: Vec<String> =
            view.metadata.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        line("Labels", labels.join(", "));
    }
    let deleting = if view.metadata.deleting { ", being deleted" } else { "" };
    line(
        "State",
        format!("{:?}, wanted {:?} (epoch {}){deleting}", status.phase, status.desired, status.epoch),
    );
    line("URL", status.url.clone());
    match (&spec.image, &spec.task_definition) {
        (Some(image), _) => line("Image", image.clone()),
        (None, Some(definition)) => line("Definition", definition.clone()),
        (None, None) => {}
    }
    line(
        "Declared",
        format!(
            "{} ago, generation {}",
            age(view.metadata.creation_timestamp, now),
            view.metadata.generation
        ),
    );
    if let Some(from) = &status.made_from {
        let gone = if from.orphaned { ", which is gone" } else { "" };
        let expires = from.expires_at.map(|at| format!("; expires in {}", brief(between(now, at))));
        line("Made from", format!("template/{}{gone}{}", from.template, expires.unwrap_or_default()));
    }
    line("Idle after", spec.idle_after.to_string());
    let activity = &status.activity;
    let mut used =
        format!("{} in flight, last used {} ago", activity.in_flight, age(activity.last_request_at, now));
    if let Some(at) = status.sleeps_at() {
        let _ = write!(used, ", sleeps in {}", brief(between(now, at)));
    }
    line("Use", used);
    if !status.kept_awake_by.is_empty() {
        let by: Vec<&str> = status.kept_awake_by.iter().map(|keeper| keeper.message.as_str()).collect();
        line("Kept awake", by.join("; "));
    }
    if let Some(by) = status.sleeps_by {
        line("Sleeps by", format!("{by}, used or not"));
    }
    match spec.wake.daily_budget {
        Some(budget) => line("Wakes today", format!("{} of {budget}, by requests", status.wakes_today)),
        None if status.wakes_today > 0 => line("Wakes today", format!("{}, by requests", status.wakes_today)),
        None => {}
    }
    if let Some(wake) = &status.last_wake {
        line("Last wake", cause(wake, now));
    }
    if let Some(sleep) = &status.last_sleep {
        line("Last sleep", cause(sleep, now));
    }
    if let Some(untold) = &status.untold {
        let since = age(untold.since, now);
        line(
            "Webhook",
            format!("events that it is not told yet: {}, the oldest of {since} ago", untold.count),
        );
    }
    text.push_str(&conditions(view, now));
    text.push_str(&tasks(view));
    if !events.is_empty() {
        let mut table = Table::new(&["AGE", "REASON", "MESSAGE"]);
        for view in events {
            let event = &view.event;
            table.row(vec![age(event.at, now), event.reason.clone(), event.message.clone()]);
        }
        text.push_str(&section("Events", &table));
    }
    text
}

fn conditions(view: &ServiceView, now: Timestamp) -> String {
    if view.status.conditions.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["CONDITION", "STATUS", "AGE", "REASON", "MESSAGE"]);
    for condition in &view.status.conditions {
        table.row(vec![
            format!("{:?}", condition.kind),
            if condition.status { "True" } else { "False" }.to_owned(),
            age(condition.last_transition_time, now),
            condition.reason.clone(),
            condition.message.clone(),
        ]);
    }
    section("Conditions", &table)
}

fn tasks(view: &ServiceView) -> String {
    let tasks = [("proxy", &view.status.proxy), ("service", &view.status.service)];
    if tasks.iter().all(|(_, task)| task.is_none()) {
        return String::new();
    }
    let mut table = Table::new(&["TASK", "STATE", "ADDRESS", "PUBLIC", "ARN"]);
    for (role, task) in tasks {
        if let Some(task) = task {
            let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            table.row(vec![
                role.to_owned(),
                task.state.clone(),
                cell(&task.address),
                cell(&task.public_address),
                cell(&task.task_arn),
            ]);
        }
    }
    section("Tasks", &table)
}

fn section(title: &str, table: &Table) -> String {
    let lines: String = table.render().lines().map(|line| format!("  {line}\n")).collect();
    format!("\n{title}\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, awake};

    #[test]
    fn everything_is_told() {
        let text = describe(&awake("hello"), &[], NOW.parse().unwrap());
        assert_eq!(
            text,
            "\
Name:        hello
State:       Awake, wanted Awake (epoch 1)
URL:         http://hello.example.com:9060
Image:       nginx:1
Declared:    2h ago, generation 1
Idle after:  15m
Use:         0 in flight, last used 60s ago, sleeps in 14m
Last wake:   5m ago by request: GET / from 10.1.2.3 (ready after 41.2 s)

Conditions
  CONDITION  STATUS  AGE  REASON    MESSAGE
  Ready      True    4m   Answered  it answers
"
        );
    }
}

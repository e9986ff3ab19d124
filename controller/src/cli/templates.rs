//! Templates on the command line.

use super::args::{Format, GetArgs};
use super::failure::Failure;
use super::get::{Found, checked, nothing};
use super::output::Output;
use super::table::{Table, or_dash};
use super::time::age;
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use dormouse_core::view::TemplateView;
use dormouse_manifests::{format_duration, to_yaml};
use http::Method;
use jiff::Timestamp;
use std::fmt::Write as _;

/// The template that `template/NAME` names; `None`: it names a service.
pub(super) fn named(text: &str) -> Result<Option<&str>, Failure> {
    match text.split_once('/') {
        Some(("template" | "templates", name)) => checked(name).map(Some),
        _ => Ok(None),
    }
}

/// Where a template is in the API.
pub(super) fn path(name: &str) -> String {
    format!("/v1/templates/{name}")
}

/// `dormouse get templates`.
pub(super) async fn get(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut found: Found<TemplateView> = Found::asked(client, &args.names, "/v1/templates").await?;
    if let Some(selector) = &args.selector {
        found.views.retain(|view| selector.matches(&view.metadata.labels));
    }
    let views = &found.views;
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => nothing(args, "no template is declared", out),
        Format::Table | Format::Wide => out.data(&table(views, SystemClock.now())),
        Format::Name => {
            out.data(
                &views.iter().map(|view| format!("template/{}\n", view.metadata.name)).collect::<String>(),
            );
        }
        Format::Json | Format::Yaml if found.has_none(args) => {}
        Format::Json | Format::Yaml => out.data(&found.document(args, "ServiceTemplateList")?),
    }
    found.end()
}

fn table(views: &[TemplateView], now: Timestamp) -> String {
    let mut table = Table::new(&["NAME", "MATCH", "SERVICES", "EXPIRE-AFTER", "AGE", "IMAGE"]);
    for view in views {
        let (spec, image) = (&view.spec, view.spec.template.image.clone());
        table.row(vec![
            view.metadata.name.clone(),
            spec.pattern.clone(),
            format!("{}/{}", view.status.services.len(), spec.max),
            format_duration(spec.expire_after),
            age(view.metadata.creation_timestamp, now),
            or_dash(image.or_else(|| spec.template.task_definition.clone())),
        ]);
    }
    table.render()
}

/// `dormouse describe template/NAME`.
pub(super) async fn describe(name: &str, client: &Client, out: Output) -> Result<Exit, Failure> {
    let view: TemplateView = client.json(Method::GET, &path(name)).await?;
    out.data(&described(&view, SystemClock.now()));
    Ok(Exit::Done)
}

fn described(view: &TemplateView, now: Timestamp) -> String {
    let spec = &view.spec;
    let mut text = String::new();
    let mut line = |title: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<14}{value}", format!("{title}:"));
    };
    line("Name", view.metadata.name.clone());
    if !view.metadata.labels.is_empty() {
        let labels = view.metadata.labels.iter().map(|(name, value)| format!("{name}={value}"));
        line("Labels", labels.collect::<Vec<_>>().join(", "));
    }
    line("Match", spec.pattern.clone());
    line("Expire after", format!("{} of sleep", format_duration(spec.expire_after)));
    line("Declared", format!("{} ago", age(view.metadata.creation_timestamp, now)));
    let services = &view.status.services;
    let names = if services.is_empty() { String::new() } else { format!(": {}", services.join(", ")) };
    line("Services", format!("{} of {}{names}", services.len(), spec.max));
    let spec = to_yaml(&spec.template).unwrap_or_default();
    let _ = writeln!(
        text,
        "\nTemplate\n{}",
        spec.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end()
    );
    text
}

//! `dormouse get`.

use super::args::{Format, GetArgs, What};
use super::declaration::List;
use super::failure::Failure;
use super::output::Output;
use super::{table, templates, watch};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use crate::label::is_label;
use dormouse_core::view::{EventView, InstanceView, ServiceView};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub(super) async fn run(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    if args.what != What::Instances {
        args.names.iter().try_for_each(|name| checked(name).map(drop))?;
    }
    if args.selector.is_some() && !matches!(args.what, What::Services | What::Templates) {
        return Err(Failure::new(Exit::Usage, "only services and templates have labels (-l)"));
    }
    if args.selector.is_some() && !args.names.is_empty() {
        return Err(Failure::new(Exit::Usage, "labels (-l) choose among all: give names, or labels"));
    }
    match args.what {
        What::Services if args.is_bare => list(args, client, out).await.map_err(named_like_a_kind),
        What::Services => list(args, client, out).await,
        _ if args.watch => Err(Failure::new(Exit::Usage, "only services can be watched")),
        What::Templates => templates::get(args, client, out).await,
        What::Instances => instances(args, client, out).await,
        What::Events => events(args, client, out).await,
    }
}

async fn list(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    if args.watch { watch::run(args, client, out).await } else { services(args, client, out).await }
}

/// There is no such service: the name may have been meant as a kind.
fn named_like_a_kind(mut failure: Failure) -> Failure {
    if failure.exit == Exit::NotFound {
        failure
            .words
            .push_str("\n\n  tip: what can be listed beside it: services, templates, instances, events");
    }
    failure
}

/// What was asked for by name, and in words what of it is not there.
pub(super) struct Found<T> {
    pub(super) views: Vec<T>,
    missing: Vec<String>,
}

impl<T: DeserializeOwned> Found<T> {
    /// All of a list, or those of it that were asked for by name.
    pub(super) async fn asked(client: &Client, names: &[String], list: &str) -> Result<Found<T>, Failure> {
        if names.is_empty() {
            return Found::all(client, list).await;
        }
        Found::each(client, names, |name| format!("{list}/{name}")).await
    }

    /// Everything of a list.
    async fn all(client: &Client, path: &str) -> Result<Found<T>, Failure> {
        let views = client.json::<List<T>>(Method::GET, path).await?.items;
        Ok(Found { views, missing: Vec::new() })
    }

    /// Each of the names; one that is not there takes nothing from the others.
    pub(super) async fn each(
        client: &Client,
        names: &[String],
        path: impl Fn(&str) -> String,
    ) -> Result<Found<T>, Failure> {
        let mut found = Found { views: Vec::new(), missing: Vec::new() };
        for name in names {
            match client.json(Method::GET, &path(name)).await {
                Ok(view) => found.views.push(view),
                Err(error) if error.exit() == Exit::NotFound => found.missing.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}

impl<T> Found<T> {
    /// Whether there is nothing of what was named: data of nothing but what is missing would look like an answer.
    pub(super) fn has_none(&self, args: &GetArgs) -> bool {
        self.views.is_empty() && !args.names.is_empty()
    }

    /// Once what is there was shown.
    pub(super) fn end(&self) -> Result<Exit, Failure> {
        if self.missing.is_empty() {
            return Ok(Exit::Done);
        }
        Err(Failure::new(Exit::NotFound, self.missing.join("\nerror: ")))
    }
}

impl<T: Serialize> Found<T> {
    /// As a document: one that was asked for alone as it is, all else as a list.
    pub(super) fn document(&self, args: &GetArgs, kind: &'static str) -> Result<String, Failure> {
        match (&args.names[..], &self.views[..]) {
            ([_], [view]) => document(view, args.output),
            (_, items) => document(&Items { kind, items }, args.output),
        }
    }
}

/// A name that can stand in a path.
pub(super) fn checked(name: &str) -> Result<&str, Failure> {
    if is_label(name) {
        return Ok(name);
    }
    let words =
        format!("{name:?} is no service's name: give 1 to 63 of a-z, 0-9 and -, no hyphen at its ends");
    Err(Failure::new(Exit::Usage, words))
}

/// JSON or YAML, ended with a line break.
pub(super) fn document<T: Serialize>(value: &T, format: Format) -> Result<String, Failure> {
    let failed = |error: String| Failure::new(Exit::Failed, error);
    let mut text = match format {
        Format::Yaml => serde_yaml::to_string(value).map_err(|error| failed(error.to_string()))?,
        _ => serde_json::to_string_pretty(value).map_err(|error| failed(error.to_string()))?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

async fn services(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut found: Found<ServiceView> = Found::asked(client, &args.names, "/v1/services").await?;
    if let Some(selector) = &args.selector {
        found.views.retain(|view| selector.matches(&view.metadata.labels));
    }
    let (views, now) = (&found.views, SystemClock.now());
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => nothing(args, "no service is declared", out),
        Format::Table | Format::Wide => {
            out.data(&table::services(views, now, args.output == Format::Wide));
        }
        Format::Name => {
            out.data(
                &views.iter().map(|view| format!("service/{}\n", view.metadata.name)).collect::<String>(),
            );
        }
        Format::Json | Format::Yaml if found.has_none(args) => {}
        Format::Json | Format::Yaml => out.data(&found.document(args, "ServiceList")?),
    }
    found.end()
}

/// Says why a table would be empty. Names that are missing speak for themselves.
pub(super) fn nothing(args: &GetArgs, words: &str, out: Output) {
    if args.selector.is_some() {
        out.say("nothing has these labels");
    } else if args.names.is_empty() {
        out.say(words);
    }
}

/// A list as a document.
#[derive(Serialize)]
struct Items<'a, T> {
    kind: &'static str,
    items: &'a [T],
}

async fn instances(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut found: Found<InstanceView> = Found::all(client, "/v1/instances").await?;
    if !args.names.is_empty() {
        let is_missing = |id: &&String| found.views.iter().all(|view| view.id != **id);
        let missing = args.names.iter().filter(is_missing);
        found.missing = missing.map(|id| format!("there is no instance `{id}`")).collect();
        found.views.retain(|view| args.names.contains(&view.id));
    }
    let views = &found.views;
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => nothing(args, "there is no instance", out),
        Format::Table | Format::Wide => out.data(&table::instances(views)),
        Format::Name => {
            out.data(&views.iter().map(|view| format!("instance/{}\n", view.id)).collect::<String>())
        }
        Format::Json | Format::Yaml if found.has_none(args) => {}
        format => out.data(&document(&Items { kind: "InstanceList", items: views }, format)?),
    }
    found.end()
}

async fn events(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let found: Found<List<EventView>> = if args.names.is_empty() {
        Found::each(client, &[String::new()], |_| "/v1/events".to_owned()).await?
    } else {
        Found::each(client, &args.names, |name| format!("/v1/services/{name}/events")).await?
    };
    let mut views: Vec<&EventView> = found.views.iter().flat_map(|list| &list.items).collect();
    views.sort_by_key(|view| view.event.at);
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => {
            if found.missing.is_empty() {
                out.say("nothing has happened yet");
            }
        }
        Format::Table | Format::Wide => out.data(&table::events(&views, SystemClock.now())),
        Format::Name => {
            out.data(&views.iter().map(|view| format!("{}\n", view.event.reason)).collect::<String>())
        }
        Format::Json | Format::Yaml if found.has_none(args) => {}
        format => out.data(&document(&json!({"kind": "EventList", "items": views}), format)?),
    }
    found.end()
}

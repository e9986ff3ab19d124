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
use serde_json::json;

pub(super) async fn run(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    if let Some(name) = args.name.as_deref().filter(|_| args.what != What::Instances) {
        checked(name)?;
    }
    match args.what {
        What::Services if args.watch => watch::run(args, client, out).await,
        _ if args.watch => Err(Failure::new(Exit::Usage, "only services can be watched")),
        What::Templates => templates::get(args, client, out).await,
        What::Services => services(args, client, out).await,
        What::Instances => instances(args, client, out).await,
        What::Events => events(args, client, out).await,
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
    let views: Vec<ServiceView> = match &args.name {
        Some(name) => vec![client.json(Method::GET, &format!("/v1/services/{name}")).await?],
        None => client.json::<List<ServiceView>>(Method::GET, "/v1/services").await?.items,
    };
    let now = SystemClock.now();
    match (args.output, args.name.is_some(), views.first()) {
        (Format::Table | Format::Wide, false, None) => out.say("no service is declared"),
        (Format::Table, ..) => out.data(&table::services(&views, now, false)),
        (Format::Wide, ..) => out.data(&table::services(&views, now, true)),
        (Format::Name, ..) => {
            out.data(
                &views.iter().map(|view| format!("service/{}\n", view.metadata.name)).collect::<String>(),
            );
        }
        (format, true, Some(view)) => out.data(&document(view, format)?),
        (format, ..) => out.data(&document(&Items { kind: "ServiceList", items: &views }, format)?),
    }
    Ok(Exit::Done)
}

/// A list as a document.
#[derive(Serialize)]
pub(super) struct Items<'a, T> {
    pub(super) kind: &'static str,
    pub(super) items: &'a [T],
}

async fn instances(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let mut views = client.json::<List<InstanceView>>(Method::GET, "/v1/instances").await?.items;
    if let Some(id) = &args.name {
        views.retain(|view| view.id == *id);
        if views.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("there is no instance `{id}`")));
        }
    }
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => out.say("there is no instance"),
        Format::Table | Format::Wide => out.data(&table::instances(&views)),
        Format::Name => {
            out.data(&views.iter().map(|view| format!("instance/{}\n", view.id)).collect::<String>())
        }
        format => out.data(&document(&Items { kind: "InstanceList", items: &views }, format)?),
    }
    Ok(Exit::Done)
}

async fn events(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let path = match &args.name {
        Some(name) => format!("/v1/services/{name}/events"),
        None => "/v1/events".to_owned(),
    };
    let views = client.json::<List<EventView>>(Method::GET, &path).await?.items;
    match args.output {
        Format::Table | Format::Wide if views.is_empty() => out.say("nothing has happened yet"),
        Format::Table | Format::Wide => out.data(&table::events(&views, SystemClock.now())),
        Format::Name => {
            out.data(&views.iter().map(|view| format!("{}\n", view.event.reason)).collect::<String>())
        }
        format => out.data(&document(&json!({"kind": "EventList", "items": views}), format)?),
    }
    Ok(Exit::Done)
}

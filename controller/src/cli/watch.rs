//! `dormouse get -w`: changes as they happen.

use super::args::{Format, GetArgs};
use super::failure::Failure;
use super::get::{Found, document};
use super::output::Output;
use super::table::{SERVICE_WIDTHS, Table, service_row, service_titles};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use dormouse_core::view::{MetadataView as Metadata, ServiceView};
use std::collections::BTreeSet;

pub(super) async fn run(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let path = match &args.names[..] {
        [name] => format!("/v1/watch?name={name}"),
        names => {
            // One that is not there never comes.
            let path = |name: &str| format!("/v1/services/{name}");
            Found::<ServiceView>::each(client, names, path).await?.end()?;
            "/v1/watch".to_owned()
        }
    };
    let mut shown_before = BTreeSet::new();
    let mut events = client.events(&path).await?;
    let wide = args.output == Format::Wide;
    if matches!(args.output, Format::Table | Format::Wide) {
        out.data(&service_titles(wide).render_with(&SERVICE_WIDTHS));
    }
    while let Some(event) = events.next().await? {
        if event.kind == "deleted" {
            let value: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
            let name = value["metadata"]["name"].as_str().unwrap_or("?");
            if shown_before.remove(name) {
                out.say(&format!("service/{name} is gone"));
            }
        } else if let Ok(view) = serde_json::from_str::<ServiceView>(&event.data)
            && is_asked_for(args, &view)
        {
            out.data(&shown(&view, args.output)?);
            shown_before.insert(view.metadata.name);
        }
    }
    Err(Failure::new(Exit::Unreachable, "the server ended the watch"))
}

fn is_asked_for(args: &GetArgs, view: &ServiceView) -> bool {
    let Metadata { name, labels, .. } = &view.metadata;
    (args.names.is_empty() || args.names.contains(name))
        && args.selector.as_ref().is_none_or(|selector| selector.matches(labels))
}

fn shown(view: &ServiceView, format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Table | Format::Wide => {
            let mut table = Table::new(&[]);
            table.row(service_row(view, SystemClock.now(), format == Format::Wide));
            table.render_with(&SERVICE_WIDTHS).trim_start_matches('\n').to_owned()
        }
        Format::Name => format!("service/{}\n", view.metadata.name),
        Format::Yaml => format!("---\n{}", document(view, format)?),
        Format::Json => {
            let line = serde_json::to_string(view);
            line.map_err(|error| Failure::new(Exit::Failed, error.to_string()))? + "\n"
        }
    })
}

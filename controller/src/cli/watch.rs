//! `dormouse get -w`: changes as they happen.

use super::args::{Format, GetArgs};
use super::failure::Failure;
use super::get::document;
use super::output::Output;
use super::table::{SERVICE_WIDTHS, Table, service_row, service_titles};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::Exit;
use dormouse_core::view::ServiceView;

pub(super) async fn run(args: &GetArgs, client: &Client, out: Output) -> Result<Exit, Failure> {
    let path = match &args.name {
        Some(name) => format!("/v1/watch?name={name}"),
        None => "/v1/watch".to_owned(),
    };
    let mut events = client.events(&path).await?;
    let wide = args.output == Format::Wide;
    if matches!(args.output, Format::Table | Format::Wide) {
        out.data(&service_titles(wide).render_with(&SERVICE_WIDTHS));
    }
    while let Some(event) = events.next().await? {
        if event.kind == "deleted" {
            let value: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
            out.say(&format!("service/{} is gone", value["metadata"]["name"].as_str().unwrap_or("?")));
        } else if let Ok(view) = serde_json::from_str::<ServiceView>(&event.data) {
            out.data(&shown(&view, args.output)?);
        }
    }
    Err(Failure::new(Exit::Unreachable, "the server ended the watch"))
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

//! Tables: columns as wide as they need to be, two blanks between them.

use super::time::{age, between, brief};
use crate::views::is_ready;
use dormouse_core::view::{EventView, InstanceView, ServiceView};
use dormouse_manifests::IdleAfter;
use dormouse_state::Phase;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Rows of cells, the titles first.
pub(super) struct Table(Vec<Vec<String>>);

impl Table {
    pub(super) fn new(titles: &[&str]) -> Table {
        Table(vec![titles.iter().map(|title| (*title).to_owned()).collect()])
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    /// As text; no line ends with blanks.
    pub(super) fn render(&self) -> String {
        self.render_with(&[])
    }

    /// The same, with columns at least this wide: for rows that are yet to come.
    pub(super) fn render_with(&self, at_least: &[usize]) -> String {
        let width = |column: usize| {
            let widest =
                self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).max(at_least.get(column).copied().unwrap_or(0))
        };
        let mut text = String::new();
        for row in &self.0 {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                // Whatever a message holds, a row stays one line.
                let cell: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                line.push_str(&format!("{cell:<width$}  ", width = width(column)));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

const SERVICE: [&str; 7] = ["NAME", "STATE", "READY", "IDLE-IN", "LAST-WAKE", "AGE", "URL"];
const SERVICE_MORE: [&str; 5] = ["IN-FLIGHT", "IMAGE", "ADDRESS", "PUBLIC", "LABELS"];

/// Wide enough for most services, so that rows of a watch stand below each other.
pub(super) const SERVICE_WIDTHS: [usize; 6] = [16, 8, 5, 7, 9, 5];

pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn idle_in(view: &ServiceView, now: Timestamp) -> Option<String> {
    match (view.status.sleeps_at(), view.spec.idle_after, view.status.phase) {
        (Some(at), ..) => Some(brief(between(now, at))),
        (None, IdleAfter::Never, Phase::Waking | Phase::Awake) => Some("never".to_owned()),
        _ => None,
    }
}

fn labels(labels: &BTreeMap<String, String>) -> Option<String> {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

/// The titles of a table of services.
pub(super) fn service_titles(wide: bool) -> Table {
    let mut titles = SERVICE.to_vec();
    if wide {
        titles.extend(SERVICE_MORE);
    }
    Table::new(&titles)
}

/// One service's row.
pub(super) fn service_row(view: &ServiceView, now: Timestamp, wide: bool) -> Vec<String> {
    let status = &view.status;
    let state = if view.metadata.deleting { "Deleting".to_owned() } else { format!("{:?}", status.phase) };
    let mut row = vec![
        view.metadata.name.clone(),
        state,
        if is_ready(view) { "True" } else { "False" }.to_owned(),
        or_dash(idle_in(view, now)),
        or_dash(status.last_wake.as_ref().map(|wake| age(wake.at, now))),
        age(view.metadata.creation_timestamp, now),
        status.url.clone(),
    ];
    if wide {
        let image = view.spec.image.clone().or_else(|| view.spec.task_definition.clone());
        row.extend([
            status.activity.in_flight.to_string(),
            or_dash(image),
            or_dash(status.service.as_ref().and_then(|task| task.address.clone())),
            or_dash(status.proxy.as_ref().and_then(|task| task.public_address.clone())),
            or_dash(labels(&view.metadata.labels)),
        ]);
    }
    row
}

/// Services.
pub(super) fn services(views: &[ServiceView], now: Timestamp, wide: bool) -> String {
    let mut table = service_titles(wide);
    for view in views {
        table.row(service_row(view, now, wide));
    }
    table.render()
}

/// Instances.
pub(super) fn instances(views: &[InstanceView]) -> String {
    let mut table = Table::new(&["INSTANCE", "LIFECYCLE", "STATUS", "PROTECTED", "TASKS", "SERVICES"]);
    for view in views {
        table.row(vec![
            view.id.clone(),
            or_dash(view.lifecycle.clone()),
            or_dash(view.status.clone()),
            if view.protected { "True" } else { "False" }.to_owned(),
            view.tasks.to_string(),
            or_dash((!view.services.is_empty()).then(|| view.services.join(","))),
        ]);
    }
    table.render()
}

/// Events.
pub(super) fn events(views: &[&EventView], now: Timestamp) -> String {
    let mut table = Table::new(&["AGE", "SERVICE", "REASON", "MESSAGE"]);
    for view in views {
        let event = &view.event;
        table.row(vec![
            age(event.at, now),
            view.service.clone(),
            event.reason.clone(),
            event.message.clone(),
        ]);
    }
    table.render()
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

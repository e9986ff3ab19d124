//! Instances and events on the dashboard.

use crate::pages::escape::Escaped;
use crate::pages::words::Ago;
use dormouse_core::view::{EventView, InstanceView};
use jiff::Timestamp;
use std::fmt::Write as _;

/// So many of the newest events are shown.
pub const EVENTS: usize = 60;
/// So many services of an instance are named.
const NAMED: usize = 12;

/// Writes the instances.
pub fn instances(html: &mut String, instances: &[InstanceView]) {
    html.push_str(
        "<section id=\"instances\" aria-labelledby=\"machines\"><h2 id=\"machines\">Instances</h2>",
    );
    if instances.is_empty() {
        html.push_str("<p class=\"soft empty\">There is none: nothing is paid for.</p>");
    } else {
        html.push_str("<ul class=\"cards\">");
        instances.iter().for_each(|instance| one(html, instance));
        html.push_str("</ul>");
    }
    html.push_str("</section>");
}

fn one(html: &mut String, instance: &InstanceView) {
    let words = match (&instance.lifecycle, &instance.status) {
        (Some(_), Some(status)) if status == "ACTIVE" => "ready".to_owned(),
        (_, Some(status)) => status.to_lowercase(),
        (Some(lifecycle), None) if lifecycle == "InService" || lifecycle.starts_with("Pending") => {
            "booting".to_owned()
        }
        (Some(lifecycle), None) => lifecycle.to_lowercase(),
        (None, None) => "unknown".to_owned(),
    };
    let count = instance.tasks;
    let tasks = if count == 1 { "task" } else { "tasks" };
    let _ = write!(
        html,
        "<li><p><code>{}</code> <span class=\"soft\">{}, {count} {tasks}{}</span></p><p>",
        Escaped(&instance.id),
        Escaped(&words),
        if instance.protected { ", protected" } else { "" }
    );
    for service in instance.services.iter().take(NAMED) {
        let service = Escaped(service);
        let _ = write!(html, "<a class=\"pill\" href=\"#s-{service}\">{service}</a> ");
    }
    if let Some(more) = instance.services.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(html, "<span class=\"soft\">and {more} more</span>");
    }
    html.push_str("</p></li>");
}

/// Writes the newest events, the newest first.
pub fn events(html: &mut String, events: &[EventView], now: Timestamp) {
    html.push_str("<section id=\"events\" aria-labelledby=\"happened\"><h2 id=\"happened\">Events</h2>");
    if events.is_empty() {
        html.push_str("<p class=\"soft empty\">Nothing has happened yet.</p></section>");
        return;
    }
    html.push_str("<ol class=\"log\">");
    for EventView { service, event } in events.iter().rev().take(EVENTS) {
        let service = Escaped(service);
        let _ = write!(
            html,
            "<li><span class=\"soft\">{}</span> <a href=\"#s-{service}\">{service}</a> <b>{}</b> {}</li>",
            Ago(event.at, now),
            Escaped(&event.reason),
            Escaped(&event.message)
        );
    }
    html.push_str("</ol></section>");
}

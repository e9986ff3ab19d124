//! A service on the dashboard.

use crate::pages::escape::Escaped;
use crate::pages::progress::{Progress, Seen, Standing};
use crate::pages::words::{Ago, Down, Span, Took};
use crate::views::condition;
use dormouse_core::keepers::Keeper;
use dormouse_core::view::{InstanceView, ServiceView, TaskView};
use dormouse_state::{Cause, ConditionType, Desired, Phase};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// States, as classes and in words, in the order in which they matter.
pub(super) const STATES: [(&str, &str); 5] = [
    ("trouble", "in trouble"),
    ("waking", "waking"),
    ("awake", "awake"),
    ("draining", "going to sleep"),
    ("asleep", "asleep"),
];

/// So many of the last wakes are drawn.
const DRAWN: usize = 12;
/// Height of a drawing.
const HEIGHT: f64 = 20.0;

/// Which instance a service is on.
#[derive(Debug, Default)]
pub struct Places<'a>(HashMap<&'a str, &'a str>);

impl<'a> Places<'a> {
    /// As the instances say.
    pub fn of(instances: &'a [InstanceView]) -> Places<'a> {
        let on = |instance: &'a InstanceView| {
            instance.services.iter().map(|service| (service.as_str(), instance.id.as_str()))
        };
        Places(instances.iter().flat_map(on).collect())
    }
}

/// The state in one word, as a class.
fn state(view: &ServiceView) -> &'static str {
    let troubled = condition(view, ConditionType::Degraded).is_some_and(|degraded| degraded.status);
    match (view.status.phase, view.status.desired) {
        _ if troubled => "trouble",
        (Phase::Waking, _) | (Phase::Asleep | Phase::Draining, Desired::Awake) => "waking",
        (Phase::Awake, _) => "awake",
        (Phase::Draining, Desired::Asleep) => "draining",
        (Phase::Asleep, Desired::Asleep) => "asleep",
    }
}

/// Writes a row.
pub fn row(html: &mut String, view: &ServiceView, places: &Places<'_>, now: Timestamp) {
    let name = Escaped(&view.metadata.name);
    let state = state(view);
    let word = STATES.iter().find(|(known, _)| *known == state).map_or(state, |(_, word)| word);
    // Writing to a String cannot fail.
    let _ =
        write!(html, "<tr id=\"s-{name}\" data-name=\"{name}\" data-state=\"{state}\" data-find=\"{name}");
    for (label, value) in &view.metadata.labels {
        let _ = write!(html, " {}={}", Escaped(label), Escaped(value));
    }
    let _ = write!(
        html,
        "\"><th scope=\"row\"><a href=\"{}\" rel=\"noreferrer\">{name}</a></th><td><span class=\"badge {state}\">{word}</span>",
        Escaped(&view.status.url)
    );
    detail(html, view);
    html.push_str("</td><td>");
    why(html, view, now);
    html.push_str("</td><td>");
    sleeps(html, view, now);
    html.push_str("</td><td>");
    tasks(html, view);
    html.push_str("</td><td>");
    if let Some(place) = places.0.get(view.metadata.name.as_str()) {
        let _ = write!(html, "<code class=\"cut\" title=\"{0}\">{0}</code>", Escaped(place));
    }
    html.push_str("</td><td>");
    wakes(html, view);
    html.push_str("</td><td class=\"act\">");
    actions(html, view);
    html.push_str("</td></tr>");
}

/// What is in the way, or the step that goes on.
fn detail(html: &mut String, view: &ServiceView) {
    let troubled = condition(view, ConditionType::Degraded).filter(|degraded| degraded.status);
    if let Some(degraded) = troubled {
        let _ = write!(html, "<p class=\"bad\">{}</p>", Escaped(&degraded.message));
        return;
    }
    let progress = Progress::of(view, &Seen::default(), false);
    if progress.standing == Standing::Going {
        html.push_str("<p class=\"soft\">being deleted</p>");
    } else if let (Standing::Waking, Some(step)) = (progress.standing, progress.current()) {
        let _ = write!(html, "<p class=\"soft\">{}: {}</p>", step.what, Escaped(&step.how));
    }
}

/// Who woke it, or put it to sleep.
fn why(html: &mut String, view: &ServiceView, now: Timestamp) {
    let (verb, cause) = match view.status.desired {
        Desired::Awake => ("woken", view.status.last_wake.as_ref()),
        Desired::Asleep => ("asleep", view.status.last_sleep.as_ref()),
    };
    let Some(Cause { at, origin, reason, .. }) = cause else {
        html.push_str("<span class=\"soft\">not woken yet</span>");
        return;
    };
    let _ = write!(html, "<span class=\"soft\">{verb} by {}, {}</span>", Escaped(origin), Ago(*at, now));
    if !reason.is_empty() {
        let reason = Escaped(reason);
        let _ = write!(html, "<p class=\"cut\" title=\"{reason}\">{reason}</p>");
    }
}

/// When it falls asleep, or why not.
fn sleeps(html: &mut String, view: &ServiceView, now: Timestamp) {
    let status = &view.status;
    if status.desired == Desired::Asleep {
        return;
    }
    // Writing to a String cannot fail.
    let _ = match status.sleeps_at() {
        Some(at) => write!(html, "{}", Down(at, now)),
        None => Ok(()),
    };
    for Keeper { reason, message } in &status.kept_awake_by {
        let word = match reason.as_str() {
            "AskedFor" => "kept awake",
            "Requests" | "Sockets" => "in use",
            "Busy" => "busy",
            "Window" => "awake window",
            "Dependents" => "needed by another",
            "Never" => "never",
            _ => "unknown",
        };
        let _ = write!(html, " <span class=\"keeper\" title=\"{}\">{word}</span>", Escaped(message));
    }
    if let Some(by) = status.sleeps_by {
        let _ = write!(html, " <span class=\"soft\">at most {}</span>", Down(by, now));
    }
}

fn tasks(html: &mut String, view: &ServiceView) {
    for (what, task) in [("service", &view.status.service), ("proxy", &view.status.proxy)] {
        let Some(TaskView { state, task_arn, .. }) = task else { continue };
        let _ = write!(
            html,
            "<p class=\"task\" title=\"{}\">{what} <span class=\"soft\">{}</span></p>",
            Escaped(task_arn.as_deref().unwrap_or_default()),
            Escaped(&state.to_lowercase())
        );
    }
}

/// How long its last wakes took, drawn and the last one in words.
fn wakes(html: &mut String, view: &ServiceView) {
    let wakes = &view.status.wakes;
    let last = view.status.last_wake.as_ref().and_then(|wake| wake.duration_ms);
    let Some(last) = last.or_else(|| wakes.last().map(|last| u64::from(*last))) else { return };
    let drawn = wakes.get(wakes.len().saturating_sub(DRAWN)..).unwrap_or_default();
    let most = drawn.iter().max().copied().unwrap_or(1).max(1);
    if !drawn.is_empty() {
        let _ = write!(
            html,
            "<svg class=\"bars\" width=\"{}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"The last {} wakes; the slowest took {}\"><path d=\"",
            drawn.len() * 6,
            drawn.len(),
            Span(Duration::from_millis(u64::from(most))),
        );
        for (n, wake) in drawn.iter().enumerate() {
            let height = (f64::from(*wake) / f64::from(most) * HEIGHT).max(2.0);
            let _ = write!(html, "M{} {HEIGHT}v-{height:.0}", n * 6 + 2);
        }
        html.push_str("\"/></svg> ");
    }
    let _ = write!(html, "<span class=\"soft\">{}</span>", Took(Duration::from_millis(last)));
}

fn actions(html: &mut String, view: &ServiceView) {
    let name = Escaped(&view.metadata.name);
    let asleep = view.status.desired == Desired::Asleep;
    let (act, word) = if asleep { ("wake", "Wake") } else { ("sleep", "Sleep") };
    for (act, word, label) in [(act, word, word), ("keep", "Keep 2 h", "Keep 2 h awake:")] {
        let _ = write!(
            html,
            "<button class=\"small\" data-do=\"{act}\" aria-label=\"{label} {name}\">{word}</button>"
        );
    }
}

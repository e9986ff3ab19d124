//! A service's lines in CloudWatch Logs: which streams, which stretch of time, in what order, and what to say beside
//! them.

use crate::naming::{PROXY_CONTAINER, SIDECAR_CONTAINER, USER_CONTAINER};
use crate::view::{EventView, ServiceView};
use dormouse_manifests::{ServiceSpec, TimeText, parse_duration};
use dormouse_state::Phase;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Whose lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Every container's.
    #[default]
    All,
    /// The proxy's.
    Proxy,
    /// The sidecar's beside the user's container.
    Service,
    /// The user's own.
    App,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 4] = [Part::All, Part::App, Part::Proxy, Part::Service];

    /// What callers call it.
    pub fn name(self) -> &'static str {
        match self {
            Part::All => "all",
            Part::Proxy => "proxy",
            Part::Service => "service",
            Part::App => "app",
        }
    }

    /// What the names of its streams begin with: `service/container/task`. The slash keeps `shop` from `shop-2`.
    pub fn prefix(self, name: &str, spec: &ServiceSpec) -> String {
        let own =
            if spec.task_definition.is_none() { Some(USER_CONTAINER) } else { spec.container.as_deref() };
        match self {
            Part::Proxy => format!("{name}/{PROXY_CONTAINER}/"),
            Part::Service => format!("{name}/{SIDECAR_CONTAINER}/"),
            Part::App => own.map_or_else(|| format!("{name}/"), |own| format!("{name}/{own}/")),
            Part::All => format!("{name}/"),
        }
    }

    /// Whether a container's lines are asked for: a task definition may have several that are the user's.
    fn wants(self, container: &str) -> bool {
        self != Part::App || is_own(container)
    }
}

fn is_own(container: &str) -> bool {
    container != PROXY_CONTAINER && container != SIDECAR_CONTAINER
}

/// One line, as CloudWatch Logs has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id: no two have the same.
    pub id: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The stream that it is in.
    pub stream: String,
    /// What was written.
    pub message: String,
}

/// One line of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LogLine")]
pub struct Line {
    /// No two lines have the same.
    pub id: String,
    /// When it was written.
    #[schemars(with = "TimeText")]
    pub at: Timestamp,
    /// Who wrote it.
    pub container: String,
    /// The task's id.
    pub task: String,
    /// What was written, without the line's end.
    pub message: String,
}

impl Line {
    /// A line of these containers. `None`: of another one, or of a stream that is no container's.
    pub fn of(event: Event, part: Part) -> Option<Line> {
        let mut names = event.stream.rsplit('/');
        let (task, container) = (names.next()?.to_owned(), names.next()?.to_owned());
        let message = event.message.trim_end_matches(['\n', '\r']).to_owned();
        let at = Timestamp::from_millisecond(event.at).ok()?;
        part.wants(&container).then_some(Line { id: event.id, at, container, task, message })
    }
}

/// The newest lines, in the order in which they were written, each once. `true`: there were more.
pub fn newest(mut lines: Vec<Line>, most: usize) -> (Vec<Line>, bool) {
    // Stable: within a millisecond a stream's own order stands.
    lines.sort_by_key(|line| line.at);
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.id.clone()));
    let more = lines.len().saturating_sub(most);
    lines.drain(..more);
    (lines, more > 0)
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Since {
    /// The last wake.
    #[default]
    Wake,
    /// The wake before the last one, until the last one.
    PreviousWake,
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// What [`Since::parse`] takes.
    pub const ACCEPTED: &str =
        "`wake`, `previous-wake`, a duration such as 2h, or a time such as 2026-01-01T12:00:00Z";

    /// Reads it. `None`: it is none of these.
    pub fn parse(text: &str) -> Option<Since> {
        match text {
            "wake" => Some(Since::Wake),
            "previous-wake" => Some(Since::PreviousWake),
            _ => parse_duration(text).map(Since::Ago).ok().or_else(|| text.parse().map(Since::At).ok()),
        }
    }
}

/// A stretch of time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From then on.
    pub from: i64,
    /// Before this; `None`: whatever there is by now.
    pub to: Option<i64>,
}

impl Window {
    /// The stretch that is asked for. `None`: there was no such wake, as far as is remembered.
    pub fn of(view: &ServiceView, events: &[EventView], since: Since, now: Timestamp) -> Option<Window> {
        let woken = || view.status.last_wake.as_ref().map(|wake| wake.at);
        let (from, to) = match since {
            Since::Wake => (woken()?, None),
            Since::PreviousWake => {
                let last = woken()?;
                let wakes = events.iter().map(|known| &known.event).filter(|event| event.reason == "Woken");
                (wakes.map(|event| event.at).filter(|at| *at < last).max()?, Some(last))
            }
            Since::Ago(ago) => (now.checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH), None),
            Since::At(at) => (at, None),
        };
        Some(Window { from: from.as_millisecond().max(0), to: to.map(Timestamp::as_millisecond) })
    }

    /// The same in slices, the newest first, each eight times as long as the one before: CloudWatch Logs tells of a
    /// stretch from its beginning, and who wants its end must not read all of it.
    pub fn slices(self, now: Timestamp) -> impl Iterator<Item = Window> {
        let mut rest = Some(self);
        let mut length = FIRST_SLICE;
        std::iter::from_fn(move || {
            let whole = rest?;
            let end = whole.to.unwrap_or_else(|| now.as_millisecond());
            let from = end.saturating_sub(length).max(whole.from);
            length = length.saturating_mul(8);
            rest = (from > whole.from).then_some(Window { from: whole.from, to: Some(from) });
            Some(Window { from, to: whole.to })
        })
    }
}

/// Length of the newest slice in milliseconds: with it, 100 days are six slices.
const FIRST_SLICE: i64 = 30_000;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The log group.
    pub group: &'a str,
    /// Whose lines were asked for.
    pub part: Part,
    /// Which stretch was; `None`: there is no such wake.
    pub window: Option<Window>,
    /// The lines.
    pub lines: &'a [Line],
}

/// Since when a sleeping service sleeps, in words.
pub fn asleep(view: &ServiceView) -> Option<String> {
    let name = &view.metadata.name;
    (view.status.phase == Phase::Asleep).then(|| match &view.status.last_sleep {
        Some(sleep) => format!("{name} is asleep since {:.0}", sleep.at),
        None => format!("{name} is asleep, and was never awake"),
    })
}

/// Why there are no lines, or none of the user's own containers.
pub fn nothing(view: &ServiceView, found: Found<'_>) -> Option<String> {
    let name = &view.metadata.name;
    if found.window.is_none() {
        let known = view.status.last_wake.is_some();
        return known
            .then(|| "the wake before the last one is not remembered: ask for a time instead".to_owned());
    }
    let own = found.lines.iter().any(|line| is_own(&line.container));
    match &view.spec.task_definition {
        Some(definition) if matches!(found.part, Part::All | Part::App) && !own => Some(format!(
            "nothing of the containers of {definition}: they are found here when it has them log (awslogs) to {} with \
             the stream prefix {name}",
            found.group
        )),
        _ => found.lines.is_empty().then(|| "nothing was written in that time".to_owned()),
    }
}

/// Follows a log whose lines may come late: what was shown is not shown again.
#[derive(Debug, Default)]
pub struct Tail {
    shown: BTreeSet<(Timestamp, String)>,
}

impl Tail {
    /// A line may be found so much later than a younger one of another stream.
    const LATE: Duration = Duration::from_secs(15);

    /// The lines that were not shown yet.
    pub fn fresh(&mut self, lines: Vec<Line>) -> Vec<Line> {
        let fresh: Vec<Line> =
            lines.into_iter().filter(|line| self.shown.insert((line.at, line.id.clone()))).collect();
        if let Some(from) = self.after() {
            self.shown = self.shown.split_off(&(from, String::new()));
        }
        fresh
    }

    /// From when on to ask again; `None`: nothing was shown yet.
    pub fn after(&self) -> Option<Timestamp> {
        self.shown.last().map(|(at, _)| at.checked_sub(Tail::LATE).unwrap_or(*at))
    }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;

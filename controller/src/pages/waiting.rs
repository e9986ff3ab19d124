//! What a browser sees while a service wakes.
//!
//! Its live part is rendered here only: in the page itself, and again for each change of it.

use super::asset::{Asset, BASE, MARK, WAITING, WAITING_SCRIPT};
use super::custom::{Custom, Filled, Template};
use super::escape::Escaped;
use super::estimate::Estimate;
use super::frame::{self, Page};
use super::progress::{Progress, Seen, Standing, State, Step};
use super::words::{Down, Took, Up, between};
use crate::views::condition;
use axum::body::Body;
use dormouse_core::view::ServiceView;
use dormouse_state::ConditionType;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::time::Duration;

/// Seconds until the page asks again by itself, where no script does.
const REFRESH: u64 = 2;

/// What takes less is not worth a number.
const SHORT: Duration = Duration::from_millis(50);

/// Where a waiting page finds what belongs to it.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Its event stream.
    pub events: String,
    /// Where its button asks for a wake.
    pub wake: String,
}

/// The waiting page of a service that somebody has asked to wake.
pub fn waiting(view: &ServiceView, custom: &Custom, paths: &Paths, now: Timestamp) -> Response<Body> {
    let accent = view.spec.wake.theme.accent.as_deref().map(accent);
    let styles: Vec<&Asset> =
        [Some(&*WAITING), custom.style.as_ref(), accent.as_ref()].into_iter().flatten().collect();
    let main = live(view, &Seen::default(), true, &paths.wake, now);
    let title = title(&Progress::of(view, &Seen::default(), true), called(view));
    let again = format!("<noscript><meta http-equiv=\"refresh\" content=\"{REFRESH}\"></noscript>");
    let url = &view.status.url;
    let mut response = match custom.of(view) {
        Some(template) => own(template, view, &styles, &again, &main, paths, now),
        None => {
            let events = Escaped(&paths.events);
            let body = format!(
                "<div class=\"center\"><main class=\"card\" data-events=\"{events}\">{main}</main>\
                 <footer>It sleeps while nobody uses it, and costs nothing then.</footer></div>"
            );
            let page = Page {
                styles: &styles,
                script: Some(&WAITING_SCRIPT),
                head: &again,
                leads_to: Some(url),
                now: Some(now),
                ..Page::new(StatusCode::SERVICE_UNAVAILABLE, &title, &body)
            };
            page.answer()
        }
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(REFRESH));
    response
}

/// A page of one's own, with the same head, script and live part.
fn own(
    template: &Template,
    view: &ServiceView,
    styles: &[&Asset],
    again: &str,
    main: &str,
    paths: &Paths,
    now: Timestamp,
) -> Response<Body> {
    let mut head = format!("<meta name=\"robots\" content=\"noindex\">{again}<style>{}</style>", BASE.text);
    styles.iter().for_each(|style| head.extend(["<style>", &style.text, "</style>"]));
    let html = template.fill(&Filled {
        name: &view.metadata.name,
        title: called(view),
        url: &view.status.url,
        live: &format!("<div class=\"card\" data-events=\"{}\">{main}</div>", Escaped(&paths.events)),
        now: &format!(" data-now=\"{}\"", now.as_millisecond()),
        head: &head,
        script: &format!("<script>{}</script>", WAITING_SCRIPT.text),
    });
    let hashes = styles.iter().map(|style| &style.hash).chain(&template.hashes).map(String::as_str);
    let policy = frame::policy(hashes, Some(&WAITING_SCRIPT), Some(&view.status.url));
    frame::answer(StatusCode::SERVICE_UNAVAILABLE, html, &policy)
}

/// What people call a service.
fn called(view: &ServiceView) -> &str {
    view.spec.wake.theme.title.as_deref().unwrap_or(&view.metadata.name)
}

/// The style of a colour of one's own. The manifest has checked that it is one.
fn accent(colour: &str) -> Asset {
    Asset::new(&[
        ":root{--accent:",
        colour,
        "}@media(prefers-color-scheme:dark){:root{--accent:color-mix(in srgb,",
        colour,
        " 55%,#fff)}}",
    ])
}

/// The live part of the page.
pub(super) fn live(view: &ServiceView, seen: &Seen, asked: bool, wake: &str, now: Timestamp) -> String {
    let progress = Progress::of(view, seen, asked);
    let name = called(view);
    let mut html = format!(
        "<div id=\"mark\">{MARK}</div><h1 id=\"title\">{}</h1><p id=\"lead\" class=\"soft\" role=\"status\">{}</p>",
        Escaped(&title(&progress, name)),
        Escaped(&lead(&progress)),
    );
    match progress.standing {
        Standing::Waking | Standing::Troubled => {
            pace(&mut html, view, &progress, now);
            if progress.standing == Standing::Troubled {
                trouble(&mut html, view, wake, now);
            }
            html.push_str("<ol id=\"steps\" aria-label=\"Steps\">");
            let how = progress.standing == Standing::Waking;
            progress.steps.iter().for_each(|step| write_step(&mut html, step, how, now));
            html.push_str("</ol>");
        }
        Standing::Asleep => again(&mut html, "again", wake, "Wake it up"),
        Standing::Ready | Standing::Going => {}
    }
    html
}

fn title(progress: &Progress, name: &str) -> String {
    match progress.standing {
        Standing::Waking => format!("{name} is waking up"),
        Standing::Troubled => format!("{name} has trouble waking up"),
        Standing::Ready => format!("{name} is ready"),
        Standing::Asleep => format!("{name} sleeps"),
        Standing::Going => format!("{name} is being deleted"),
    }
}

fn lead(progress: &Progress) -> String {
    match progress.standing {
        Standing::Waking => "This page opens it as soon as it answers.".to_owned(),
        Standing::Troubled => "This page goes on waiting, and opens it should it answer.".to_owned(),
        Standing::Ready => "It answers.".to_owned(),
        Standing::Asleep => "Nobody has used it for a while, or somebody has put it to sleep.".to_owned(),
        Standing::Going => "It does not wake any more.".to_owned(),
    }
}

/// How long it takes, and how long that usually is.
fn pace(html: &mut String, view: &ServiceView, progress: &Progress, now: Timestamp) {
    let estimate = Estimate::of(&view.status.wakes);
    html.push_str("<div id=\"pace\">");
    // Writing to a String cannot fail.
    let _ = match (progress.since, estimate) {
        _ if progress.standing == Standing::Troubled => Ok(()),
        (Some(since), Some(estimate)) => {
            let (most, gone) = (estimate.longest(), between(since, now));
            let value = gone.as_secs_f64().min(most.as_secs_f64() * 0.97);
            write!(
                html,
                "<progress aria-label=\"Waking\" max=\"{}\" value=\"{}\" data-up=\"{}\"></progress>",
                most.as_millis(),
                Duration::from_secs_f64(value).as_millis(),
                since.as_millisecond(),
            )
        }
        _ => write!(html, "<progress aria-label=\"Waking\"></progress>"),
    };
    html.push_str("<p>");
    let _ = match progress.since {
        Some(since) => write!(html, "<b>{}</b>", Up(since, now)),
        None => write!(html, "<b>0 s</b>"),
    };
    let words = match estimate {
        _ if progress.standing == Standing::Troubled => "since it was asked".to_owned(),
        Some(estimate) => estimate.to_string(),
        None => "the first time: no estimate yet".to_owned(),
    };
    let _ = write!(html, "<span class=\"soft\">{words}</span></p></div>");
}

/// `how`: whether it says what goes on in it.
fn write_step(html: &mut String, step: &Step, how: bool, now: Timestamp) {
    let (class, word) = match step.state {
        State::Done(_) => ("done", "done: "),
        State::Now(_) => ("now", "now: "),
        State::Later => ("later", "later: "),
    };
    let current = if class == "now" { " aria-current=\"step\"" } else { "" };
    let _ = write!(
        html,
        "<li class=\"{class}\"{current}><span class=\"dot\" aria-hidden=\"true\"></span>\
         <span class=\"what\"><span class=\"sr\">{word}</span>{}</span><span class=\"time\">",
        step.what
    );
    let _ = match step.state {
        State::Done(Some(took)) if took >= SHORT => write!(html, "{}", Took(took)),
        State::Now(Some(since)) => write!(html, "{}", Up(since, now)),
        _ => Ok(()),
    };
    html.push_str("</span>");
    if how && class == "now" {
        let _ = write!(html, "<span class=\"how\">{}</span>", Escaped(&step.how));
    }
    html.push_str("</li>");
}

fn trouble(html: &mut String, view: &ServiceView, wake: &str, now: Timestamp) {
    let words = condition(view, ConditionType::Degraded).map_or("", |degraded| degraded.message.as_str());
    let _ = write!(
        html,
        "<div id=\"trouble\" role=\"alert\"><h2>What is in the way</h2><p>{}</p>",
        Escaped(words)
    );
    let failures = view.status.failures;
    if failures > 0 || view.status.retry_at.is_some() {
        html.push_str("<p>");
        let _ = match failures {
            0 => Ok(()),
            1 => html.write_str("It was tried once. "),
            more => write!(html, "It was tried {more} times. "),
        };
        let _ = match view.status.retry_at {
            Some(at) => write!(html, "The next try is in {}.", Down(at, now)),
            None => html.write_str("It is being tried again."),
        };
        html.push_str("</p>");
    }
    let _ = write!(
        html,
        "<p>More, for those who run it: <code>dormouse why {}</code></p></div>",
        Escaped(&view.metadata.name)
    );
    again(html, "again", wake, "Try again");
}

fn again(html: &mut String, id: &str, wake: &str, words: &str) {
    let _ = write!(
        html,
        "<form id=\"{id}\" method=\"post\" action=\"{}\"><button>{words}</button></form>",
        Escaped(wake)
    );
}

#[cfg(test)]
mod tests;

//! The dashboard: every service, the instances, what happened.
//!
//! Its parts are rendered here only: in the page itself, and again for each change of them.
//!
//! # Layout
//!
//! - `row`: a service
//! - `panels`: instances and events
//! - `login`: the form that asks for the token

mod login;
mod panels;
mod row;

pub use login::login;
pub use panels::{EVENTS, events, instances};
pub use row::{Places, row};

use super::asset::{DASHBOARD, DASHBOARD_SCRIPT, MARK};
use super::escape::Escaped;
use super::frame::Page;
use axum::body::Body;
use dormouse_core::cost::Prices;
use dormouse_core::view::{EventView, InstanceView, ServiceView};
use http::{Response, StatusCode};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::sync::Arc;

/// What the dashboard is of.
#[derive(Debug)]
pub struct Shown<'a> {
    /// Every service, by name.
    pub services: &'a [Arc<ServiceView>],
    /// The instances.
    pub instances: &'a [InstanceView],
    /// What happened, the newest last.
    pub events: &'a [EventView],
    /// The public domain.
    pub domain: &'a str,
    /// What its buttons prove with that they are this page's.
    pub proof: &'a str,
    /// Where its event stream is.
    pub stream: &'a str,
    /// Where one logs out, when one has logged in.
    pub logout: Option<&'a str>,
    /// Dollars that services have cost this month, and that their sleep has saved.
    pub money: (f64, f64),
    /// Dollars a month for the installation itself, while all sleeps.
    pub idle: f64,
    /// The time of day.
    pub now: Timestamp,
}

const COLUMNS: [&str; 8] =
    ["Service", "State", "Why", "Sleeps in", "Tasks", "Instance", "Last wakes", "Actions"];

/// The page.
pub fn dashboard(shown: &Shown<'_>) -> Response<Body> {
    let Shown { services, now, .. } = *shown;
    let places = Places::of(shown.instances);
    let mut body = String::with_capacity(4096 + services.len() * 1500);
    header(&mut body, shown);
    let _ = write!(
        body,
        "<main data-stream=\"{}\"><section aria-labelledby=\"services\"><div class=\"bar\"><h2 id=\"services\">Services</h2>\
         <div id=\"counts\" role=\"group\" aria-label=\"Show only\" hidden>",
        Escaped(shown.stream)
    );
    for (state, word) in row::STATES {
        let _ = write!(
            body,
            "<button class=\"chip {state}\" data-only=\"{state}\" aria-pressed=\"false\"><b>0</b> {word}</button>"
        );
    }
    body.push_str(
        "</div><input id=\"find\" type=\"search\" placeholder=\"Find a service\" aria-label=\"Find a service\" \
         autocomplete=\"off\" spellcheck=\"false\" hidden></div>",
    );
    let _ = write!(
        body,
        "<p id=\"none\" class=\"soft empty\"{}>No service is declared yet. <code>dormouse apply -f FILE</code> declares some.</p>",
        if services.is_empty() { "" } else { " hidden" }
    );
    let _ = write!(body, "<table{}><thead><tr>", if services.is_empty() { " hidden" } else { "" });
    for column in COLUMNS {
        let _ = write!(body, "<th scope=\"col\">{column}</th>");
    }
    body.push_str("</tr></thead><tbody id=\"rows\">");
    services.iter().for_each(|view| row(&mut body, view, &places, now));
    body.push_str("</tbody></table>");
    money(&mut body, shown.money, shown.idle);
    body.push_str(
        "<p id=\"nothing\" class=\"soft empty\" hidden>No service matches.</p></section><div class=\"two\">",
    );
    instances(&mut body, shown.instances);
    events(&mut body, shown.events, now);
    body.push_str("</div></main><p id=\"said\" role=\"status\" aria-live=\"polite\"></p>");
    let head = format!("<meta name=\"proof\" content=\"{}\">", Escaped(shown.proof));
    let page = Page {
        styles: &[&DASHBOARD],
        script: Some(&DASHBOARD_SCRIPT),
        head: &head,
        now: Some(now),
        ..Page::new(StatusCode::OK, "Dormouse", &body)
    };
    page.answer()
}

/// As it was when the page was opened.
fn money(body: &mut String, (spent, saved): (f64, f64), idle: f64) {
    let date = &Prices::shipped().date;
    let _ = write!(
        body,
        "<p class=\"soft cost\">This month: about ${spent:.2} spent on being awake, ${saved:.2} saved by sleep (list prices of {}; \
         <code>dormouse cost</code> has each service). Asleep, the installation itself takes about ${idle:.2} a month.</p>",
        Escaped(date)
    );
}

fn header(body: &mut String, shown: &Shown<'_>) {
    let _ = write!(
        body,
        "<header>{MARK}<div><h1>Dormouse</h1><p class=\"soft\">{}</p></div>\
         <span id=\"link\" class=\"soft\" role=\"status\"><noscript>Without scripts this page is as it was when it was opened.</noscript></span>",
        Escaped(shown.domain)
    );
    if let Some(logout) = shown.logout {
        let _ = write!(
            body,
            "<form method=\"post\" action=\"{}\"><button class=\"plain\">Log out</button></form>",
            Escaped(logout)
        );
    }
    body.push_str("</header>");
}

#[cfg(test)]
mod tests;

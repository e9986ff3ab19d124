//! Logging, to stderr: one line an event, JSON unless somebody watches.

use crate::settings::{self, Source, Wrong};
use std::io::{self, IsTerminal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    filter: Targets,
    json: bool,
}

impl Settings {
    /// Reads `DORMOUSE_LOG` (`info`; also `warn,dormouse_proxy=debug`) and `DORMOUSE_LOG_FORMAT` (`json`, or
    /// `text`, which is the default on a terminal).
    ///
    /// # Errors
    /// The wrong one.
    pub fn read(source: &dyn Source) -> Result<Settings, Wrong> {
        let filter = settings::text(source, "DORMOUSE_LOG").unwrap_or_else(|| "info".to_owned());
        let accepted = "off, error, warn, info, debug, trace, or a list such as warn,dormouse_proxy=debug";
        let json = match settings::text(source, "DORMOUSE_LOG_FORMAT").as_deref() {
            None => !io::stderr().is_terminal(),
            Some("json") => true,
            Some("text") => false,
            Some(other) => return Err(Wrong::new("DORMOUSE_LOG_FORMAT", Some(other), "json or text")),
        };
        match filter.parse() {
            Ok(targets) => Ok(Settings { filter: targets, json }),
            Err(_) => Err(Wrong::new("DORMOUSE_LOG", Some(&filter), accepted)),
        }
    }

    /// Starts to log, for the whole process. Only the first call counts.
    pub fn start(self) {
        let base = tracing_subscriber::registry().with(self.filter);
        // A log that nobody reads any more is no reason to end: complaining about it on stderr would panic.
        // An `Err` says that a subscriber is set already, as in a test.
        let _ = if self.json {
            let layer =
                fmt::layer().json().flatten_event(true).log_internal_errors(false).with_writer(io::stderr);
            tracing::subscriber::set_global_default(base.with(layer))
        } else {
            let layer = fmt::layer()
                .log_internal_errors(false)
                .with_ansi(io::stderr().is_terminal())
                .with_writer(io::stderr);
            tracing::subscriber::set_global_default(base.with(layer))
        };
    }
}

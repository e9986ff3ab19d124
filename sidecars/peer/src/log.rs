//! Logging, to stderr: one line an event, JSON unless somebody watches.
//!
//! The controller logs with `tracing-subscriber`. A sidecar's image is pulled at every cold start, and that crate would
//! be a tenth of it: this is the part of it that a sidecar uses.

use crate::settings::{self, Source, Wrong};
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    filter: Filter,
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
        match Filter::read(&filter) {
            Some(filter) => Ok(Settings { filter, json }),
            None => Err(Wrong::new("DORMOUSE_LOG", Some(&filter), accepted)),
        }
    }

    /// Starts to log, for the whole process. Only the first call counts.
    pub fn start(self) {
        // An `Err` says that a subscriber is set already, as in a test.
        let _ = tracing::subscriber::set_global_default(Log(self));
    }
}

/// Levels by target; the longest target that fits decides.
#[derive(Debug, Clone)]
struct Filter {
    default: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

impl Filter {
    fn read(text: &str) -> Option<Filter> {
        let mut filter = Filter { default: LevelFilter::OFF, targets: Vec::new() };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((target, level)) => filter.targets.push((target.trim().to_owned(), read_level(level)?)),
                None => filter.default = read_level(part)?,
            }
        }
        filter.targets.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Some(filter)
    }

    fn of(&self, target: &str) -> LevelFilter {
        self.targets
            .iter()
            .find(|(prefix, _)| target.starts_with(prefix))
            .map_or(self.default, |(_, level)| *level)
    }

    fn most(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.default, LevelFilter::max)
    }
}

fn read_level(text: &str) -> Option<LevelFilter> {
    // Numbers, and nothing at all, would be read as levels, too.
    let text = text.trim();
    let is_word = !text.is_empty() && text.chars().all(char::is_alphabetic);
    text.parse().ok().filter(|_| is_word)
}

struct Log(Settings);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.0.filter.of(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.filter.most())
    }

    fn event(&self, event: &Event<'_>) {
        #[allow(clippy::disallowed_methods, reason = "a line of a log has the wall clock's time")]
        let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = line(self.0.json, now, event.metadata(), |fields| event.record(fields));
        line.push('\n');
        // A log that nobody reads any more is no reason to end.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    // Sidecars have no spans.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

fn line(json: bool, now: Duration, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) -> String {
    let mut fields = Fields { json, message: String::new(), rest: String::new() };
    record(&mut fields);
    let (time, level, target) = (Time(now), metadata.level(), metadata.target());
    let Fields { message, rest, .. } = fields;
    if json {
        let target = quoted(target);
        format!("{{\"timestamp\":\"{time}\",\"level\":\"{level}\"{message}{rest},\"target\":{target}}}")
    } else {
        format!("{time} {level:>5} {target}:{message}{rest}")
    }
}

/// The fields of an event, as they stand in the line: the message first.
struct Fields {
    json: bool,
    message: String,
    rest: String,
}

impl Fields {
    /// `value` is JSON already.
    fn put(&mut self, field: &Field, value: &str) {
        // Writing to a string does not fail.
        let _ = match (self.json, field.name()) {
            (true, "message") => write!(self.message, ",\"message\":{value}"),
            (true, name) => write!(self.rest, ",{}:{value}", quoted(name)),
            (false, name) => write!(self.rest, " {name}={value}"),
        };
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.json && field.name() == "message" {
            let _ = write!(self.message, " {value:?}");
        } else if self.json {
            self.put(field, &quoted(&format!("{value:?}")));
        } else {
            self.put(field, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, &quoted(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, if value { "true" } else { "false" });
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A time since 1970, in RFC 3339 with microseconds.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.as_secs(), self.0.subsec_micros());
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Of the proleptic Gregorian calendar: eras of 400 years, years that begin in March.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let date = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_799, "2000-02-29T23:59:59.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Time(Duration::from_secs(seconds)).to_string(), text);
        }
        assert_eq!(Time(Duration::from_micros(1_000_042)).to_string(), "1970-01-01T00:00:01.000042Z");
    }

    #[test]
    fn the_longest_target_decides() {
        let filter = Filter::read("warn, dormouse_proxy=debug,dormouse_proxy::pool=off").unwrap();
        for (target, level) in [
            ("hyper", LevelFilter::WARN),
            ("dormouse_proxy::serve", LevelFilter::DEBUG),
            ("dormouse_proxy::pool", LevelFilter::OFF),
        ] {
            assert_eq!(filter.of(target), level, "{target}");
        }
        assert_eq!(filter.most(), LevelFilter::DEBUG);
        assert_eq!(Filter::read("INFO").unwrap().of("x"), LevelFilter::INFO);
        for bad in ["loud", "a=loud", "3", "a=", "a"] {
            assert!(Filter::read(bad).is_none(), "{bad}");
        }
    }

    /// Keeps lines instead of writing them.
    struct Kept(bool, Arc<Mutex<Vec<String>>>);

    impl Subscriber for Kept {
        fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            let line = line(self.0, Duration::ZERO, event.metadata(), |fields| event.record(fields));
            self.1.lock().unwrap().push(line);
        }
        fn new_span(&self, _span: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _span: &Id, _values: &Record<'_>) {}
        fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
        fn enter(&self, _span: &Id) {}
        fn exit(&self, _span: &Id) {}
    }

    #[test]
    fn lines() {
        let said = |json| {
            let lines = Arc::<Mutex<Vec<String>>>::default();
            tracing::subscriber::with_default(Kept(json, Arc::clone(&lines)), || {
                let quoted = "a \"b\"\n";
                tracing::info!(target: "t", port = 5, text = quoted, debug = ?Some(1), no = None::<u8>, ok = true, "says {}", 1);
            });
            lines.lock().unwrap().remove(0)
        };
        assert_eq!(
            said(true),
            r#"{"timestamp":"1970-01-01T00:00:00.000000Z","level":"INFO","message":"says 1","port":5,"text":"a \"b\"\n","debug":"Some(1)","ok":true,"target":"t"}"#
        );
        assert_eq!(
            said(false),
            r#"1970-01-01T00:00:00.000000Z  INFO t: says 1 port=5 text="a \"b\"\n" debug=Some(1) ok=true"#
        );
    }
}

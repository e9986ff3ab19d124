//! Awake windows as plain data; whether one is open now is decided elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::patterns;

/// Days and times at which a service is kept awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwakeWindow {
    /// Days on which the window opens.
    #[serde(default = "Days::daily")]
    pub days: Days,
    /// When it opens.
    #[serde(with = "clock")]
    #[schemars(with = "patterns::Clock")]
    pub from: Time,
    /// When it closes; at or before `from` it is the next day's time.
    #[serde(with = "clock")]
    #[schemars(with = "patterns::Clock")]
    pub to: Time,
    /// IANA time zone that the times are in, such as `Europe/Paris`.
    #[serde(default = "AwakeWindow::default_timezone")]
    #[schemars(regex(pattern = patterns::TIMEZONE))]
    pub timezone: String,
}

impl AwakeWindow {
    /// It closes on the day after the one it opens on: `22:00` to `06:00`, or `00:00` to `00:00`
    /// for a whole day.
    pub fn closes_next_day(&self) -> bool {
        self.to <= self.from
    }

    pub(crate) fn default_timezone() -> String {
        "UTC".to_owned()
    }
}

/// A set of days of the week. Written as `daily`, `Mon-Fri`, `Sat,Sun`, `Mon-Wed,Fri`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

/// Monday first, as the bits are.
const NAMES: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

impl Days {
    /// Every day.
    pub fn daily() -> Days {
        Days(0b111_1111)
    }

    /// Whether the day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// The days, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        NAMES.into_iter().map(|(_, day)| day).filter(move |day| self.contains(*day))
    }
}

impl FromIterator<Weekday> for Days {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Days {
        Days(days.into_iter().fold(0, |set, day| set | bit(day)))
    }
}

/// Why a text is not a set of days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DaysError {
    /// No day at all.
    #[error("a day is missing")]
    Empty,
    /// Not a day's name.
    #[error("`{0}` is not a day")]
    Unknown(String),
}

fn day(name: &str) -> Result<usize, DaysError> {
    if name.is_empty() {
        return Err(DaysError::Empty);
    }
    NAMES.iter().position(|(known, _)| *known == name).ok_or_else(|| DaysError::Unknown(name.to_owned()))
}

impl FromStr for Days {
    type Err = DaysError;

    fn from_str(text: &str) -> Result<Days, DaysError> {
        if text.trim() == "daily" {
            return Ok(Days::daily());
        }
        let mut set = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first.trim())?, day(last.trim())?);
            // `Fri-Mon` goes around the end of the week.
            let length = (last + 7 - first) % 7;
            for offset in 0..=length {
                set |= 1 << ((first + offset) % 7);
            }
        }
        Ok(Days(set))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Days::daily() {
            return f.write_str("daily");
        }
        let mut parts: Vec<String> = Vec::new();
        let mut run: Vec<&str> = Vec::new();
        for (name, day) in NAMES {
            if self.contains(day) {
                run.push(name);
            } else {
                flush(&mut run, &mut parts);
            }
        }
        flush(&mut run, &mut parts);
        f.write_str(&parts.join(","))
    }
}

/// Three days and more in a row are written as a range.
fn flush(run: &mut Vec<&str>, parts: &mut Vec<String>) {
    match run.as_slice() {
        [first, .., last] if run.len() > 2 => parts.push(format!("{first}-{last}")),
        days => parts.extend(days.iter().map(|day| (*day).to_owned())),
    }
    run.clear();
}

impl fmt::Debug for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Days({self})")
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Days, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Days {
    fn schema_name() -> Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let day = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
        json_schema!({
            "description": "Days of the week: `daily`, `Mon-Fri`, `Sat,Sun` or `Mon-Wed,Fri`.",
            "type": "string",
            "pattern": format!("^(daily|{day}(-{day})?( *, *{day}(-{day})?)*)$"),
        })
    }
}

/// Why a text is not a time of the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time of the day is written `08:00`, from `00:00` to `23:59`")]
pub struct ClockError;

/// Reads `HH:MM`.
///
/// # Errors
/// When it is something else.
pub fn parse_clock(text: &str) -> Result<Time, ClockError> {
    let digits = |text: &str| -> Option<i8> {
        let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| two)
    };
    let (hour, minute) = text.trim().split_once(':').ok_or(ClockError)?;
    let (hour, minute) = digits(hour).zip(digits(minute)).ok_or(ClockError)?;
    Time::new(hour, minute, 0, 0).map_err(|_| ClockError)
}

/// For `#[serde(with = "…")]`: a time of the day as `HH:MM`.
pub mod clock {
    use super::{Deserialize, Deserializer, Serializer, Time, de, parse_clock};

    /// Writes the text.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(value: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:02}:{:02}", value.hour(), value.minute()))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// When it is not `HH:MM`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        parse_clock(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

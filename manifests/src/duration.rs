//! Durations as people write them: `500ms`, `5s`, `15m`, `1h30m`, `2h`, `1d`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::types::IdleAfter;

/// The pattern of a duration: units from the largest down, each at most once, at least one.
pub(crate) const PATTERN: &str =
    "^(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$";

/// The same, and not zero.
pub(crate) const POSITIVE_PATTERN: &str =
    "^(?=.*[1-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$";

/// Forms to show when a duration is not understood.
pub(crate) const FORMS: &str = "`500ms`, `5s`, `15m`, `1h30m`, `2h` or `1d`";

/// Nothing here takes longer than a year, and so small a number never overflows a clock.
const MAX_MILLIS: u64 = 366 * 86_400_000;

/// Units from the largest down, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing but blanks.
    #[error("a duration is missing")]
    Empty,
    /// It starts with a minus.
    #[error("a duration cannot be negative")]
    Negative,
    /// Digits without a unit behind them.
    #[error("the unit is missing after `{0}`")]
    NoUnit(String),
    /// Letters that are no unit.
    #[error("`{0}` is not a unit of time; the units are d, h, m, s and ms")]
    UnknownUnit(String),
    /// A smaller unit in front of a larger one, or the same one twice.
    #[error("`{0}` is out of order: each unit once, the largest first")]
    Order(String),
    /// Something else than digits where a number belongs.
    #[error("a whole number is expected before the unit")]
    NoNumber,
    /// More than a year.
    #[error("`{0}` is more than a year")]
    TooLong(String),
}

/// Reads a duration.
///
/// # Errors
/// When the text is not in one of the forms above.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest.starts_with('-') {
        return Err(DurationError::Negative);
    }
    let mut total: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(digits_end);
        if digits.is_empty() {
            return Err(DurationError::NoNumber);
        }
        let unit_end = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_end);
        if unit.is_empty() {
            return Err(DurationError::NoUnit(digits.to_owned()));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(DurationError::UnknownUnit(unit.to_owned()));
        };
        if index < next_unit {
            return Err(DurationError::Order(format!("{digits}{unit}")));
        }
        next_unit = index + 1;
        // As many digits as the schema's pattern allows.
        let too_long = || DurationError::TooLong(format!("{digits}{unit}"));
        if digits.len() > 9 {
            return Err(too_long());
        }
        let count: u64 = digits.parse().map_err(|_| too_long())?;
        let millis = UNITS.get(index).map_or(0, |(_, millis)| *millis);
        total = count.checked_mul(millis).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
        rest = after;
    }
    if total > MAX_MILLIS {
        return Err(DurationError::TooLong(text.trim().to_owned()));
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration, without units that are zero: `1h30m`. What is below a millisecond is cut off.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, millis) in UNITS {
        let count = rest / millis;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
            rest %= millis;
        }
    }
    text
}

/// For `#[serde(with = "…")]`: a [`Duration`] as text.
pub mod text {
    use super::{Deserialize, Deserializer, Duration, Serializer, de, format_duration};

    /// Writes the text.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format_duration(*value))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_duration(&text).map_err(de::Error::custom)
    }
}

/// For `#[serde(with = "…")]`: a [`Duration`] that need not be there, as text.
pub mod optional {
    use super::{Deserialize, Deserializer, Duration, Serializer, de, format_duration};

    /// Writes the text.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_some(&format_duration(*value)),
            None => to.serialize_none(),
        }
    }

    /// Reads the text, or nothing.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::parse_duration(&text).map_err(de::Error::custom)).transpose()
    }
}

impl Serialize for IdleAfter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdleAfter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<IdleAfter, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl std::fmt::Display for IdleAfter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IdleAfter::Never => f.write_str("never"),
            IdleAfter::After(duration) => f.write_str(&format_duration(*duration)),
        }
    }
}

impl std::str::FromStr for IdleAfter {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<IdleAfter, DurationError> {
        match text.trim() {
            "never" => Ok(IdleAfter::Never),
            other => parse_duration(other).map(IdleAfter::After),
        }
    }
}

impl JsonSchema for IdleAfter {
    fn schema_name() -> Cow<'static, str> {
        "IdleAfter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "When it sleeps by itself: `never`, or a duration.",
            "anyOf": [
                {"type": "string", "const": "never"},
                {"type": "string", "pattern": POSITIVE_PATTERN},
            ],
        })
    }
}

/// The schema of a duration.
pub(crate) struct DurationText;

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration such as `500ms`, `5s`, `15m`, `1h30m`, `2h` or `1d`.",
            "type": "string",
            "pattern": PATTERN,
        })
    }
}

/// The schema of a duration that is not zero.
pub(crate) struct PositiveDurationText;

impl JsonSchema for PositiveDurationText {
    fn schema_name() -> Cow<'static, str> {
        "PositiveDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration such as `500ms`, `5s`, `15m`, `1h30m`, `2h` or `1d`; not zero.",
            "type": "string",
            "pattern": POSITIVE_PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DurationError, format_duration, parse_duration};

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis, written) in [
            ("500ms", 500, "500ms"),
            ("5s", 5_000, "5s"),
            ("90s", 90_000, "1m30s"),
            ("15m", 900_000, "15m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("24h", 86_400_000, "1d"),
            ("1d1ms", 86_400_001, "1d1ms"),
            ("0s", 0, "0s"),
            (" 2h ", 7_200_000, "2h"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(format_duration(duration), written);
        }
    }

    #[test]
    fn other_texts_say_why_not() {
        for (text, error) in [
            ("", DurationError::Empty),
            ("-5m", DurationError::Negative),
            ("15", DurationError::NoUnit("15".into())),
            ("m", DurationError::NoNumber),
            ("5m30", DurationError::NoUnit("30".into())),
            ("5w", DurationError::UnknownUnit("w".into())),
            ("5µs", DurationError::UnknownUnit("µs".into())),
            ("5m1h", DurationError::Order("1h".into())),
            ("5m5m", DurationError::Order("5m".into())),
            ("367d", DurationError::TooLong("367d".into())),
            ("99999999999999999999d", DurationError::TooLong("99999999999999999999d".into())),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }
}

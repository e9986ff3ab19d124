//! Rates: `10/m`, `5/s`, `100/h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The pattern of a rate, or `none`.
const PATTERN: &str = "^(none|[1-9][0-9]{0,8}/[smh])$";

/// So many in so long, per client address. Written as `10/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub count: u32,
    /// In which time: a second, a minute or an hour.
    pub per: Duration,
}

impl RateLimit {
    /// Ten in a minute: enough for a person, too few for a crawler.
    pub const DEFAULT: RateLimit = RateLimit { count: 10, per: Duration::from_secs(60) };
}

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a whole number from 1 on, a slash and s, m or h")]
pub struct RateError;

impl FromStr for RateLimit {
    type Err = RateError;

    fn from_str(text: &str) -> Result<RateLimit, RateError> {
        let (count, unit) = text.trim().split_once('/').ok_or(RateError)?;
        let per = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(RateError),
        };
        // As the schema's pattern: no sign, no leading zero, nine digits.
        let plain = count.len() <= 9 && !count.starts_with('0') && count.bytes().all(|b| b.is_ascii_digit());
        let count = count.parse().ok().filter(|_| plain).ok_or(RateError)?;
        Ok(RateLimit { count, per: Duration::from_secs(per) })
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            ..=1 => "s",
            2..=60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// Reads a rate, or `none`.
///
/// # Errors
/// When it is neither.
pub fn parse_optional(text: &str) -> Result<Option<RateLimit>, RateError> {
    match text.trim() {
        "none" => Ok(None),
        other => other.parse().map(Some),
    }
}

/// For `#[serde(with = "…")]`: a rate, or `none`.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::RateLimit;

    /// Writes the text.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(value: &Option<RateLimit>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            None => to.serialize_str("none"),
            Some(rate) => to.collect_str(rate),
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// When it is neither a rate nor `none`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RateLimit>, D::Error> {
        super::parse_optional(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The schema of a rate.
pub(crate) struct RateLimitText;

impl JsonSchema for RateLimitText {
    fn schema_name() -> Cow<'static, str> {
        "RateLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A rate such as `10/m`, `5/s` or `100/h`; `none` lifts the limit.",
            "type": "string",
            "pattern": PATTERN,
        })
    }
}

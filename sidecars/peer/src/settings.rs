//! Reading settings from any source, and saying what is wrong with one.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Where settings come from: the process's environment, or a test's table.
pub trait Source {
    /// The value of a variable, `None` when it is unset.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Source for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The process's environment: what `main` passes on. A value that is not UTF-8 reads as replacement
/// characters, so that it is refused where it matters rather than taken for unset.
#[allow(clippy::disallowed_methods, reason = "this is the edge where settings are read once")]
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A setting that cannot be used: which, its value, and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The variable's name.
    pub name: &'static str,
    /// Its value, `None` when it is unset (or a secret).
    pub value: Option<String>,
    /// What is accepted, as a noun phrase.
    pub accepted: String,
}

impl Wrong {
    /// A setting that has this value but accepts another.
    pub fn new(name: &'static str, value: Option<&str>, accepted: impl Into<String>) -> Wrong {
        Wrong { name, value: value.map(str::to_owned), accepted: accepted.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?} is not accepted: give {}", self.name, self.accepted),
            None => write!(f, "{} is missing: give {}", self.name, self.accepted),
        }
    }
}

impl std::error::Error for Wrong {}

/// A text, trimmed; an empty one is as good as unset (compose files and task definitions set such).
pub fn text(source: &dyn Source, name: &str) -> Option<String> {
    let value = source.get(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// A whole number within a range.
///
/// # Errors
/// Anything that is not one.
pub fn number<T>(
    source: &dyn Source,
    name: &'static str,
    range: RangeInclusive<T>,
    default: T,
) -> Result<T, Wrong>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let Some(value) = text(source, name) else { return Ok(default) };
    match value.parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(Wrong::new(
            name,
            Some(&value),
            format!("a whole number from {} to {}", range.start(), range.end()),
        )),
    }
}

/// A duration in whole milliseconds, within a range of milliseconds.
///
/// # Errors
/// Anything that is not one.
pub fn millis(
    source: &dyn Source,
    name: &'static str,
    range: RangeInclusive<u64>,
    default: u64,
) -> Result<Duration, Wrong> {
    number(source, name, range, default).map(Duration::from_millis).map_err(|mut wrong| {
        wrong.accepted = wrong.accepted.replacen("a whole number", "a whole number of milliseconds", 1);
        wrong
    })
}

/// An HTTP path that starts with `/`.
///
/// # Errors
/// Anything that cannot stand in a request line.
pub fn path(source: &dyn Source, name: &'static str, default: &str) -> Result<String, Wrong> {
    let value = text(source, name).unwrap_or_else(|| default.to_owned());
    let fits = value.starts_with('/') && value.parse::<::http::uri::PathAndQuery>().is_ok();
    if fits {
        Ok(value)
    } else {
        Err(Wrong::new(name, Some(&value), "a path that starts with / and needs no escaping"))
    }
}

/// A host name or an IP address, without a port.
///
/// # Errors
/// Anything that is neither.
pub fn host(source: &dyn Source, name: &'static str) -> Result<Option<String>, Wrong> {
    let Some(value) = text(source, name) else { return Ok(None) };
    let is_name = value.len() <= 253
        && value.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if is_name || value.parse::<std::net::IpAddr>().is_ok() {
        Ok(Some(value))
    } else {
        Err(Wrong::new(name, Some(&value), "a host name or an IP address, without a port"))
    }
}

/// What travels over a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, with upgrades.
    Http,
    /// HTTP/2 without TLS, as gRPC has it.
    H2c,
    /// Bytes.
    Tcp,
}

/// The setting `PROTOCOL`.
///
/// # Errors
/// Anything but `http`, `h2c` and `tcp`.
pub fn protocol(source: &dyn Source) -> Result<Protocol, Wrong> {
    match text(source, "PROTOCOL").as_deref() {
        None | Some("http") => Ok(Protocol::Http),
        Some("h2c") => Ok(Protocol::H2c),
        Some("tcp") => Ok(Protocol::Tcp),
        Some(other) => Err(Wrong::new("PROTOCOL", Some(other), "http, h2c or tcp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &'static str, value: &'static str) -> impl Source {
        move |asked: &str| (asked == name).then(|| value.to_owned())
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(number(&one("A", ""), "A", 1..=9, 5), Ok(5), "empty is unset");
        assert_eq!(number(&one("A", " 7 "), "A", 1..=9, 5), Ok(7));
        for bad in ["0", "10", "-1", "7.5", "seven", "99999999999999999999"] {
            let wrong = number(&move |_: &str| Some(bad.to_owned()), "A", 1..=9, 5).unwrap_err();
            assert_eq!(
                wrong.to_string(),
                format!("A={bad:?} is not accepted: give a whole number from 1 to 9")
            );
        }
    }

    #[test]
    fn a_wrong_duration_says_its_unit() {
        let wrong = millis(&one("A", "5s"), "A", 10..=1000, 50).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            r#"A="5s" is not accepted: give a whole number of milliseconds from 10 to 1000"#
        );
    }

    #[test]
    fn hosts_and_paths() {
        for good in ["demo", "a.b.example", "10.0.0.1", "::1", "my_service"] {
            assert_eq!(host(&move |_: &str| Some(good.into()), "H"), Ok(Some(good.into())));
        }
        for bad in ["http://demo", "demo:80", "a b", "a..b", "é"] {
            assert!(host(&move |_: &str| Some(bad.into()), "H").is_err(), "{bad}");
        }
        assert_eq!(path(&one("P", "/a?b=c"), "P", "/"), Ok("/a?b=c".into()));
        for bad in ["a", "/a b", "http://a/"] {
            assert!(path(&move |_: &str| Some(bad.into()), "P", "/").is_err(), "{bad}");
        }
    }
}

//! The settings that both sidecars have.

use crate::link;
use crate::log;
use crate::settings::{self, Protocol, Source, Wrong};
use crate::watch;
use std::net::IpAddr;
use std::time::Duration;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What both sidecars read.
#[derive(Debug, Clone)]
pub struct Common {
    /// `SERVICE_NAME`: for logs only; the token says who this is.
    pub service_name: Option<String>,
    /// `DOMAIN`: for logs only.
    pub domain: Option<String>,
    /// `LISTEN_ADDRESS`.
    pub listen_address: IpAddr,
    /// `PROTOCOL`.
    pub protocol: Protocol,
    /// `HEALTH_CHECK_BASE_INTERVAL`, `MAX_HEALTH_CHECK_FAILURES`, `HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS`.
    pub watch: watch::Settings,
    /// `HEALTH_CHECK_PATH`: of the user's container, whoever asks.
    pub health_path: String,
    /// `DORMOUSE_CONTROLLER_URL`, `DORMOUSE_TASK_TOKEN`; `None` = stand-alone.
    pub link: Option<link::Settings>,
    /// `DORMOUSE_LOG`, `DORMOUSE_LOG_FORMAT`.
    pub log: log::Settings,
}

impl Common {
    /// Reads them; `grace_ms` is the default of `HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS`, which differs.
    ///
    /// # Errors
    /// The first wrong one.
    pub fn read(source: &dyn Source, grace_ms: u64) -> Result<Common, Wrong> {
        Ok(Common {
            service_name: settings::text(source, "SERVICE_NAME"),
            domain: settings::text(source, "DOMAIN"),
            listen_address: listen_address(source)?,
            protocol: settings::protocol(source)?,
            watch: watch::Settings {
                base: settings::millis(source, "HEALTH_CHECK_BASE_INTERVAL", 10..=DAY_MS, 5000)?,
                max_failures: settings::number(source, "MAX_HEALTH_CHECK_FAILURES", 1..=10_000, 5)?,
                grace: settings::millis(
                    source,
                    "HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS",
                    0..=DAY_MS,
                    grace_ms,
                )?,
            },
            health_path: settings::path(source, "HEALTH_CHECK_PATH", "/")?,
            link: link_settings(source)?,
            log: log::Settings::read(source)?,
        })
    }
}

/// `LISTEN_ADDRESS`, default `0.0.0.0`.
///
/// # Errors
/// Anything but an IP address.
pub fn listen_address(source: &dyn Source) -> Result<IpAddr, Wrong> {
    let value = settings::text(source, "LISTEN_ADDRESS").unwrap_or_else(|| "0.0.0.0".to_owned());
    value
        .trim_matches(['[', ']'])
        .parse()
        .map_err(|_| Wrong::new("LISTEN_ADDRESS", Some(&value), "an IP address, such as 0.0.0.0"))
}

/// A port that others connect to.
///
/// # Errors
/// Anything but a number from 1 to 65535.
pub fn port(source: &dyn Source, name: &'static str, default: u16) -> Result<u16, Wrong> {
    settings::number(source, name, 1..=u16::MAX, default)
}

/// A duration of up to 366 days in milliseconds; `None` when it is unset or 0.
///
/// # Errors
/// Anything that is not one.
pub fn optional_millis(source: &dyn Source, name: &'static str) -> Result<Option<Duration>, Wrong> {
    let value = settings::millis(source, name, 0..=366 * DAY_MS, 0)?;
    Ok((!value.is_zero()).then_some(value))
}

fn link_settings(source: &dyn Source) -> Result<Option<link::Settings>, Wrong> {
    let Some(url) = settings::text(source, "DORMOUSE_CONTROLLER_URL") else { return Ok(None) };
    let Some(token) = settings::text(source, "DORMOUSE_TASK_TOKEN") else {
        return Err(Wrong::new(
            "DORMOUSE_TASK_TOKEN",
            None,
            "the task's token, as DORMOUSE_CONTROLLER_URL is set (unset both to stand alone)",
        ));
    };
    link::Settings::new(&url, &token).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Common, Wrong> {
        let source =
            |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Common::read(&source, 1000)
    }

    #[test]
    fn nothing_is_required() {
        let common = read(&[]).unwrap();
        assert_eq!(
            common.watch,
            watch::Settings { base: Duration::from_secs(5), max_failures: 5, grace: Duration::from_secs(1) }
        );
        assert!(common.link.is_none() && common.health_path == "/");
    }

    #[test]
    fn wrong_ones_are_named() {
        for (name, value) in [
            ("LISTEN_ADDRESS", "localhost"),
            ("PROTOCOL", "HTTP"),
            ("MAX_HEALTH_CHECK_FAILURES", "0"),
            ("HEALTH_CHECK_BASE_INTERVAL", "1"),
            ("HEALTH_CHECK_INITIAL_GRACE_PERIOD_MS", "-5"),
            ("HEALTH_CHECK_PATH", "health"),
            ("DORMOUSE_LOG", "dormouse=loud"),
            ("DORMOUSE_LOG_FORMAT", "xml"),
        ] {
            let wrong = read(&[(name, value)]).unwrap_err();
            assert_eq!((wrong.name, wrong.value.as_deref()), (name, Some(value)));
        }
        let wrong = read(&[("DORMOUSE_CONTROLLER_URL", "http://c")]).unwrap_err();
        assert_eq!((wrong.name, wrong.value), ("DORMOUSE_TASK_TOKEN", None));
    }
}

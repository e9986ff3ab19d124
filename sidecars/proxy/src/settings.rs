//! The proxy's settings.

use dormouse_peer::common::{Common, optional_millis, port};
use dormouse_peer::settings::{self, Source, Wrong};
use dormouse_peer::wire::PeerAddress;
use std::time::Duration;

/// Port of the user's container, unless told otherwise.
const SERVICE_PORT: u16 = 9050;
/// A service may take long to get an instance, an image and a start.
const GRACE_MS: u64 = 600_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the proxy is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What both sidecars read.
    pub common: Common,
    /// `PROXY_PORT`; 0 takes any free one.
    pub port: u16,
    /// `HEALTH_PORT`: `/health` in tcp mode; 0 takes any free one.
    pub health_port: u16,
    /// `UPSTREAM_HOST` and `UPSTREAM_PORT`; `None` = from the controller.
    pub upstream: Option<PeerAddress>,
    /// `HOLD_MS`: how long a request waits for a service that starts.
    pub hold: Duration,
    /// `CONNECT_TIMEOUT_MS`: how long the service may take to take a connection.
    pub connect_timeout: Duration,
    /// `HEADER_TIMEOUT_MS`: how long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// `IDLE_TIMEOUT_MS`: how long a client's connection is kept after an answer.
    pub idle_timeout: Duration,
    /// `BODY_TIMEOUT_MS`: a client that sends nothing of its body, or takes nothing of its answer, is cut off then.
    pub body_timeout: Option<Duration>,
    /// `RESPONSE_TIMEOUT_MS`: how long the service may take until its answer begins.
    pub response_timeout: Option<Duration>,
    /// `ADMIN_PORT`: `/metrics` on 127.0.0.1; `None`, or 0: nowhere.
    pub admin_port: Option<u16>,
    /// `ACCESS_LOG`: a line for each request.
    pub access_log: bool,
    /// `DRAIN_MS`: what requests in flight get after a signal.
    pub drain: Duration,
    /// `IDLE_AFTER_MS` + `IDLE_MARGIN_MS`: idle and without a controller for this long, it ends itself.
    pub idle_limit: Option<Duration>,
    /// `SOCKET_IDLE_MS`: a socket without a byte for so long is no use, and is cut off at the end.
    pub socket_idle: Option<Duration>,
    /// `MAX_CONNECTIONS`: more clients than this wait in the listener's backlog.
    pub max_connections: usize,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// The first wrong one.
    pub fn read(source: &dyn Source) -> Result<Settings, Wrong> {
        let common = Common::read(source, GRACE_MS)?;
        let upstream_port = port(source, "UPSTREAM_PORT", SERVICE_PORT)?;
        let upstream =
            settings::host(source, "UPSTREAM_HOST")?.map(|host| PeerAddress { host, port: upstream_port });
        if upstream.is_none() && common.link.is_none() {
            return Err(Wrong::new(
                "UPSTREAM_HOST",
                None,
                "the service's host, or a DORMOUSE_CONTROLLER_URL that knows it",
            ));
        }
        let margin = settings::millis(source, "IDLE_MARGIN_MS", 0..=DAY_MS, 60_000)?;
        let listen = listen(source)?;
        if listen.port == listen.health_port && listen.port != 0 && common.protocol == settings::Protocol::Tcp
        {
            let port = listen.port.to_string();
            return Err(Wrong::new("HEALTH_PORT", Some(&port), "another port than PROXY_PORT"));
        }
        Ok(Settings {
            common,
            port: listen.port,
            health_port: listen.health_port,
            upstream,
            hold: settings::millis(source, "HOLD_MS", 0..=600_000, 5000)?,
            admin_port: Some(settings::number(source, "ADMIN_PORT", 0..=u16::MAX, 0)?)
                .filter(|port| *port > 0),
            access_log: switch(source, "ACCESS_LOG")?,
            connect_timeout: settings::millis(source, "CONNECT_TIMEOUT_MS", 1..=600_000, 3000)?,
            header_timeout: settings::millis(source, "HEADER_TIMEOUT_MS", 1..=DAY_MS, 30_000)?,
            idle_timeout: settings::millis(source, "IDLE_TIMEOUT_MS", 1..=DAY_MS, 75_000)?,
            body_timeout: limit(source, "BODY_TIMEOUT_MS", 300_000)?,
            response_timeout: limit(source, "RESPONSE_TIMEOUT_MS", 600_000)?,
            drain: settings::millis(source, "DRAIN_MS", 0..=DAY_MS, 30_000)?,
            idle_limit: optional_millis(source, "IDLE_AFTER_MS")?.map(|idle| idle + margin),
            socket_idle: optional_millis(source, "SOCKET_IDLE_MS")?,
            max_connections: settings::number(source, "MAX_CONNECTIONS", 1..=1_000_000, 10_000)?,
        })
    }
}

/// `on`, or `off` as by default.
fn switch(source: &dyn Source, name: &'static str) -> Result<bool, Wrong> {
    match settings::text(source, name).as_deref() {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(other) => Err(Wrong::new(name, Some(other), "on or off")),
    }
}

/// A time-out that 0 switches off.
fn limit(source: &dyn Source, name: &'static str, default: u64) -> Result<Option<Duration>, Wrong> {
    let value = settings::millis(source, name, 0..=DAY_MS, default)?;
    Ok((!value.is_zero()).then_some(value))
}

/// The two ports.
pub(crate) struct Listen {
    pub port: u16,
    pub health_port: u16,
}

pub(crate) fn listen(source: &dyn Source) -> Result<Listen, Wrong> {
    Ok(Listen {
        port: settings::number(source, "PROXY_PORT", 0..=u16::MAX, 9060)?,
        health_port: settings::number(source, "HEALTH_PORT", 0..=u16::MAX, 9061)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Wrong> {
        let source =
            |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Settings::read(&source)
    }

    #[test]
    fn somebody_must_know_the_service() {
        assert_eq!(read(&[]).unwrap_err().name, "UPSTREAM_HOST");
        let settings = read(&[("UPSTREAM_HOST", "demo")]).unwrap();
        assert_eq!(settings.upstream, Some(PeerAddress { host: "demo".into(), port: 9050 }));
        let controller = [("DORMOUSE_CONTROLLER_URL", "http://c:9070"), ("DORMOUSE_TASK_TOKEN", "t")];
        assert_eq!(read(&controller).unwrap().upstream, None);
    }

    #[test]
    fn idle_is_never_unless_set() {
        let limit = |value| read(&[("UPSTREAM_HOST", "demo"), ("IDLE_AFTER_MS", value)]).unwrap().idle_limit;
        assert_eq!(limit(""), None);
        assert_eq!(limit("0"), None);
        assert_eq!(limit("900000"), Some(Duration::from_secs(960)));
    }

    #[test]
    fn the_two_ports_differ_in_tcp_mode() {
        let base = [("UPSTREAM_HOST", "demo"), ("PROXY_PORT", "9061")];
        assert!(read(&base).is_ok());
        let wrong = read(&[base[0], base[1], ("PROTOCOL", "tcp")]).unwrap_err();
        assert_eq!((wrong.name, wrong.value.as_deref()), ("HEALTH_PORT", Some("9061")));
    }
}

//! The proxy's settings.

use dormouse_peer::common::{Common, optional_millis, port};
use dormouse_peer::settings::{self, Source, Wrong};
use dormouse_peer::trust::TrustedProxies;
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
    /// `DORMOUSE_TRUSTED_PROXIES`: networks of proxies in front whose word on the client counts.
    pub trusted: TrustedProxies,
    /// `PROXY_PROTOCOL`: a raw service is told who has connected.
    pub proxy_protocol: bool,
    /// `TLS_CERTIFICATE_FILE` and `TLS_KEY_FILE`, or `TLS_CERTIFICATE` and `TLS_KEY`.
    pub tls: Option<Tls>,
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
            trusted: trusted(source)?,
            proxy_protocol: match settings::text(source, "PROXY_PROTOCOL").as_deref() {
                None | Some("off") => false,
                Some("v2") => true,
                Some(other) => return Err(Wrong::new("PROXY_PROTOCOL", Some(other), "v2 or off")),
            },
            tls: tls(source)?,
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

fn trusted(source: &dyn Source) -> Result<TrustedProxies, Wrong> {
    const NAME: &str = "DORMOUSE_TRUSTED_PROXIES";
    let text = settings::text(source, NAME).unwrap_or_default();
    text.parse()
        .map_err(|_| Wrong::new(NAME, Some(&text), "networks such as 10.0.0.0/8, with commas between them"))
}

/// Where certificate and key are, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub enum Tls {
    /// In files, which may change.
    Files {
        /// The chain, the server's own first.
        certificate: String,
        /// Its key.
        key: String,
    },
    /// In the environment.
    Text {
        /// The chain, the server's own first.
        certificate: String,
        /// Its key.
        key: String,
    },
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tls::Files { .. } => "Files",
            Tls::Text { .. } => "Text",
        })
    }
}

fn tls(source: &dyn Source) -> Result<Option<Tls>, Wrong> {
    let read = |name| settings::text(source, name);
    // A key is a secret: no message repeats it.
    let missing = |name, of| Err(Wrong::new(name, None, format!("the one that belongs to {of}")));
    let tls = match (
        read("TLS_CERTIFICATE_FILE"),
        read("TLS_KEY_FILE"),
        read("TLS_CERTIFICATE"),
        read("TLS_KEY"),
    ) {
        (None, None, None, None) => return Ok(None),
        (Some(certificate), Some(key), None, None) => Tls::Files { certificate, key },
        (None, None, Some(certificate), Some(key)) => Tls::Text { certificate, key },
        (Some(_), None, ..) => return missing("TLS_KEY_FILE", "TLS_CERTIFICATE_FILE"),
        (None, Some(_), ..) => return missing("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE"),
        (None, None, Some(_), None) => return missing("TLS_KEY", "TLS_CERTIFICATE"),
        (None, None, None, Some(_)) => return missing("TLS_CERTIFICATE", "TLS_KEY"),
        _ => return Err(Wrong::new("TLS_CERTIFICATE", None, "either files or texts, not both")),
    };
    if cfg!(feature = "tls") {
        Ok(Some(tls))
    } else {
        Err(Wrong::new(
            "TLS_CERTIFICATE_FILE",
            None,
            "nothing: this program was built without the feature tls",
        ))
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

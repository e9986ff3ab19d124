//! The service sidecar's settings.

use dormouse_peer::common::{Common, port};
use dormouse_peer::probe::Check;
use dormouse_peer::settings::{self, Protocol, Source, Wrong};
use dormouse_peer::wire::PeerAddress;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A container may take long to warm up.
const GRACE_MS: u64 = 300_000;
/// Where the container may ask for its own sleep, unless told otherwise.
const SLEEP_PORT: u16 = 9051;

/// What the sidecar is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What both sidecars read.
    pub common: Common,
    /// Where the user's container is.
    pub container: Container,
    /// `PROXY_HOST` and `PROXY_PORT` (in tcp mode `HEALTH_PORT`); `None` = from the controller.
    pub proxy: Option<PeerAddress>,
    /// `PROXY_HEALTH_PATH`.
    pub proxy_path: String,
    /// `SHUTDOWN_FILE`.
    pub shutdown_file: PathBuf,
    /// `BUSY_PATH`: where the container says whether it is busy.
    pub busy_path: Option<String>,
    /// `SLEEP_PORT`, on a loopback address: where the container asks for its own sleep; `None` = nowhere.
    pub sleep_listen: Option<SocketAddr>,
}

/// How to check the user's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// It answers at one of these; which one shows.
    pub addresses: Vec<IpAddr>,
    /// `SERVICE_PORT`.
    pub port: u16,
    /// `PROTOCOL` and `HEALTH_CHECK_PATH`.
    pub check: Check,
    /// `HEALTH_CHECK_TIMEOUT_MS`.
    pub timeout: Duration,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// The first wrong one.
    pub fn read(source: &dyn Source) -> Result<Settings, Wrong> {
        let common = Common::read(source, GRACE_MS)?;
        let container = Container::of(&common, source)?;
        let proxy_port = match common.protocol {
            Protocol::Http | Protocol::H2c => port(source, "PROXY_PORT", 9060)?,
            Protocol::Tcp => port(source, "HEALTH_PORT", 9061)?,
        };
        let proxy = settings::host(source, "PROXY_HOST")?.map(|host| PeerAddress { host, port: proxy_port });
        if proxy.is_none() && common.link.is_none() {
            let accepted = "the proxy's host, or a DORMOUSE_CONTROLLER_URL that knows it";
            return Err(Wrong::new("PROXY_HOST", None, accepted));
        }
        let file = settings::text(source, "SHUTDOWN_FILE").unwrap_or_else(|| "/tmp/shutdown".to_owned());
        if !file.starts_with('/') {
            return Err(Wrong::new("SHUTDOWN_FILE", Some(&file), "an absolute path"));
        }
        let busy_path = match settings::text(source, "BUSY_PATH") {
            Some(_) => Some(settings::path(source, "BUSY_PATH", "/")?),
            None => None,
        };
        let sleep_port = settings::number(source, "SLEEP_PORT", 0..=u16::MAX, SLEEP_PORT)?;
        // Several tasks may share this host, each with a loopback address of its own.
        let own = Some(common.listen_address).filter(IpAddr::is_loopback);
        let loopback = own.unwrap_or(IpAddr::from(Ipv4Addr::LOCALHOST));
        Ok(Settings {
            busy_path,
            sleep_listen: (sleep_port != 0 && sleep_port != container.port)
                .then(|| SocketAddr::new(loopback, sleep_port)),
            common,
            container,
            proxy,
            proxy_path: settings::path(source, "PROXY_HEALTH_PATH", "/health")?,
            shutdown_file: PathBuf::from(file),
        })
    }
}

impl Container {
    fn of(common: &Common, source: &dyn Source) -> Result<Container, Wrong> {
        let local = IpAddr::from(Ipv4Addr::LOCALHOST);
        let own = common.listen_address;
        let addresses = if own.is_unspecified() {
            vec![local]
        } else if own.is_loopback() {
            // Several tasks share this host, each with a loopback address of its own: 127.0.0.1 is not ours.
            vec![own]
        } else {
            vec![own, local]
        };
        Ok(Container {
            addresses,
            port: port(source, "SERVICE_PORT", 9050)?,
            check: match common.protocol {
                Protocol::Http => Check::Service { path: common.health_path.clone() },
                // Whatever speaks HTTP/2 alone answers no other question.
                Protocol::H2c | Protocol::Tcp => Check::Tcp,
            },
            timeout: settings::millis(source, "HEALTH_CHECK_TIMEOUT_MS", 1..=600_000, 3000)?,
        })
    }

    /// Reads what `healthcheck` needs.
    ///
    /// # Errors
    /// The first wrong one.
    pub fn read(source: &dyn Source) -> Result<Container, Wrong> {
        Container::of(&Common::read(source, GRACE_MS)?, source)
    }
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
    fn somebody_must_know_the_proxy() {
        assert_eq!(read(&[]).unwrap_err().name, "PROXY_HOST");
        let proxy = |port| Some(PeerAddress { host: "proxy".into(), port });
        assert_eq!(read(&[("PROXY_HOST", "proxy")]).unwrap().proxy, proxy(9060));
        let tcp = read(&[("PROXY_HOST", "proxy"), ("PROTOCOL", "tcp")]).unwrap();
        assert_eq!((tcp.proxy, tcp.container.check), (proxy(9061), Check::Tcp));
    }

    #[test]
    fn the_container_is_sought_where_it_may_listen() {
        let addresses = |listen| {
            let settings = read(&[("PROXY_HOST", "proxy"), ("LISTEN_ADDRESS", listen)]).unwrap();
            settings.container.addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(addresses(""), ["127.0.0.1"]);
        assert_eq!(addresses("::"), ["127.0.0.1"]);
        assert_eq!(addresses("127.0.0.1"), ["127.0.0.1"]);
        assert_eq!(addresses("10.0.0.5"), ["10.0.0.5", "127.0.0.1"]);
        assert_eq!(addresses("127.0.3.1"), ["127.0.3.1"]);
    }

    #[test]
    fn the_container_asks_for_sleep_on_a_loopback_address() {
        let at = |pairs: &[(&str, &str)]| {
            let all = [&[("PROXY_HOST", "proxy")], pairs].concat();
            read(&all).unwrap().sleep_listen.map(|at| at.to_string())
        };
        assert_eq!(at(&[]).as_deref(), Some("127.0.0.1:9051"));
        assert_eq!(at(&[("LISTEN_ADDRESS", "10.0.0.5")]).as_deref(), Some("127.0.0.1:9051"));
        assert_eq!(at(&[("LISTEN_ADDRESS", "127.0.3.1")]).as_deref(), Some("127.0.3.1:9051"));
        assert_eq!(at(&[("SLEEP_PORT", "7000")]).as_deref(), Some("127.0.0.1:7000"));
        assert_eq!(at(&[("SLEEP_PORT", "0")]), None);
        assert_eq!(at(&[("SERVICE_PORT", "9051")]), None, "the container's own");
    }

    #[test]
    fn wrong_ones_are_named() {
        for (name, value) in [
            ("SERVICE_PORT", "0"),
            ("PROXY_PORT", "65536"),
            ("PROXY_HOST", "http://proxy"),
            ("PROXY_HEALTH_PATH", "health"),
            ("SHUTDOWN_FILE", "shutdown"),
            ("HEALTH_CHECK_TIMEOUT_MS", "0"),
            ("BUSY_PATH", "busy"),
            ("SLEEP_PORT", "65536"),
        ] {
            let wrong = read(&[("PROXY_HOST", "proxy"), (name, value)][usize::from(name == "PROXY_HOST")..]);
            assert_eq!(wrong.unwrap_err().name, name);
        }
    }
}

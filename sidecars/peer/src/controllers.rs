//! The controllers that a sidecar may report to, and the one that it reports to now: pure.
//!
//! Any of several controllers takes heartbeats; their answers name them all. One that does not answer is left for the
//! next. The configured one stays in the round: it may be a name that leads to whichever runs.

use crate::http::authority;
use crate::settings::Wrong;
use hyper::Uri;

/// Port of `http`.
const HTTP_PORT: u16 = 80;
/// More are no installation's.
const MOST: usize = 8;

/// Where a controller takes heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host or address, IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path of the call.
    pub path: String,
}

impl Target {
    /// From `http://host[:port][/prefix]`.
    ///
    /// # Errors
    /// When it is anything else.
    fn new(url: &str) -> Result<Target, Wrong> {
        let wrong = || {
            let accepted = "http://HOST[:PORT] (plain HTTP: it stays inside the VPC), or several with commas";
            Wrong::new("DORMOUSE_CONTROLLER_URL", Some(url), accepted)
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_plain = uri.scheme_str() == Some("http")
            && uri.query().is_none()
            && uri.authority().is_some_and(|a| !a.as_str().contains('@'));
        let host = uri.host().map(|host| host.trim_matches(['[', ']'])).filter(|host| !host.is_empty());
        let (true, Some(host)) = (is_plain, host) else { return Err(wrong()) };
        Ok(Target {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(HTTP_PORT),
            path: format!("{}/v1/heartbeat", uri.path().trim_end_matches('/')),
        })
    }

    /// `host:port`, as it stands in a `Host` header.
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

/// All of them, in the order in which they are tried.
#[derive(Debug, Clone)]
pub struct Controllers {
    configured: Vec<Target>,
    /// Never empty.
    round: Vec<Target>,
    at: usize,
}

impl Controllers {
    /// Those that are configured, with commas between them, until they name others.
    ///
    /// # Errors
    /// When one of them is no URL of a controller, or there is none.
    pub fn new(urls: &str) -> Result<Controllers, Wrong> {
        let configured: Vec<Target> =
            urls.split(',').map(|url| Target::new(url.trim())).collect::<Result<_, _>>()?;
        Ok(Controllers { round: configured.clone(), configured, at: 0 })
    }

    /// The one to report to.
    pub fn current(&self) -> &Target {
        &self.round[self.at]
    }

    /// It did not answer: the next one's turn.
    pub fn failed(&mut self) {
        self.at = (self.at + 1) % self.round.len();
    }

    /// It answered, and named all that there are. Whoever answers is stayed with.
    pub fn told(&mut self, urls: &[String]) {
        let mut round: Vec<Target> = urls.iter().take(MOST).filter_map(|url| Target::new(url).ok()).collect();
        if round.is_empty() {
            return;
        }
        let current = self.current().clone();
        for kept in [&current].into_iter().chain(&self.configured) {
            if !round.contains(kept) {
                round.push(kept.clone());
            }
        }
        self.at = round.iter().position(|target| *target == current).unwrap_or(0);
        self.round = round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::new(url).unwrap()
    }

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn urls_of_controllers() {
        let good = |url: &str| {
            let t = target(url);
            (t.host, t.port, t.path)
        };
        assert_eq!(good("http://10.0.0.1:9070"), ("10.0.0.1".into(), 9070, "/v1/heartbeat".into()));
        assert_eq!(good("http://c/x/"), ("c".into(), 80, "/x/v1/heartbeat".into()));
        assert_eq!(good("http://[::1]:1"), ("::1".into(), 1, "/v1/heartbeat".into()));
        for bad in ["https://c", "c:9070", "http://", "http://u:p@c", "ftp://c", "http://c/?a", "", "/x"] {
            let wrong = Target::new(bad).unwrap_err();
            assert_eq!((wrong.name, wrong.value.as_deref()), ("DORMOUSE_CONTROLLER_URL", Some(bad)));
        }
    }

    #[test]
    fn several_are_configured() {
        let mut controllers = Controllers::new("http://a, http://b:1").unwrap();
        controllers.failed();
        assert_eq!(*controllers.current(), target("http://b:1"));
        assert_eq!(Controllers::new("http://a,b").unwrap_err().value.as_deref(), Some("b"));
    }

    #[test]
    fn alone_it_is_tried_again() {
        let mut controllers = Controllers::new("http://a").unwrap();
        controllers.failed();
        assert_eq!(*controllers.current(), target("http://a"));
    }

    #[test]
    fn one_that_is_silent_is_left_for_the_next() {
        let mut controllers = Controllers::new("http://a").unwrap();
        controllers.told(&urls(&["http://b", "http://a", "https://no"]));
        assert_eq!(*controllers.current(), target("http://a"), "whoever answers is stayed with");
        controllers.failed();
        assert_eq!(*controllers.current(), target("http://b"));
        controllers.told(&urls(&["http://b", "http://c"]));
        let mut round = Vec::new();
        for _ in 0..4 {
            round.push(controllers.current().host.clone());
            controllers.failed();
        }
        assert_eq!(round, ["b", "c", "a", "b"], "the configured one stays in the round");
        controllers.told(&[]);
        assert_eq!(controllers.round.len(), 3, "an older controller names none");
    }
}

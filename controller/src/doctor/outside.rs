//! What the machine sees that asks: names, ports, clocks.

use super::{Report, resolver};
use dormouse_core::doctor::Finding;
use dormouse_core::doctor::clock::SKEW;
use dormouse_core::doctor::delegation::{self, NameServers};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Port of services, and of the activator.
const PORT: u16 = 9060;
/// A name that no service is likely to have: the wildcard answers for it.
const NOBODY: &str = "dormouse-doctor";
/// How long names and connections are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Resolvers that everybody may ask, of two houses: Cloudflare's and Google's.
const PUBLIC: [&str; 2] = ["1.1.1.1:53", "8.8.8.8:53"];

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Addresses of a name below the domain, or why there is none.
    pub resolved: Result<Vec<IpAddr>, String>,
    /// Each of them, and why it takes no connection, if it does not.
    pub ports: BTreeMap<IpAddr, Option<String>>,
    /// What resolvers say of the zone's name servers.
    pub delegated: BTreeMap<SocketAddr, NameServers>,
    /// The clock here.
    pub now: Timestamp,
}

/// Looks. `resolvers`: who is asked about the zone; public ones when none is named.
pub async fn look(report: &Report, resolvers: &[SocketAddr], now: Timestamp) -> Seen {
    let name = format!("{NOBODY}.{}", report.domain);
    let resolved = match timeout(PATIENCE, lookup_host((name.as_str(), PORT))).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect::<Vec<_>>()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    };
    let mut ports = BTreeMap::new();
    for address in resolved.iter().flatten() {
        let refusal = match timeout(PATIENCE, TcpStream::connect((*address, PORT))).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        ports.insert(*address, refusal);
    }
    let mut delegated = BTreeMap::new();
    for resolver in asked(report, resolvers) {
        delegated.insert(resolver, resolver::name_servers(resolver, &report.zone).await);
    }
    Seen { resolved, ports, delegated, now }
}

/// Who is asked: nobody about a zone that is not known, and no public resolver about what nobody delegates.
fn asked(report: &Report, named: &[SocketAddr]) -> Vec<SocketAddr> {
    if report.name_servers.is_empty() || report.zone.is_empty() {
        Vec::new()
    } else if !named.is_empty() {
        named.to_vec()
    } else if delegation::is_reserved(&report.zone) {
        Vec::new()
    } else {
        PUBLIC.iter().filter_map(|resolver| resolver.parse().ok()).collect()
    }
}

/// What follows from it.
pub fn findings(report: &Report, seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![clock(report, seen)];
    let delegated = seen.delegated.iter().map(|(resolver, answer)| {
        delegation::check(&report.zone, &report.name_servers, &resolver.ip().to_string(), answer)
    });
    findings.extend(delegated);
    if !report.wildcard.is_empty() {
        findings.push(resolution(report, seen));
        findings.extend(seen.ports.iter().map(|(address, refusal)| port(address, refusal.as_deref())));
    }
    findings
}

fn clock(report: &Report, seen: &Seen) -> Finding {
    const ABOUT: &str = "clock";
    let apart = seen.now.duration_since(report.now).unsigned_abs();
    if apart < SKEW {
        return Finding::ok(
            ABOUT,
            format!("the controller's and this machine's are {} s apart", apart.as_secs()),
        );
    }
    let message = format!("the controller's and this machine's are {} s apart", apart.as_secs());
    Finding::warning(
        ABOUT,
        message,
        "set the one that is wrong: AWS refuses signatures that are 5 minutes off",
    )
}

fn resolution(report: &Report, seen: &Seen) -> Finding {
    const ABOUT: &str = "resolution";
    let name = format!("{NOBODY}.{}", report.domain);
    let servers = if report.name_servers.is_empty() {
        "those of the zone".to_owned()
    } else {
        report.name_servers.join(", ")
    };
    let fix = format!("name these servers for the zone at the registrar, or in the zone above it: {servers}");
    match &seen.resolved {
        Err(why) => Finding::problem(ABOUT, format!("`{name}` does not resolve here: {why}"), fix),
        Ok(found) => {
            let known = |address: &IpAddr| report.wildcard.contains(&address.to_string());
            let shown = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if !found.is_empty() && found.iter().all(known) {
                Finding::ok(ABOUT, format!("`{name}` is {shown}"))
            } else {
                let wildcard = report.wildcard.join(", ");
                Finding::problem(ABOUT, format!("`{name}` is {shown} here, and {wildcard} in the zone"), fix)
            }
        }
    }
}

fn port(address: &IpAddr, refusal: Option<&str>) -> Finding {
    let about = "port";
    match refusal {
        None => Finding::ok(about, format!("{address} takes connections on port {PORT}")),
        Some(why) => Finding::problem(
            about,
            format!("{address} takes no connection on port {PORT}: {why}"),
            "let port 9060 in, in the controller's security group and the subnet's network ACL",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_core::doctor::Level;

    fn report() -> Report {
        Report {
            now: Timestamp::UNIX_EPOCH,
            domain: "apps.example.com".into(),
            zone: "example.com".into(),
            wildcard: vec!["203.0.113.9".into()],
            name_servers: vec!["ns-1.example.net".into()],
            findings: Vec::new(),
        }
    }

    fn seen(seconds: i64, resolved: Result<&[&str], &str>, refusal: Option<&str>) -> Seen {
        let parse = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        let resolved = resolved.map(parse).map_err(str::to_owned);
        let ports = resolved.iter().flatten().map(|one| (*one, refusal.map(str::to_owned))).collect();
        Seen { resolved, ports, delegated: BTreeMap::new(), now: Timestamp::from_second(seconds).unwrap() }
    }

    #[test]
    fn what_is_seen_from_outside() {
        let wildcard: Result<&[&str], &str> = Ok(&["203.0.113.9"]);
        for (seen, expected) in [
            (seen(299, wildcard, None), None),
            (
                seen(301, wildcard, None),
                Some((Level::Warning, "clock: the controller's and this machine's are 301 s")),
            ),
            (seen(-301, wildcard, None), Some((Level::Warning, "clock: "))),
            (
                seen(0, Err("no such host"), None),
                Some((Level::Problem, "resolution: `dormouse-doctor.apps.example.com` does not resolve")),
            ),
            (
                seen(0, Ok(&["192.0.2.1"]), None),
                Some((Level::Problem, "resolution: `dormouse-doctor.apps.example.com` is 192.0.2.1 here")),
            ),
            (seen(0, Ok(&[]), None), Some((Level::Problem, "resolution: "))),
            (
                seen(0, wildcard, Some("refused")),
                Some((Level::Problem, "port: 203.0.113.9 takes no connection")),
            ),
        ] {
            let found = findings(&report(), &seen);
            let wrong: Vec<_> = found.iter().filter(|finding| finding.level != Level::Ok).collect();
            match expected {
                None => assert!(wrong.is_empty(), "{wrong:?}"),
                Some((level, words)) => {
                    assert!(wrong.len() == 1 && wrong[0].level == level, "{words}: {wrong:?}");
                    assert!(wrong[0].to_string().starts_with(words), "{words} is not {}", wrong[0]);
                }
            }
        }
    }

    #[test]
    fn the_servers_to_name_are_named() {
        let found = findings(&report(), &seen(0, Err("no such host"), None));
        assert!(found.iter().any(|finding| finding.to_string().contains("ns-1.example.net")), "{found:?}");
        let none = Report { wildcard: Vec::new(), ..report() };
        let found = findings(&none, &seen(0, Err("no such host"), None));
        assert!(
            found.iter().all(|finding| finding.level == Level::Ok),
            "there is to be no wildcard: {found:?}"
        );
    }

    #[test]
    fn each_resolver_s_word_is_a_finding() {
        let mut seen = seen(0, Ok(&["203.0.113.9"]), None);
        seen.delegated.insert("1.1.1.1:53".parse().unwrap(), NameServers::NoSuchName);
        seen.delegated
            .insert("8.8.8.8:53".parse().unwrap(), NameServers::Are(["ns-1.example.net".to_owned()].into()));
        let found = findings(&report(), &seen);
        let of = |level| found.iter().filter(move |one| one.about == "zone delegation" && one.level == level);
        assert_eq!((of(Level::Problem).count(), of(Level::Ok).count()), (1, 1), "{found:?}");
    }

    #[test]
    fn who_is_asked_about_the_zone() {
        let named = ["192.0.2.1:53".parse().unwrap()];
        let of =
            |zone: &str, named: &[SocketAddr]| asked(&Report { zone: zone.into(), ..report() }, named).len();
        assert_eq!(of("example.com", &[]), PUBLIC.len());
        assert_eq!(of("example.com", &named), 1);
        assert_eq!((of("dormouse.test", &[]), of("dormouse.test", &named)), (0, 1), "nobody delegates it");
        assert_eq!(of("", &named), 0, "it could not be read");
    }
}

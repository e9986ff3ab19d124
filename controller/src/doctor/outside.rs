//! What the machine sees that asks: names, ports, clocks.

use super::Report;
use dormouse_core::doctor::Finding;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Port of services, and of the activator.
const PORT: u16 = 9060;
/// A name that no service is likely to have: the wildcard answers for it.
const NOBODY: &str = "dormouse-doctor";
/// How long names and connections are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Signatures of AWS are accepted within five minutes.
///
/// Source: AWS General Reference, "Signature Version 4", on RequestTimeTooSkewed.
const SKEW: Duration = Duration::from_secs(300);

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Addresses of a name below the domain, or why there is none.
    pub resolved: Result<Vec<IpAddr>, String>,
    /// Each of them, and why it takes no connection, if it does not.
    pub ports: BTreeMap<IpAddr, Option<String>>,
    /// The clock here.
    pub now: Timestamp,
}

/// Looks.
pub async fn look(report: &Report, now: Timestamp) -> Seen {
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
    Seen { resolved, ports, now }
}

/// What follows from it.
pub fn findings(report: &Report, seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![clock(report, seen)];
    if !report.wildcard.is_empty() {
        findings.push(delegation(report, seen));
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

fn delegation(report: &Report, seen: &Seen) -> Finding {
    const ABOUT: &str = "delegation";
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
            domain: "example.com".into(),
            wildcard: vec!["203.0.113.9".into()],
            name_servers: vec!["ns-1.example.net".into()],
            findings: Vec::new(),
        }
    }

    fn seen(seconds: i64, resolved: Result<&[&str], &str>, refusal: Option<&str>) -> Seen {
        let parse = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        let resolved = resolved.map(parse).map_err(str::to_owned);
        let ports = resolved.iter().flatten().map(|one| (*one, refusal.map(str::to_owned))).collect();
        Seen { resolved, ports, now: Timestamp::from_second(seconds).unwrap() }
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
                Some((Level::Problem, "delegation: `dormouse-doctor.example.com` does not resolve")),
            ),
            (
                seen(0, Ok(&["192.0.2.1"]), None),
                Some((Level::Problem, "delegation: `dormouse-doctor.example.com` is 192.0.2.1 here")),
            ),
            (seen(0, Ok(&[]), None), Some((Level::Problem, "delegation: "))),
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
}

//! Hosted zones: there, of the right kind, and the domain's.

use super::facts::{Facts, HostedZone, Reading, Site};
use super::finding::Finding;

const PUBLIC: &str = "HOSTED_ZONE_ID";
const PRIVATE: &str = "PRIVATE_HOSTED_ZONE_ID";

pub(super) fn check(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![public(site, &facts.zone).unwrap_or_else(|wrong| wrong)];
    if let (Some(id), Some(reading)) = (&site.private_zone, &facts.private_zone) {
        findings.push(private(id, reading).unwrap_or_else(|wrong| wrong));
    }
    findings
}

fn public(site: &Site, reading: &Reading<HostedZone>) -> Result<Finding, Finding> {
    let Site { domain, zone: id, .. } = site;
    let fix = format!("name the public zone that `{domain}` (DOMAIN) is in");
    let zone = reading.needed(PUBLIC, || missing(PUBLIC, id, &fix))?;
    if zone.private {
        return Err(Finding::problem(PUBLIC, format!("`{id}` is a private zone"), fix));
    }
    if !is_in(domain, &zone.name) {
        let message = format!("`{id}` is the zone of `{}`, which `{domain}` (DOMAIN) is not in", zone.name);
        return Err(Finding::problem(PUBLIC, message, "name the zone of the domain"));
    }
    Ok(Finding::ok(PUBLIC, format!("`{id}` is the public zone of `{}`", zone.name)))
}

fn private(id: &str, reading: &Reading<HostedZone>) -> Result<Finding, Finding> {
    let fix = "name a private zone of the VPC, or none";
    let zone = reading.needed(PRIVATE, || missing(PRIVATE, id, fix))?;
    if !zone.private {
        return Err(Finding::problem(PRIVATE, format!("`{id}` is a public zone"), fix));
    }
    Ok(Finding::ok(PRIVATE, format!("`{id}` is the private zone of `{}`", zone.name)))
}

fn missing(about: &str, id: &str, fix: &str) -> Finding {
    Finding::problem(about, format!("there is no hosted zone `{id}`"), fix)
}

fn is_in(domain: &str, zone: &str) -> bool {
    domain == zone || domain.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

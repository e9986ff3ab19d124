//! Subnets and security groups: there, and of one VPC. RunTask is refused otherwise, and only then.

use super::facts::{Facts, Site};
use super::finding::Finding;
use std::collections::{BTreeMap, BTreeSet};

const SECURITY: &str = "SECURITY_GROUP_ID";
const PROXIES: &str = "PROXY_SUBNET_IDS";
const SERVICES: &str = "SERVICE_SUBNET_IDS";

pub(super) fn check(site: &Site, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut vpcs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    match facts.subnets.known(SERVICES, || Finding::unread(SERVICES, "no answer")) {
        Ok(subnets) => {
            for (about, ids) in [(PROXIES, &site.proxy_subnets), (SERVICES, &site.service_subnets)] {
                let vpc_of = |id: &String| subnets.get(id).map(|subnet| subnet.vpc.as_str());
                findings.push(all_there(about, "subnet", ids, &vpc_of, &mut vpcs));
            }
        }
        Err(unread) => findings.push(unread),
    }
    match facts.security_groups.known(SECURITY, || Finding::unread(SECURITY, "no answer")) {
        Ok(groups) => {
            let vpc_of = |id: &String| groups.get(id).map(String::as_str);
            findings.push(all_there(SECURITY, "security group", &site.security_groups, &vpc_of, &mut vpcs));
        }
        Err(unread) => findings.push(unread),
    }
    if vpcs.len() > 1 {
        let each = vpcs.iter().map(|(vpc, ids)| {
            let ids: Vec<&str> = ids.iter().copied().collect();
            format!("{} in {vpc}", ids.join(", "))
        });
        let message = format!(
            "subnets and security groups are not of one VPC: {}",
            each.collect::<Vec<_>>().join("; ")
        );
        findings.push(Finding::problem(
            SECURITY,
            message,
            "name those of one VPC: proxies and services reach each other by private addresses",
        ));
    }
    findings
}

fn all_there<'a>(
    about: &str,
    kind: &str,
    ids: &'a [String],
    vpc_of: &dyn Fn(&String) -> Option<&'a str>,
    vpcs: &mut BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Finding {
    let mut missing = Vec::new();
    for id in ids {
        match vpc_of(id) {
            Some(vpc) => {
                vpcs.entry(vpc).or_default().insert(id);
            }
            None => missing.push(format!("`{id}`")),
        }
    }
    if missing.is_empty() {
        return Finding::ok(about, format!("{} is there", ids.join(", ")));
    }
    let message = format!("there is no {kind} {}", missing.join(" and no "));
    Finding::problem(about, message, "name one that is in this account and region")
}

//! Clusters, and whether the group's instances join the right one.

use super::facts::{Cluster, Facts, Reading, Site};
use super::finding::Finding;

const PROXIES: &str = "PROXY_CLUSTER";
const SERVICES: &str = "SERVICE_CLUSTER";
const GROUP: &str = "SERVICE_ASG_NAME";

pub(super) fn check(site: &Site, facts: &Facts) -> Vec<Finding> {
    let clusters = [
        (PROXIES, &site.proxy_cluster, &facts.proxy_cluster),
        (SERVICES, &site.service_cluster, &facts.service_cluster),
    ];
    let mut findings: Vec<Finding> = clusters
        .into_iter()
        .map(|(about, name, reading)| cluster(about, name, reading).unwrap_or_else(|wrong| wrong))
        .collect();
    findings.push(group(site, facts).unwrap_or_else(|wrong| wrong));
    findings
}

fn cluster(about: &str, name: &str, reading: &Reading<Cluster>) -> Result<Finding, Finding> {
    let missing = || {
        let message = format!("there is no ECS cluster `{name}`");
        Finding::problem(about, message, "make it, or name one that is in this account and region")
    };
    let cluster = reading.needed(about, missing)?;
    // One that was deleted is described for a while.
    match cluster.status.as_str() {
        "ACTIVE" | "PROVISIONING" => Ok(Finding::ok(about, format!("`{name}` is {}", cluster.status))),
        "INACTIVE" => Err(missing()),
        other => {
            let message = format!("the ECS cluster `{name}` is {other}");
            Err(Finding::problem(about, message, "name one that is ACTIVE"))
        }
    }
}

fn group(site: &Site, facts: &Facts) -> Result<Finding, Finding> {
    let Site { group: name, service_cluster, .. } = site;
    let missing = || {
        let message = format!("there is no Auto Scaling group `{name}`");
        Finding::problem(GROUP, message, "make it, or name one that is in this account and region")
    };
    let group = facts.group.needed(GROUP, missing)?;
    let there = Finding::ok(GROUP, format!("`{name}` is there"));
    // One of its instances in the cluster tells more than what the template says now.
    if let Reading::Known(registered) = &facts.registered
        && !group.members.is_disjoint(registered)
    {
        return Ok(there);
    }
    match &group.user_data {
        Reading::Known(text) => {
            match joined_cluster(text).filter(|joined| joined != plain(service_cluster)) {
                Some(joined) => Err(joins_another(service_cluster, &joined)),
                None => Ok(there),
            }
        }
        Reading::Missing => Ok(there),
        Reading::Unread(why) => Err(Finding::warning(
            GROUP,
            format!("whether its instances join the cluster `{service_cluster}` was not checked: {why}"),
            "nothing, once one of them has joined",
        )),
    }
}

fn joins_another(cluster: &str, joined: &str) -> Finding {
    let message = format!("its instances join the cluster `{joined}`, and not `{cluster}` (SERVICE_CLUSTER)");
    let fix = format!(
        "name the group of that cluster, or have its launch template write ECS_CLUSTER={} to /etc/ecs/ecs.config",
        plain(cluster)
    );
    Finding::problem(GROUP, message, fix)
}

/// The cluster that an instance's user data names: `ECS_CLUSTER=…` of the ECS agent, or `cluster = …` below
/// `[settings.ecs]` of Bottlerocket. `None` where it is not plain to see.
///
/// Sources: Amazon ECS Developer Guide, "Bootstrapping container instances with Amazon EC2 user data"; Bottlerocket
/// documentation, "settings.ecs".
fn joined_cluster(user_data: &str) -> Option<String> {
    let is_bottlerocket = user_data.lines().any(|line| line.trim() == "[settings.ecs]");
    let key = if is_bottlerocket { "cluster" } else { "ECS_CLUSTER" };
    let mut values =
        user_data.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| {
            let (before, rest) = line.split_once(key)?;
            let own =
                before.chars().next_back().is_none_or(|last| !(last.is_ascii_alphanumeric() || last == '_'));
            let value = rest.trim_start().strip_prefix('=').filter(|_| own)?.trim_start();
            let value = value.trim_start_matches(['"', '\'']);
            let end = value
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
                .unwrap_or(value.len());
            Some((value.get(..end)?, value.get(end..)?))
        });
    // The last one is what counts.
    let (name, after) = values.next_back()?;
    let ends = after.chars().next().is_none_or(|next| next.is_whitespace() || "\"';\\".contains(next));
    (ends && !name.is_empty()).then(|| name.to_owned())
}

/// A cluster's name, where it is given by its ARN.
fn plain(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

//! What a running controller sees besides what its settings name: its wildcard record, ways out, room, images, quotas.

use super::facts::{Facts, Reading, Route, Site, Surroundings};
use super::finding::Finding;
use dormouse_manifests::Architecture;
use std::collections::BTreeMap;

const SPOT: &str = "FARGATE_SPOT";
/// vCPUs of a proxy by default; those of the controller are as many.
const PROXY_VCPUS: f64 = 0.25;
/// What the controller needs, too, and what is only tried by doing it.
const NOT_TRIED: [&str; 4] = [
    "autoscaling:SetDesiredCapacity",
    "autoscaling:TerminateInstanceInAutoScalingGroup",
    "ecs:RegisterTaskDefinition",
    "iam:PassRole",
];

/// What an installation wants of its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// Where `*.<domain>` is to point; `None` = there is to be no such record.
    pub wildcard: Option<Vec<String>>,
    /// Service tasks on one instance.
    pub max_tasks_per_instance: u32,
    /// Images that tasks are made of, by who wants them.
    pub images: BTreeMap<String, String>,
    /// Services whose proxies are to run on Fargate Spot.
    pub spot: Vec<String>,
    /// Processors that task definitions name, by who wants them.
    pub architectures: BTreeMap<String, Architecture>,
    /// Declared services.
    pub services: u32,
}

pub(super) fn check(site: &Site, wants: &Wants, facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    let mut findings = vec![wildcard(site, wants, around).unwrap_or_else(|found| found)];
    findings.extend(permissions(around));
    findings.push(ways_out(site, around).unwrap_or_else(|found| found));
    findings.push(zones(site, facts).unwrap_or_else(|found| found));
    findings.extend(interfaces(wants, around));
    findings.extend(processors(wants, around));
    findings.extend(spot(site, wants, facts));
    findings.extend(images(wants, around));
    findings.extend(quotas(wants, facts, around));
    findings
}

fn wildcard(site: &Site, wants: &Wants, around: &Surroundings) -> Result<Finding, Finding> {
    const ABOUT: &str = "wildcard";
    let name = format!("*.{}", site.domain);
    let missing = || {
        let message = format!("`{name}` has no A record: names of sleeping services lead nowhere");
        Finding::problem(ABOUT, message, "see the controller's log for why it does not make it")
    };
    let Some(wanted) = &wants.wildcard else {
        return Ok(Finding::ok(ABOUT, "there is to be no wildcard record"));
    };
    let found = around.wildcard.known(ABOUT, missing)?;
    // Controllers that stand by are named beside this one.
    if wanted.iter().all(|address| found.contains(address)) {
        return Ok(Finding::ok(ABOUT, format!("`{name}` is {}", found.join(", "))));
    }
    let message =
        format!("`{name}` is {}, and this controller is at {}", found.join(", "), wanted.join(", "));
    Err(Finding::problem(
        ABOUT,
        message,
        "remove the record if it is not Dormouse's; the controller then makes its own",
    ))
}

fn permissions(around: &Surroundings) -> Vec<Finding> {
    const ABOUT: &str = "permissions";
    let mut allowed = Vec::new();
    let mut findings = Vec::new();
    for (action, permission) in &around.permissions {
        match permission {
            Reading::Unread(why) => findings.push(Finding::problem(
                ABOUT,
                why.clone(),
                "put the statement back into the role's policy, as policies/controller.json has it; `make deploy` does not \
                 mend what was changed by hand",
            )),
            Reading::Known(()) | Reading::Missing => allowed.push(*action),
        }
    }
    let allowed = if allowed.is_empty() { "none of what was tried".to_owned() } else { allowed.join(", ") };
    let open = NOT_TRIED.join(", ");
    let message =
        format!("the controller may: {allowed}. Not checked, since each such call does something: {open}");
    findings.push(Finding::ok(ABOUT, message));
    findings
}

fn ways_out(site: &Site, around: &Surroundings) -> Result<Finding, Finding> {
    const ABOUT: &str = "PROXY_SUBNET_IDS";
    let routes = around.routes.known(ABOUT, || Finding::unread(ABOUT, "no answer"))?;
    let closed: Vec<&str> = site
        .proxy_subnets
        .iter()
        .filter(|id| routes.get(*id) != Some(&Route::InternetGateway))
        .map(String::as_str)
        .collect();
    if closed.is_empty() {
        return Ok(Finding::ok(ABOUT, "a route leads from each to an internet gateway"));
    }
    let message = format!(
        "no route leads from {} to an internet gateway: proxies there are not reached",
        closed.join(", ")
    );
    Err(Finding::problem(
        ABOUT,
        message,
        "name public subnets, or route 0.0.0.0/0 to the VPC's internet gateway",
    ))
}

/// A task's interface is in the zone of its instance.
fn zones(site: &Site, facts: &Facts) -> Result<Finding, Finding> {
    const ABOUT: &str = "SERVICE_SUBNET_IDS";
    let unread = |why| move || Finding::unread(ABOUT, why);
    let subnets = facts.subnets.known(ABOUT, unread("the subnets"))?;
    let group = facts.group.known(ABOUT, unread("the group"))?;
    let has = |zone: &&String| {
        site.service_subnets.iter().filter_map(|id| subnets.get(id)).any(|subnet| subnet.zone == **zone)
    };
    let bare: Vec<&str> = group.zones.iter().filter(|zone| !has(zone)).map(String::as_str).collect();
    if bare.is_empty() {
        return Ok(Finding::ok(ABOUT, "there is one in each zone of the group"));
    }
    let message =
        format!("there is none in {}, where the group launches: no task is placed there", bare.join(", "));
    Err(Finding::warning(
        ABOUT,
        message,
        "name a subnet in each zone of the group, or take the zone from the group",
    ))
}

/// Each task takes one of its instance's interfaces, and the instance has one itself.
fn interfaces(wants: &Wants, around: &Surroundings) -> Vec<Finding> {
    const ABOUT: &str = "MAX_TASKS_PER_INSTANCE";
    let types = match around.types.known(ABOUT, || Finding::unread(ABOUT, "the types of the instances")) {
        Ok(types) => types,
        Err(found) => return vec![found],
    };
    let most = wants.max_tasks_per_instance;
    let each = types.iter().map(|(name, kind)| {
        let tasks = kind.interfaces.saturating_sub(1);
        if tasks >= most {
            return Finding::ok(
                ABOUT,
                format!("{name} has interfaces for {tasks} tasks, and is to have {most}"),
            );
        }
        let message = format!(
            "{name} has interfaces for {tasks} tasks, unless ENI trunking is on, and is to have {most}"
        );
        Finding::warning(
            ABOUT,
            message,
            format!("set it to {tasks}, take larger instances, or turn trunking on"),
        )
    });
    each.collect()
}

/// A task that names a processor is placed on no instance of another one.
fn processors(wants: &Wants, around: &Surroundings) -> Vec<Finding> {
    let Reading::Known(types) = &around.types else { return Vec::new() };
    let each = wants.architectures.iter().filter_map(|(who, wanted)| {
        let others: Vec<&str> = types
            .iter()
            .filter(|(_, kind)| !kind.architectures.contains(&wanted.to_string()))
            .map(|(name, _)| name.as_str())
            .collect();
        if others.is_empty() {
            return (!types.is_empty()).then(|| Finding::ok(who, format!("the group's instances are {wanted}")));
        }
        let message = format!("its tasks are for {wanted}, and {} is not: none is placed there", others.join(", "));
        let fix = format!("build for what the instances are and say so (`architecture`, DORMOUSE_ARCHITECTURE), or have the group launch {wanted} ones");
        // Where some are, its tasks find them.
        Some(if others.len() == types.len() {
            Finding::problem(who, message, fix)
        } else {
            Finding::warning(who, message, fix)
        })
    });
    each.collect()
}

fn spot(site: &Site, wants: &Wants, facts: &Facts) -> Option<Finding> {
    let Reading::Known(cluster) = &facts.proxy_cluster else { return None };
    let about = "PROXY_CLUSTER";
    if cluster.providers.contains(SPOT) {
        return Some(Finding::ok(about, format!("it has the capacity provider {SPOT}")));
    }
    let fix = format!(
        "aws ecs put-cluster-capacity-providers --cluster {} --capacity-providers FARGATE {SPOT} --default-capacity-provider-strategy []",
        site.proxy_cluster
    );
    let first = wants.spot.first()?;
    Some(Finding::problem(
        about,
        format!("it lacks the capacity provider {SPOT}, which `{first}` wants for its proxy"),
        fix,
    ))
}

fn images(wants: &Wants, around: &Surroundings) -> Vec<Finding> {
    let each = wants.images.iter().map(|(who, image)| match around.images.get(image) {
        Some(Reading::Known(())) => Finding::ok(who, format!("the image {image} is there")),
        Some(Reading::Missing) => Finding::problem(
            who,
            format!("the image {image} is not there"),
            "push it, or name one that is there",
        ),
        Some(Reading::Unread(why)) => Finding::unread(who, why),
        // Other registries are asked by nobody but the tasks themselves.
        None => Finding::ok(who, format!("the image {image} was not looked up: it is not in ECR")),
    });
    each.collect()
}

fn quotas(wants: &Wants, facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let fargate = f64::from(wants.services) * PROXY_VCPUS + PROXY_VCPUS;
    findings.push(quota(
        "Fargate quota",
        "L-3032A538",
        fargate,
        "proxies of all declared services",
        &around.fargate_quota,
    ));
    if let (Reading::Known(group), Reading::Known(types)) = (&facts.group, &around.types) {
        let largest = types.values().map(|kind| kind.vcpus).max().unwrap_or_default();
        let needed = f64::from(group.max) * f64::from(largest);
        let what = format!("{} instances, as many as the group may have", group.max);
        findings.push(quota("EC2 quota", "L-1216C47A", needed, &what, &around.instance_quota));
    }
    findings
}

fn quota(about: &str, code: &str, needed: f64, what: &str, reading: &Reading<f64>) -> Finding {
    let unread = |why: &str| {
        let fix = format!(
            "allow the controller servicequotas:GetServiceQuota, or look for {code} in Service Quotas: {what} take {needed} \
             vCPUs"
        );
        Finding::warning(about, format!("not checked: {why}"), fix)
    };
    match reading {
        Reading::Known(quota) if *quota < needed => Finding::warning(
            about,
            format!("{what} take {needed} vCPUs; the quota {code} is {quota}"),
            format!("have {code} raised: Service Quotas, in this region"),
        ),
        Reading::Known(quota) => Finding::ok(about, format!("{what} take {needed} vCPUs of {quota}")),
        Reading::Missing => unread("there is no such quota"),
        Reading::Unread(why) => unread(why),
    }
}

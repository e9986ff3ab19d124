//! The machine image (AMI) that the group's instances start from.

use super::facts::{Facts, InstanceType, MachineImage, Reading, Site};
use super::finding::Finding;
use dormouse_manifests::Architecture;
use jiff::Timestamp;
use std::collections::BTreeMap;

const ABOUT: &str = "AMI";
/// What the names of AWS's own images with the ECS agent have in them.
///
/// Sources: Amazon ECS Developer Guide, "Amazon ECS-optimized Linux AMIs"; Bottlerocket's documentation, "Variants".
const OPTIMISED: [&str; 4] =
    ["-ami-ecs-", "-amazon-ecs-optimized", "bottlerocket-aws-ecs-", "-ECS_Optimized-"];

/// Instances of the wrong processor are never of use to tasks that name none of their own: what would be started for
/// them is started in vain.
pub(super) fn processor(site: &Site, facts: &Facts) -> Option<Finding> {
    const ABOUT: &str = "DORMOUSE_ARCHITECTURE";
    let Reading::Known(image) = &facts.machine else { return None };
    let (wanted, is) = (site.architecture?, image.processor()?);
    let message = format!(
        "tasks are for {wanted}, and the group `{}` launches {is} ({}): none would ever run there",
        site.group, image.id
    );
    let fix =
        format!("set it to {is}, with images that are built for it, or have the group launch {wanted} ones");
    (wanted != is).then(|| Finding::problem(ABOUT, message, fix))
}

/// Whether instances start from it, and join.
pub(super) fn image(
    site: &Site,
    facts: &Facts,
    types: &Reading<BTreeMap<String, InstanceType>>,
    now: Timestamp,
) -> Vec<Finding> {
    let missing = || {
        let named = match &facts.group {
            Reading::Known(group) => match &group.image {
                Reading::Known(id) => id.as_str(),
                _ => "none",
            },
            _ => "none",
        };
        let message = format!(
            "the launch template of `{}` names {named}, which is not there: no instance starts",
            site.group
        );
        Finding::problem(ABOUT, message, newest(site.architecture))
    };
    let image = match facts.machine.known(ABOUT, missing) {
        Ok(image) => image,
        Err(found) => return vec![found],
    };
    let of_types = match types {
        Reading::Known(types) => other_types(image, types),
        _ => None,
    };
    let wrong: Vec<Finding> =
        [unavailable(image), of_types, deprecated(image, now), without_agent(image, facts)]
            .into_iter()
            .flatten()
            .collect();
    if wrong.is_empty() {
        return vec![Finding::ok(
            ABOUT,
            format!("{} is there, for {}: {}", image.id, image.architecture, image.name),
        )];
    }
    wrong
}

fn unavailable(image: &MachineImage) -> Option<Finding> {
    let message = format!("{} is {}: no instance starts from it", image.id, image.state);
    (image.state != "available").then(|| Finding::problem(ABOUT, message, newest(image.processor())))
}

/// EC2 refuses to start a type from an image of another processor. Where some are of its own, the group launches those.
fn other_types(image: &MachineImage, types: &BTreeMap<String, InstanceType>) -> Option<Finding> {
    if types.is_empty() || types.values().any(|kind| kind.architectures.contains(&image.architecture)) {
        return None;
    }
    let names = types.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message =
        format!("{} is for {}, and {names} is not: no instance starts", image.id, image.architecture);
    Some(Finding::problem(
        ABOUT,
        message,
        "have the launch template name an image and types of one processor",
    ))
}

fn deprecated(image: &MachineImage, now: Timestamp) -> Option<Finding> {
    let since = image.deprecated_at.filter(|at| *at <= now)?;
    let day = since.strftime("%Y-%m-%d");
    let message =
        format!("{} ({}) is deprecated since {day}: it gets no security fixes", image.id, image.name);
    Some(Finding::warning(ABOUT, message, newest(image.processor())))
}

/// An image of one's own may have the agent all the same: an instance that has joined shows it.
fn without_agent(image: &MachineImage, facts: &Facts) -> Option<Finding> {
    let joined = match (&facts.group, &facts.registered) {
        (Reading::Known(group), Reading::Known(registered)) => !group.members.is_disjoint(registered),
        _ => false,
    };
    if joined || OPTIMISED.iter().any(|part| image.name.contains(part)) {
        return None;
    }
    let message = format!("{} ({}) is none of the ECS-optimised ones by its name", image.id, image.name);
    let fix = format!(
        "nothing, if it brings the ECS agent, which the first instance shows by joining; else: {}",
        newest(image.processor())
    );
    Some(Finding::warning(ABOUT, message, fix))
}

/// How to have the newest one.
fn newest(processor: Option<Architecture>) -> String {
    let own = match processor {
        Some(Architecture::Arm64) => "arm64/",
        _ => "",
    };
    format!(
        "`make deploy` looks the newest one up; by hand, have the launch template name what `aws ssm get-parameter --name \
         /aws/service/ecs/optimized-ami/amazon-linux-2023/{own}recommended/image_id` answers"
    )
}

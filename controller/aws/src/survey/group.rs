//! An Auto Scaling group: what its launch template has instances start from, and do at their start.

use super::reading;
use crate::count::Calls;
use crate::ec2::{Ec2, Items, Page};
use crate::error::incomplete;
use crate::ports::CloudError;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, LifecycleState};
use aws_smithy_types::base64;
use dormouse_core::definition::Architecture;
use dormouse_core::doctor::Reading;
use dormouse_core::doctor::facts::{MachineImage, ScalingGroup};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";
const TEMPLATE: &str = "ec2:DescribeLaunchTemplateVersions";
const IMAGES: &str = "ec2:DescribeImages";
/// What an image's id begins with; a template may name a parameter that holds one in its place.
const IMAGE: &str = "ami-";

/// Reads what a group launches.
#[derive(Debug, Clone)]
pub(crate) struct Launching {
    groups: aws_sdk_autoscaling::Client,
    ec2: Ec2,
    calls: Arc<Calls>,
}

impl Launching {
    pub(crate) fn new(groups: aws_sdk_autoscaling::Client, ec2: Ec2, calls: Arc<Calls>) -> Launching {
        Launching { groups, ec2, calls }
    }

    /// The processor of what a group launches; `None`: not known, or of several.
    pub(crate) async fn processor(&self, name: &str) -> Result<Option<Architecture>, CloudError> {
        let group = reading(self.group(name).await)?;
        Ok(match self.machine(&group).await? {
            Reading::Known(image) => image.processor(),
            _ => None,
        })
    }

    /// The group; `NotFound` when there is none of that name.
    pub(super) async fn group(&self, name: &str) -> Result<ScalingGroup, CloudError> {
        let describe = self.groups.describe_auto_scaling_groups().auto_scaling_group_names(name);
        let answer = self.calls.settle(DESCRIBE, describe.send().await)?;
        let found =
            answer.auto_scaling_groups().iter().find(|group| group.auto_scaling_group_name() == Some(name));
        let group =
            found.ok_or_else(|| CloudError::NotFound { operation: DESCRIBE, message: name.to_owned() })?;
        let in_service = group
            .instances()
            .iter()
            .filter(|instance| instance.lifecycle_state() == Some(&LifecycleState::InService));
        let data = match template(group) {
            Some(template) => reading(self.template(template).await)?,
            None => Reading::Unread("the group has no launch template".to_owned()),
        };
        let mut types: BTreeSet<String> = overrides(group).map(str::to_owned).collect();
        if let (true, Reading::Known(data)) = (types.is_empty(), &data) {
            types.extend(data.instance_type.clone());
        }
        Ok(ScalingGroup {
            members: in_service.filter_map(|instance| instance.instance_id().map(str::to_owned)).collect(),
            zones: group.availability_zones().iter().cloned().collect(),
            max: group.max_size().and_then(|size| u32::try_from(size).ok()).unwrap_or_default(),
            types,
            image: match &data {
                Reading::Known(data) => image_of(group, data),
                Reading::Missing => Reading::Missing,
                Reading::Unread(why) => Reading::Unread(why.clone()),
            },
            user_data: match data {
                Reading::Known(data) => user_data(data)?,
                Reading::Missing => Reading::Missing,
                Reading::Unread(why) => Reading::Unread(why),
            },
        })
    }

    /// What a group's instances start from; `NotFound` when that is not there.
    pub(super) async fn machine(
        &self,
        group: &Reading<ScalingGroup>,
    ) -> Result<Reading<MachineImage>, CloudError> {
        let id = match group {
            Reading::Known(group) => match &group.image {
                Reading::Known(id) => id,
                Reading::Missing => {
                    return Ok(Reading::Unread("the launch template names no image".to_owned()));
                }
                Reading::Unread(why) => return Ok(Reading::Unread(why.clone())),
            },
            _ => return Ok(Reading::Unread("the group is not known".to_owned())),
        };
        // By a filter: an id that is not there has the whole call refused.
        let parameters = [
            ("Filter.1.Name".to_owned(), "image-id"),
            ("Filter.1.Value.1".to_owned(), id.as_str()),
            ("IncludeDeprecated".to_owned(), "true"),
            ("IncludeDisabled".to_owned(), "true"),
        ];
        let page: Result<ImagePage, CloudError> = self.ec2.describe(IMAGES, parameters).await;
        Ok(match reading(page)? {
            Reading::Known(page) => page
                .set
                .items
                .into_iter()
                .next()
                .map_or(Reading::Missing, |image| Reading::Known(image.into())),
            Reading::Missing => Reading::Missing,
            Reading::Unread(why) => Reading::Unread(why),
        })
    }

    async fn template(&self, template: &LaunchTemplateSpecification) -> Result<TemplateData, CloudError> {
        let by = match (template.launch_template_id(), template.launch_template_name()) {
            (Some(id), _) => ("LaunchTemplateId".to_owned(), id),
            (None, name) => ("LaunchTemplateName".to_owned(), name.unwrap_or_default()),
        };
        let version = ("LaunchTemplateVersion.1".to_owned(), template.version().unwrap_or("$Default"));
        let versions: Versions = self.ec2.describe(TEMPLATE, [by, version]).await?;
        let newest = versions.set.items.into_iter().next();
        newest
            .map(|version| version.data)
            .ok_or_else(|| incomplete(TEMPLATE, "an answer without the version"))
    }
}

/// The image that all of a group's instances start from.
fn image_of(group: &AutoScalingGroup, template: &TemplateData) -> Reading<String> {
    let mixed = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
    let mut overrides = mixed.into_iter().flat_map(|template| template.overrides());
    if overrides.any(|one| one.launch_template_specification().is_some()) {
        return Reading::Unread("types of the group have launch templates of their own".to_owned());
    }
    match &template.image {
        None => Reading::Missing,
        Some(id) if id.starts_with(IMAGE) => Reading::Known(id.clone()),
        Some(other) => Reading::Unread(format!("the launch template has the image looked up: {other}")),
    }
}

/// What instances run at their first start.
fn user_data(template: TemplateData) -> Result<Reading<String>, CloudError> {
    let Some(data) = template.user_data else { return Ok(Reading::Missing) };
    let bytes = base64::decode(data.trim()).map_err(|error| incomplete(TEMPLATE, error.to_string()))?;
    // It may be compressed.
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Reading::Known(text),
        Err(_) => Reading::Unread("the user data is no text".to_owned()),
    })
}

/// Types that a mixed instances policy names; they go before the template's.
fn overrides(group: &AutoScalingGroup) -> impl Iterator<Item = &str> {
    let template = group.mixed_instances_policy().and_then(|policy| policy.launch_template());
    template.into_iter().flat_map(|template| template.overrides()).filter_map(|one| one.instance_type())
}

/// The group's launch template: its own, or that of its mixed instances policy.
fn template(group: &AutoScalingGroup) -> Option<&LaunchTemplateSpecification> {
    let mixed = || group.mixed_instances_policy()?.launch_template()?.launch_template_specification();
    group.launch_template().or_else(mixed)
}

#[derive(Debug, Deserialize)]
struct Versions {
    #[serde(rename = "launchTemplateVersionSet")]
    set: Items<Version>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for Versions {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct Version {
    #[serde(rename = "launchTemplateData")]
    data: TemplateData,
}

#[derive(Debug, Deserialize)]
struct TemplateData {
    #[serde(rename = "userData")]
    user_data: Option<String>,
    #[serde(rename = "instanceType")]
    instance_type: Option<String>,
    #[serde(rename = "imageId")]
    image: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ImagePage {
    #[serde(rename = "imagesSet")]
    set: Items<OneImage>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for ImagePage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct OneImage {
    #[serde(rename = "imageId")]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    architecture: String,
    #[serde(rename = "imageState", default)]
    state: String,
    #[serde(rename = "deprecationTime")]
    deprecated_at: Option<String>,
}

impl From<OneImage> for MachineImage {
    fn from(one: OneImage) -> MachineImage {
        MachineImage {
            id: one.id,
            name: one.name,
            architecture: one.architecture,
            state: one.state,
            // A date that nobody can read is none: the image is there all the same.
            deprecated_at: one.deprecated_at.and_then(|at| at.parse::<Timestamp>().ok()),
        }
    }
}

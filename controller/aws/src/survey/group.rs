//! An Auto Scaling group, and what its launch template has instances do at their start.

use super::{Survey, reading};
use crate::ec2::{Items, Page};
use crate::error::incomplete;
use crate::ports::CloudError;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification, LifecycleState};
use aws_smithy_types::base64;
use dormouse_core::doctor::Reading;
use dormouse_core::doctor::facts::ScalingGroup;
use serde::Deserialize;
use std::collections::BTreeSet;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";
const TEMPLATE: &str = "ec2:DescribeLaunchTemplateVersions";

impl Survey {
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
            user_data: match data {
                Reading::Known(data) => user_data(data)?,
                Reading::Missing => Reading::Missing,
                Reading::Unread(why) => Reading::Unread(why),
            },
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
}

//! What an installation's settings name, read from AWS: the facts of [`dormouse_core::doctor`].
//!
//! # Layout
//!
//! - `clusters`: ECS
//! - `group`: Auto Scaling, and EC2's launch templates and machine images
//! - `network`: EC2's subnets and security groups
//! - `zones`: Route 53
//! - `permissions`: whether calls that change something would be let through
//! - `around`: what a running controller reads besides; `images`: that of it which is in ECR and Service Quotas

mod around;
mod clusters;
pub(crate) mod group;
mod images;
mod network;
mod permissions;
mod zones;

use crate::Cloud;
use crate::count::Calls;
use crate::ec2::Ec2;
use crate::ports::{CloudError, Instances, Zones};
use crate::signed::{Service, Signed};
use aws_config::SdkConfig;
use dormouse_core::doctor::{Facts, Reading, Site};
use group::Launching;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads facts.
#[derive(Clone)]
pub struct Survey {
    ecs: aws_sdk_ecs::Client,
    groups: aws_sdk_autoscaling::Client,
    zones: aws_sdk_route53::Client,
    ec2: Ec2,
    launching: Launching,
    ecr: Signed,
    quotas: Signed,
    region: String,
    records: Arc<dyn Zones>,
    instances: Arc<dyn Instances>,
    calls: Arc<Calls>,
}

impl Survey {
    /// Makes every client; nothing is called yet.
    pub fn connect(config: &SdkConfig, cloud: &Cloud) -> Survey {
        let by_hand =
            |id, signing, host| Signed::new(config, Service { id, signing, host }, cloud.calls.clone());
        let ec2 = Ec2::new(config, cloud.calls.clone());
        let groups = aws_sdk_autoscaling::Client::new(config);
        Survey {
            ecs: aws_sdk_ecs::Client::new(config),
            launching: Launching::new(groups.clone(), ec2.clone(), cloud.calls.clone()),
            groups,
            zones: aws_sdk_route53::Client::new(config),
            ec2,
            ecr: by_hand("ECR", "ecr", "api.ecr"),
            quotas: by_hand("Service Quotas", "servicequotas", "servicequotas"),
            region: config.region().map_or("us-east-1", |region| region.as_ref()).to_owned(),
            records: cloud.zones.clone(),
            instances: cloud.instances.clone(),
            calls: cloud.calls.clone(),
        }
    }

    /// Reads everything that a site names.
    ///
    /// # Errors
    /// What may be answered later. A refusal is a fact.
    pub async fn facts(&self, site: &Site) -> Result<Facts, CloudError> {
        let subnets: Vec<String> = site
            .proxy_subnets
            .iter()
            .chain(&site.service_subnets)
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let facts = Facts {
            zone: reading(self.zone(&site.zone).await)?,
            private_zone: match &site.private_zone {
                Some(id) => Some(reading(self.zone(id).await)?),
                None => None,
            },
            proxy_cluster: reading(self.cluster(&site.proxy_cluster).await)?,
            service_cluster: reading(self.cluster(&site.service_cluster).await)?,
            group: reading(self.launching.group(&site.group).await)?,
            // Only the group knows which.
            machine: Reading::Missing,
            registered: reading(self.registered(&site.service_cluster).await)?,
            subnets: reading(self.subnets(&subnets).await)?,
            security_groups: reading(self.security_groups(&site.security_groups).await)?,
        };
        Ok(Facts { machine: self.launching.machine(&facts.group).await?, ..facts })
    }

    /// AWS's clock, by the newest of EC2's answers; `None` before the first one.
    pub fn clock(&self) -> Option<Timestamp> {
        self.ec2.dates().now()
    }

    async fn registered(&self, cluster: &str) -> Result<BTreeSet<String>, CloudError> {
        Ok(self.instances.instances(cluster).await?.into_iter().map(|instance| instance.ec2_id).collect())
    }
}

/// What an answer says of whether something is there.
fn reading<T>(answer: Result<T, CloudError>) -> Result<Reading<T>, CloudError> {
    match answer {
        Ok(known) => Ok(Reading::Known(known)),
        Err(CloudError::NotFound { .. }) => Ok(Reading::Missing),
        Err(error @ (CloudError::Denied { .. } | CloudError::Refused { .. })) => {
            Ok(Reading::Unread(error.to_string()))
        }
        Err(error @ (CloudError::Throttled { .. } | CloudError::Unknown { .. })) => Err(error),
    }
}

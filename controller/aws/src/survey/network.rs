//! Subnets and security groups.

use super::Survey;
use crate::ec2::{Items, Page};
use crate::ports::CloudError;
use dormouse_core::doctor::facts::Subnet;
use serde::Deserialize;
use std::collections::BTreeMap;

const SUBNETS: &str = "ec2:DescribeSubnets";
const GROUPS: &str = "ec2:DescribeSecurityGroups";

impl Survey {
    /// Subnets by id; those that are not there are left out.
    pub(super) async fn subnets(&self, ids: &[String]) -> Result<BTreeMap<String, Subnet>, CloudError> {
        let pages: Vec<SubnetPage> = self.ec2.by_id(SUBNETS, "subnet-id", ids).await?;
        let all = pages.into_iter().flat_map(|page| page.set.items);
        Ok(all.map(|one| (one.id, Subnet { vpc: one.vpc, zone: one.zone })).collect())
    }

    /// The VPC of each security group; those that are not there are left out.
    pub(super) async fn security_groups(
        &self,
        ids: &[String],
    ) -> Result<BTreeMap<String, String>, CloudError> {
        let pages: Vec<GroupPage> = self.ec2.by_id(GROUPS, "group-id", ids).await?;
        Ok(pages.into_iter().flat_map(|page| page.set.items).map(|one| (one.id, one.vpc)).collect())
    }
}

#[derive(Debug, Deserialize)]
struct SubnetPage {
    #[serde(rename = "subnetSet")]
    set: Items<OneSubnet>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for SubnetPage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct OneSubnet {
    #[serde(rename = "subnetId")]
    id: String,
    #[serde(rename = "vpcId")]
    vpc: String,
    #[serde(rename = "availabilityZone")]
    zone: String,
}

#[derive(Debug, Deserialize)]
struct GroupPage {
    #[serde(rename = "securityGroupInfo")]
    set: Items<OneGroup>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for GroupPage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct OneGroup {
    #[serde(rename = "groupId")]
    id: String,
    #[serde(rename = "vpcId")]
    vpc: String,
}

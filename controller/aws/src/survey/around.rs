//! What a running controller reads besides what its settings name.

use super::{Survey, reading};
use crate::ec2::{Items, Page};
use crate::ports::CloudError;
use dormouse_core::doctor::facts::{InstanceType, Route};
use dormouse_core::doctor::{Facts, Reading, Site, Surroundings};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const ROUTES: &str = "ec2:DescribeRouteTables";
const TYPES: &str = "ec2:DescribeInstanceTypes";
const EVERYWHERE: &str = "0.0.0.0/0";

impl Survey {
    /// Reads it.
    ///
    /// # Errors
    /// What may be answered later. A refusal is a fact.
    pub async fn around(
        &self,
        site: &Site,
        install: &str,
        facts: &Facts,
        images: impl IntoIterator<Item = &String>,
    ) -> Result<Surroundings, CloudError> {
        let types: Vec<&str> = match &facts.group {
            Reading::Known(group) => group.types.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        Ok(Surroundings {
            wildcard: reading(self.wildcard(site).await)?,
            permissions: self.permissions(site, install).await?,
            routes: match &facts.subnets {
                Reading::Known(subnets) => {
                    let of = site
                        .proxy_subnets
                        .iter()
                        .filter_map(|id| Some((id.clone(), subnets.get(id)?.vpc.clone())));
                    reading(self.routes(of.collect()).await)?
                }
                _ => Reading::Unread("the subnets are not known".to_owned()),
            },
            types: reading(self.types(&types).await)?,
            images: self.images(images).await?,
            fargate_quota: reading(self.quota("fargate", "L-3032A538").await)?,
            instance_quota: reading(self.quota("ec2", "L-1216C47A").await)?,
        })
    }

    async fn wildcard(&self, site: &Site) -> Result<Vec<String>, CloudError> {
        let name = format!("*.{}", site.domain);
        let records = self.records.records(&site.zone).await?;
        let found = records.into_iter().find(|record| record.name == name && record.kind == "A");
        found
            .map(|record| record.values)
            .ok_or(CloudError::NotFound { operation: "route53:ListResourceRecordSets", message: name })
    }

    /// Where the traffic of subnets goes, each with its VPC. One without a table of its own has its VPC's main one.
    async fn routes(&self, subnets: BTreeMap<String, String>) -> Result<BTreeMap<String, Route>, CloudError> {
        let vpcs: Vec<String> = subnets.values().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let pages: Vec<TablePage> = self.ec2.by_id(ROUTES, "vpc-id", &vpcs).await?;
        let tables: Vec<Table> = pages.into_iter().flat_map(|page| page.set.items).collect();
        let of = |id: &String, vpc: &String| {
            let own =
                tables.iter().find(|table| table.associations().any(|one| one.subnet.as_ref() == Some(id)));
            let main =
                || tables.iter().find(|table| table.vpc == *vpc && table.associations().any(|one| one.main));
            own.or_else(main).map_or(Route::Other, Table::route)
        };
        Ok(subnets.iter().map(|(id, vpc)| (id.clone(), of(id, vpc))).collect())
    }

    async fn types(&self, names: &[&str]) -> Result<BTreeMap<String, InstanceType>, CloudError> {
        if names.is_empty() {
            // Asked for none, EC2 tells of all there are.
            return Ok(BTreeMap::new());
        }
        let each =
            names.iter().enumerate().map(|(index, name)| (format!("InstanceType.{}", index + 1), *name));
        let page: TypePage = self.ec2.describe(TYPES, each).await?;
        let known = |one: OneType| {
            let kind = InstanceType {
                architectures: one.processor.architectures.items.into_iter().collect(),
                interfaces: one.network.interfaces,
                vcpus: one.cpu.vcpus,
            };
            (one.name, kind)
        };
        Ok(page.set.items.into_iter().map(known).collect())
    }
}

#[derive(Debug, Deserialize)]
struct TablePage {
    #[serde(rename = "routeTableSet")]
    set: Items<Table>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for TablePage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct Table {
    #[serde(rename = "vpcId")]
    vpc: String,
    #[serde(rename = "routeSet")]
    routes: Option<Items<OneRoute>>,
    #[serde(rename = "associationSet")]
    associations: Option<Items<Association>>,
}

impl Table {
    fn associations(&self) -> impl Iterator<Item = &Association> {
        self.associations.iter().flat_map(|set| &set.items)
    }

    fn route(&self) -> Route {
        let mut routes = self.routes.iter().flat_map(|set| &set.items);
        let leads_out = routes.any(|route| {
            let gateway = route.gateway.as_deref().is_some_and(|id| id.starts_with("igw-"));
            gateway && route.to.as_deref() == Some(EVERYWHERE)
        });
        if leads_out { Route::InternetGateway } else { Route::Other }
    }
}

#[derive(Debug, Deserialize)]
struct OneRoute {
    #[serde(rename = "destinationCidrBlock")]
    to: Option<String>,
    #[serde(rename = "gatewayId")]
    gateway: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Association {
    #[serde(rename = "subnetId")]
    subnet: Option<String>,
    #[serde(default)]
    main: bool,
}

#[derive(Debug, Deserialize)]
struct TypePage {
    #[serde(rename = "instanceTypeSet")]
    set: Items<OneType>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for TypePage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct OneType {
    #[serde(rename = "instanceType")]
    name: String,
    #[serde(rename = "networkInfo")]
    network: Network,
    #[serde(rename = "vCpuInfo")]
    cpu: Cpu,
    #[serde(rename = "processorInfo")]
    processor: Processor,
}

#[derive(Debug, Deserialize)]
struct Processor {
    #[serde(rename = "supportedArchitectures")]
    architectures: Items<String>,
}

#[derive(Debug, Deserialize)]
struct Network {
    #[serde(rename = "maximumNetworkInterfaces")]
    interfaces: u32,
}

#[derive(Debug, Deserialize)]
struct Cpu {
    #[serde(rename = "defaultVCpus")]
    vcpus: u32,
}

//! EC2: public addresses of network interfaces, and what a survey asks of subnets, security groups, launch templates and
//! machine images.
//!
//! Source: Amazon EC2 API Reference.

use crate::count::Calls;
use crate::dates::Dates;
use crate::error::incomplete;
use crate::ports::{CloudError, Interfaces};
use crate::signed::{Body, Service, Signed};
use async_trait::async_trait;
use aws_config::SdkConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";

/// Version of the API that requests and answers are written in.
const API_VERSION: &str = "2016-11-15";
/// Ids asked for in one call: a filter takes up to 200 values.
const CHUNK: usize = 100;

/// EC2's Query protocol: `Describe…` calls with one filter.
#[derive(Debug, Clone)]
pub(crate) struct Ec2(Signed);

impl Ec2 {
    pub fn new(config: &SdkConfig, calls: Arc<Calls>) -> Ec2 {
        Ec2(Signed::new(config, Service { id: "EC2", signing: "ec2", host: "ec2" }, calls))
    }

    /// How EC2 dates its answers.
    pub fn dates(&self) -> &Dates {
        self.0.dates()
    }

    /// One `ec2:Describe…`, with these parameters beside its name and version. Values are taken as they are: ids and
    /// names, which need no escape; anything else can only be a mistake, and finds nothing.
    pub async fn describe<T: Page>(
        &self,
        operation: &'static str,
        parameters: impl IntoIterator<Item = (String, &str)>,
    ) -> Result<T, CloudError> {
        let action = operation.trim_start_matches("ec2:");
        let mut form = format!("Action={action}&Version={API_VERSION}");
        for (name, value) in parameters {
            let safe = |c: &char| c.is_ascii_alphanumeric() || "-_.$".contains(*c);
            let _ = write!(form, "&{name}={}", value.chars().filter(safe).collect::<String>());
        }
        let text = self.0.call(operation, Body::Form(form)).await?;
        let page: T =
            quick_xml::de::from_str(&text).map_err(|error| incomplete(operation, error.to_string()))?;
        // A call without MaxResults is answered whole.
        if page.next_token().is_some_and(|token| !token.is_empty()) {
            return Err(incomplete(operation, "an answer in pages"));
        }
        Ok(page)
    }

    /// The same, of things by their ids. A filter and not the ids themselves: one unknown id of those has the whole
    /// call refused.
    pub async fn by_id<T: Page>(
        &self,
        operation: &'static str,
        filter: &'static str,
        ids: &[String],
    ) -> Result<Vec<T>, CloudError> {
        let mut pages = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let values = chunk
                .iter()
                .enumerate()
                .map(|(index, id)| (format!("Filter.1.Value.{}", index + 1), id.as_str()));
            let name = ("Filter.1.Name".to_owned(), filter);
            pages.push(self.describe(operation, std::iter::once(name).chain(values)).await?);
        }
        Ok(pages)
    }
}

/// An answer, which may say that there is more of it.
pub(crate) trait Page: DeserializeOwned {
    /// Where the rest begins.
    fn next_token(&self) -> Option<&str>;
}

/// A set as EC2 writes it: `<item>`s.
#[derive(Debug, Deserialize)]
pub(crate) struct Items<T> {
    #[serde(rename = "item", default = "Vec::new")]
    pub items: Vec<T>,
}

/// Interfaces over EC2.
#[derive(Debug, Clone)]
pub struct Ec2Interfaces(Ec2);

impl Ec2Interfaces {
    /// Region, credentials, endpoint, HTTP client and time limits are those of `config`.
    pub fn new(config: &SdkConfig, calls: Arc<Calls>) -> Ec2Interfaces {
        Ec2Interfaces(Ec2::new(config, calls))
    }
}

#[async_trait]
impl Interfaces for Ec2Interfaces {
    async fn public_addresses(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        let pages: Vec<InterfacePage> = self.0.by_id(INTERFACES, "network-interface-id", ids).await?;
        let all = pages.into_iter().flat_map(|page| page.interfaces.items);
        let with_one = all.filter_map(|interface| {
            let address = interface.association?.public_ip?;
            (!address.is_empty()).then_some((interface.id, address))
        });
        Ok(with_one.collect())
    }
}

#[derive(Debug, Deserialize)]
struct InterfacePage {
    #[serde(rename = "networkInterfaceSet")]
    interfaces: Items<Interface>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

impl Page for InterfacePage {
    fn next_token(&self) -> Option<&str> {
        self.next_token.as_deref()
    }
}

#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(rename = "networkInterfaceId")]
    id: String,
    association: Option<Association>,
}

#[derive(Debug, Deserialize)]
struct Association {
    #[serde(rename = "publicIp")]
    public_ip: Option<String>,
}

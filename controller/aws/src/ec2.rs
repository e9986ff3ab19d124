//! Public addresses of network interfaces.
//!
//! One call of EC2's Query protocol, made by the SDK's own machinery (signing, credentials, HTTP client, time
//! limits) without the EC2 crate, which alone takes longer to compile than everything else together.
//!
//! Sources: Amazon EC2 API Reference, DescribeNetworkInterfaces; Amazon EC2 Developer Guide, "Query requests".

use crate::count::Calls;
use crate::error::incomplete;
use crate::ports::{CloudError, Interfaces};
use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthSchemeOptionResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const DESCRIBE: &str = "ec2:DescribeNetworkInterfaces";

/// Version of the API that the request and the answer are written in.
const API_VERSION: &str = "2016-11-15";
/// Interfaces asked for in one call: a filter takes up to 200 values.
/// Source: Amazon EC2 API Reference, DescribeNetworkInterfaces.
const CHUNK: usize = 100;

/// Interfaces over EC2.
#[derive(Debug, Clone)]
pub struct Ec2Interfaces {
    describe: Operation<Vec<String>, DescribeAnswer, ErrorMetadata>,
    calls: Arc<Calls>,
}

impl Ec2Interfaces {
    /// Region, credentials, endpoint, HTTP client and time limits are those of `config`. The endpoint is
    /// `AWS_ENDPOINT_URL_EC2`, else `AWS_ENDPOINT_URL`, else EC2's own of the region.
    pub fn new(config: &SdkConfig, calls: Arc<Calls>) -> Ec2Interfaces {
        let region = config.region().map_or("us-east-1", |region| region.as_ref());
        let mut operation = Operation::builder()
            .service_name("ec2")
            .operation_name("DescribeNetworkInterfaces")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&endpoint(config, region))
            .no_retry()
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .runtime_plugin(signing(config, region));
        if let Some(client) = config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            operation = operation.time_source(time);
        }
        let describe = operation
            .serializer(|ids: Vec<String>| request(&ids).map_err(Into::into))
            .deserializer(read)
            .build();
        Ec2Interfaces { describe, calls }
    }
}

#[async_trait]
impl Interfaces for Ec2Interfaces {
    async fn public_addresses(&self, ids: &[String]) -> Result<BTreeMap<String, String>, CloudError> {
        let mut addresses = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            let answer = self.describe.invoke(chunk.to_vec()).await;
            let answer = self.calls.settle(DESCRIBE, answer)?;
            if answer.next_token.is_some_and(|token| !token.is_empty()) {
                // A call without MaxResults is answered whole.
                return Err(incomplete(DESCRIBE, "an answer in pages"));
            }
            for interface in answer.interfaces.items {
                let address = interface.association.and_then(|association| association.public_ip);
                if let Some(address) = address.filter(|address| !address.is_empty()) {
                    addresses.insert(interface.id, address);
                }
            }
        }
        Ok(addresses)
    }
}

/// The order in which the SDK's own clients look: code, the service's variable or profile entry, the general one.
fn endpoint(config: &SdkConfig, region: &str) -> String {
    let key = ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let own = || config.service_config()?.load_config(key.build().ok()?);
    let own = if config.get_origin("endpoint_url").is_client_config() { None } else { own() };
    own.or_else(|| config.endpoint_url().map(str::to_owned)).unwrap_or_else(|| {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://ec2.{region}.{suffix}")
    })
}

/// Signature version 4 with the configuration's credentials, from its cache.
fn signing(config: &SdkConfig, region: &str) -> StaticRuntimePlugin {
    let mut layer = Layer::new("ec2");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(aws_types::region::Region::new(region.to_owned()))),
        region_set: None,
        name: Some(SigningName::from_static("ec2")),
        signing_options: SigningOptions::default(),
    });
    let resolver = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new("ec2")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(resolver)));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    match config.identity_cache() {
        Some(cache) => components.set_identity_cache(Some(cache)),
        None => components.set_identity_cache(Some(IdentityCache::lazy().build())),
    };
    StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
}

/// A filter and not `NetworkInterfaceId.N`: one unknown id of those has the whole call refused.
fn request(ids: &[String]) -> Result<HttpRequest, aws_smithy_runtime_api::http::HttpError> {
    let mut form = format!("Action=DescribeNetworkInterfaces&Version={API_VERSION}");
    form.push_str("&Filter.1.Name=network-interface-id");
    for (index, id) in ids.iter().enumerate() {
        // Ids are ASCII letters, digits and hyphens; anything else can only be a mistake, and finds nothing.
        let id: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        form.push_str(&format!("&Filter.1.Value.{}={id}", index + 1));
    }
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    Ok(request)
}

/// Reads an answer or an error.
fn read(response: &HttpResponse) -> Result<DescribeAnswer, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    let text = std::str::from_utf8(body).map_err(OrchestratorError::other)?;
    if response.status().is_success() {
        return quick_xml::de::from_str(text).map_err(OrchestratorError::other);
    }
    let answer: ErrorAnswer = quick_xml::de::from_str(text).unwrap_or_default();
    let mut error = ErrorMetadata::builder();
    if let Some(first) = answer.errors.errors.into_iter().next() {
        error = error.code(first.code).message(first.message);
    }
    Err(OrchestratorError::operation(error.build()))
}

#[derive(Debug, Deserialize)]
struct DescribeAnswer {
    #[serde(rename = "networkInterfaceSet")]
    interfaces: InterfaceSet,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct InterfaceSet {
    #[serde(rename = "item", default)]
    items: Vec<Interface>,
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

#[derive(Debug, Default, Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "Errors", default)]
    errors: ErrorList,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorList {
    #[serde(rename = "Error", default)]
    errors: Vec<OneError>,
}

#[derive(Debug, Deserialize)]
struct OneError {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

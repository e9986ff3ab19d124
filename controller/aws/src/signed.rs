//! Calls of services of which few are made, by the SDK's own machinery (signing, credentials, HTTP client, time limits)
//! without the service's crate: EC2's alone takes longer to compile than everything else together.
//!
//! Sources: Amazon EC2 Developer Guide, "Query requests"; Smithy specification, "AWS JSON 1.1 protocol".

use crate::count::Calls;
use crate::dates::Dates;
use crate::operation;
use crate::ports::CloudError;
use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthSchemeOptionResolver};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A service and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// The SDK's id of it, which names `AWS_ENDPOINT_URL_<ID>`.
    pub id: &'static str,
    /// The name that its requests are signed for.
    pub signing: &'static str,
    /// Its host, before the region.
    pub host: &'static str,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Of the Query protocol, answered in XML.
    Form(String),
    /// Of the JSON protocol 1.1.
    Json {
        /// `X-Amz-Target`.
        target: &'static str,
        /// The input.
        input: String,
    },
}

/// A client of one service.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    operation: Operation<Body, String, ErrorMetadata>,
    calls: Arc<Calls>,
    dates: Arc<Dates>,
}

impl Signed {
    /// Region, credentials, endpoint, HTTP client and time limits are those of `config`. The endpoint is
    /// `AWS_ENDPOINT_URL_<ID>`, else `AWS_ENDPOINT_URL`, else the service's own of the region.
    pub fn new(config: &SdkConfig, service: Service, calls: Arc<Calls>) -> Signed {
        let region = config.region().map_or("us-east-1", |region| region.as_ref());
        let limits = config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let dates = Arc::new(Dates::default());
        let noted = dates.clone();
        let operation =
            operation::begin(config, service.signing, "Call", &endpoint(config, service, region), limits)
                .runtime_plugin(signing(config, service, region))
                .serializer(|body: Body| request(body).map_err(Into::into))
                .deserializer(move |response: &HttpResponse| {
                    noted.note(response.headers().get("date"));
                    read(response)
                })
                .build();
        Signed { operation, calls, dates }
    }

    /// How its answers are dated, refusals among them.
    pub fn dates(&self) -> &Dates {
        &self.dates
    }

    /// Calls, and answers the body.
    pub async fn call(&self, operation: &'static str, body: Body) -> Result<String, CloudError> {
        self.calls.settle(operation, self.operation.invoke(body).await)
    }
}

/// The order in which the SDK's own clients look: code, the service's variable or profile entry, the general one.
fn endpoint(config: &SdkConfig, service: Service, region: &str) -> String {
    let key =
        ServiceConfigKey::builder().service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let own = || config.service_config()?.load_config(key.build().ok()?);
    let own = if config.get_origin("endpoint_url").is_client_config() { None } else { own() };
    own.or_else(|| config.endpoint_url().map(str::to_owned)).unwrap_or_else(|| {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{}.{region}.{suffix}", service.host)
    })
}

/// Signature version 4 with the configuration's credentials, from its cache.
fn signing(config: &SdkConfig, service: Service, region: &str) -> StaticRuntimePlugin {
    let mut layer = Layer::new(service.signing);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(aws_types::region::Region::new(region.to_owned()))),
        region_set: None,
        name: Some(SigningName::from_static(service.signing)),
        signing_options: SigningOptions::default(),
    });
    let resolver = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
    let mut components = RuntimeComponentsBuilder::new(service.signing)
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

fn request(body: Body) -> Result<HttpRequest, HttpError> {
    let (text, kind, target) = match body {
        Body::Form(form) => (form, "application/x-www-form-urlencoded", None),
        Body::Json { target, input } => (input, "application/x-amz-json-1.1", Some(target)),
    };
    let mut request = HttpRequest::new(SdkBody::from(text));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert("content-type", kind);
    if let Some(target) = target {
        request.headers_mut().insert("x-amz-target", target);
    }
    Ok(request)
}

/// Reads an answer or an error.
fn read(response: &HttpResponse) -> Result<String, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    let text = std::str::from_utf8(body).map_err(OrchestratorError::other)?;
    if response.status().is_success() {
        return Ok(text.to_owned());
    }
    let mut error = ErrorMetadata::builder();
    if let Some(found) = xml_error(text).or_else(|| json_error(text)) {
        error = error.code(found.code).message(found.message);
    }
    Err(OrchestratorError::operation(error.build()))
}

fn xml_error(text: &str) -> Option<OneError> {
    quick_xml::de::from_str::<XmlErrors>(text).ok()?.list.errors.into_iter().next()
}

fn json_error(text: &str) -> Option<OneError> {
    let error: Value = serde_json::from_str(text).ok()?;
    // `namespace#Code`, in some services; and either spelling, or both.
    let code = error["__type"].as_str()?.rsplit('#').next()?.to_owned();
    let message = error["message"].as_str().or(error["Message"].as_str()).unwrap_or_default().to_owned();
    Some(OneError { code, message })
}

#[derive(Debug, Deserialize)]
struct XmlErrors {
    #[serde(rename = "Errors")]
    list: ErrorList,
}

#[derive(Debug, Deserialize)]
struct ErrorList {
    #[serde(rename = "Error")]
    errors: Vec<OneError>,
}

#[derive(Debug, Deserialize)]
struct OneError {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

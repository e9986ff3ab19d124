//! Where traces go: to an OpenTelemetry collector, by OTLP over HTTP, through the HTTPS client that is there anyway.

use async_trait::async_trait;
use dormouse_aws::{Https, SdkConfig};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::fmt;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The provider that the environment asks for: `OTEL_EXPORTER_OTLP_ENDPOINT` or `…_TRACES_ENDPOINT` names the collector,
/// and what else OpenTelemetry's variables say is kept to. `None`: it names none, or `OTEL_SDK_DISABLED` is `true`.
///
/// # Errors
/// When a variable cannot be used.
#[allow(clippy::disallowed_methods, reason = "the edge")]
pub fn from_environment(sdk: &SdkConfig) -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_wanted = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        .into_iter()
        .any(|name| text(name).is_some())
        && text("OTEL_SDK_DISABLED").is_none_or(|value| !value.eq_ignore_ascii_case("true"));
    if !is_wanted {
        return Ok(None);
    }
    provider(sdk, None, &text("OTEL_SERVICE_NAME").unwrap_or_else(|| "dormouse".to_owned())).map(Some)
}

/// A provider that exports to an address; `None`: the one that the environment names.
///
/// # Errors
/// When it cannot be used.
pub fn provider(
    sdk: &SdkConfig,
    endpoint: Option<&str>,
    service: &str,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let client = Client { sdk: sdk.clone(), runtime: Handle::current() };
    let exporter = SpanExporter::builder().with_http().with_http_client(client);
    let exporter = match endpoint {
        Some(endpoint) => exporter.with_endpoint(endpoint),
        None => exporter,
    };
    let resource = Resource::builder_empty()
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_service_name(service.to_owned())
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter.build()?).with_resource(resource).build())
}

/// The exporter has a thread of its own; requests are made where the client lives.
#[derive(Clone)]
struct Client {
    sdk: SdkConfig,
    runtime: Handle,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            Ok::<_, http::header::ToStrError>((name.as_str().to_owned(), value.to_str()?.to_owned()))
        };
        let headers = parts.headers.iter().map(text).collect::<Result<_, _>>()?;
        let to = Https::to(&self.sdk, &parts.uri.to_string());
        let posted = async move { timeout(PATIENCE, to.post(headers, body.to_vec())).await };
        let status = self.runtime.spawn(posted).await???;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

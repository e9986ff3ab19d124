//! A call by the SDK's own machinery, without a service's crate: what every such call has of the configuration.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime::client::orchestrator::operation::{Operation, OperationBuilder};
use aws_smithy_types::timeout::TimeoutConfig;

/// Begins a call to `endpoint`, made once: with the HTTP client, the sleep and the clock of `config`.
pub(crate) fn begin(
    config: &SdkConfig,
    service: &'static str,
    name: &'static str,
    endpoint: &str,
    limits: TimeoutConfig,
) -> OperationBuilder {
    let mut operation = Operation::builder()
        .service_name(service)
        .operation_name(name)
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .no_retry()
        .timeout_config(limits);
    if let Some(client) = config.http_client() {
        operation = operation.http_client(client);
    }
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    if let Some(time) = config.time_source() {
        operation = operation.time_source(time);
    }
    operation
}

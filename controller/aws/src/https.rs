//! Posts to an address that is not AWS's, by the SDK's own HTTP client: it brings the only TLS stack that there is.

use crate::operation;
use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::timeout::TimeoutConfig;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

/// Time limit of connecting.
const CONNECT: Duration = Duration::from_secs(5);

/// One address.
#[derive(Clone)]
pub struct Https {
    operation: Operation<Posted, Status, Infallible>,
}

/// What is posted. It may be secret, as the address.
struct Posted {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posted(…)")
    }
}

#[derive(Debug)]
struct Status(u16);

impl Https {
    /// The address `http[s]://host[:port][/path]`; `config` gives the client. How long an answer may take is the
    /// caller's to limit. Redirects are not followed.
    pub fn to(config: &SdkConfig, url: &str) -> Https {
        let (origin, path) = origin_and_path(url);
        let path = path.to_owned();
        let limits = TimeoutConfig::builder().connect_timeout(CONNECT).build();
        let operation = operation::begin(config, "http", "Post", origin, limits).no_auth();
        let request = move |posted: Posted| {
            let mut request = HttpRequest::new(SdkBody::from(posted.body));
            request.set_method("POST")?;
            request.set_uri(path.as_str())?;
            for (name, value) in posted.headers {
                request.headers_mut().try_insert(name, value)?;
            }
            Ok(request)
        };
        Https { operation: operation.serializer(request).deserializer_impl(StatusOnly).build() }
    }

    /// Posts, and answers the status. The body of the answer is not read.
    ///
    /// # Errors
    /// Why there is no answer; the address is not told.
    pub async fn post(&self, headers: Vec<(String, String)>, body: Vec<u8>) -> Result<u16, String> {
        match self.operation.invoke(Posted { headers, body }).await {
            Ok(Status(status)) => Ok(status),
            Err(SdkError::DispatchFailure(failure)) => {
                Err(failure.as_connector_error().map_or_else(String::new, |error| causes(error)))
            }
            Err(error) => Err(DisplayErrorContext(error).to_string()),
        }
    }
}

/// An error and what it came of, without the debug text that the SDK adds.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn origin_and_path(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?']).map_or(url.len(), |at| host + at);
    url.split_at(end)
}

#[derive(Debug)]
struct StatusOnly;

impl DeserializeResponse for StatusOnly {
    /// Before the body is read: nobody knows how long it is.
    fn deserialize_streaming(
        &self,
        response: &mut HttpResponse,
    ) -> Option<Result<Output, OrchestratorError<Error>>> {
        Some(Ok(Output::erase(Status(response.status().as_u16()))))
    }

    fn deserialize_nonstreaming(&self, response: &HttpResponse) -> Result<Output, OrchestratorError<Error>> {
        Ok(Output::erase(Status(response.status().as_u16())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_parts() {
        for (url, origin, path) in [
            ("https://example.com", "https://example.com", ""),
            ("http://10.0.0.1:8080/a/b?c=d", "http://10.0.0.1:8080", "/a/b?c=d"),
            ("https://example.com?c=d", "https://example.com", "?c=d"),
        ] {
            assert_eq!(origin_and_path(url), (origin, path));
        }
    }
}

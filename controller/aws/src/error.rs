//! AWS's errors, sorted by what can be done about them: by code and status, never by message.

use crate::count::Calls;
use crate::grants;
use crate::ports::CloudError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// Codes that say "later": too many calls, or another change of the same thing is under way. Nothing happened.
///
/// Source: the SDK's own list (`aws_runtime::retries::classifiers`) without those that name a lasting quota;
/// Amazon EC2 Auto Scaling API Reference, "Common Errors" of SetDesiredCapacity.
const LATER: &[&str] = &[
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ResourceContention",
    "ScalingActivityInProgress",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// Codes that say that the caller may not, beside those that begin with `AccessDenied`. Source: AWS General
/// Reference, "Common Errors"; Amazon EC2 API Reference, "Error codes".
const FORBIDDEN: &[&str] = &["NotAuthorized", "UnauthorizedOperation"];

/// Codes that say that it was not accepted who the caller is. Source: AWS General Reference, "Common Errors".
const DENIED: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl Calls {
    /// Counts a call and sorts its error.
    pub(crate) fn settle<T, E>(
        &self,
        operation: &'static str,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let result = result.map_err(|error| sort(operation, &error));
        self.note(operation, result.as_ref().err());
        result
    }
}

/// Sorts an error of a call of the SDK.
pub fn sort<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let (code, message) = (service.err().code(), service.err().message());
            answered(operation, service.raw().status().as_u16(), code, message)
        }
        // Nothing was sent.
        SdkError::ConstructionFailure(_) => {
            CloudError::Refused { operation, code: "ConstructionFailure".into(), message: words(error) }
        }
        _ => CloudError::Unknown { operation, message: words(error) },
    }
}

/// Sorts an error that AWS answered.
fn answered(operation: &'static str, status: u16, code: Option<&str>, message: Option<&str>) -> CloudError {
    let message = message.unwrap_or("no message").to_owned();
    let code = code.unwrap_or("");
    if status == 429 || LATER.contains(&code) {
        CloudError::Throttled { operation }
    } else if code.starts_with("AccessDenied") || FORBIDDEN.contains(&code) {
        CloudError::Denied { operation, message: grants::explained(operation, &message) }
    } else if DENIED.contains(&code) {
        CloudError::Denied { operation, message }
    } else if status >= 500 {
        CloudError::Unknown { operation, message: format!("HTTP {status} {code}: {message}") }
    } else if is_absence(code) {
        CloudError::NotFound { operation, message }
    } else {
        let code = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
        CloudError::Refused { operation, code, message }
    }
}

fn is_absence(code: &str) -> bool {
    code.starts_with("NoSuch") || code.ends_with("NotFound") || code.ends_with("NotFoundException")
}

/// An incomplete answer: as good as none.
pub(crate) fn incomplete(operation: &'static str, message: impl Into<String>) -> CloudError {
    CloudError::Unknown { operation, message: message.into() }
}

/// A call that is not made, because AWS would refuse it or do something else than was meant.
pub(crate) fn refused(operation: &'static str, code: &str, message: impl Into<String>) -> CloudError {
    CloudError::Refused { operation, code: code.into(), message: message.into() }
}

/// An error and its causes on one line.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: &str) -> &'static str {
        match answered("ecs:RunTask", status, Some(code), Some("words")) {
            CloudError::Throttled { .. } => "throttled",
            CloudError::Denied { .. } => "denied",
            CloudError::Unknown { .. } => "unknown",
            CloudError::Refused { .. } => "refused",
            CloudError::NotFound { .. } => "not found",
        }
    }

    #[test]
    fn errors_are_sorted_by_code_and_status() {
        let table = [
            (400, "ThrottlingException", "throttled"),
            (400, "Throttling", "throttled"),
            (429, "TooManyRequestsException", "throttled"),
            (429, "", "throttled"),
            (503, "RequestLimitExceeded", "throttled"),
            (400, "PriorRequestNotComplete", "throttled"),
            (500, "ResourceContention", "throttled"),
            (400, "ScalingActivityInProgress", "throttled"),
            (400, "AccessDeniedException", "denied"),
            (403, "AccessDenied", "denied"),
            (403, "UnauthorizedOperation", "denied"),
            (403, "SignatureDoesNotMatch", "denied"),
            (400, "ExpiredTokenException", "denied"),
            (500, "ServerException", "unknown"),
            (503, "ServiceUnavailable", "unknown"),
            (500, "InternalFailure", "unknown"),
            (502, "", "unknown"),
            (400, "ClusterNotFoundException", "not found"),
            (404, "NoSuchHostedZone", "not found"),
            (400, "InvalidNetworkInterfaceID.NotFound", "not found"),
            (400, "InvalidParameterException", "refused"),
            (400, "ClientException", "refused"),
            // Quotas that waiting does not lift.
            (400, "LimitExceeded", "refused"),
            (400, "LimitExceededException", "refused"),
            (404, "", "refused"),
        ];
        for (status, code, expected) in table {
            assert_eq!(kind(status, code), expected, "{status} {code}");
        }
    }
}

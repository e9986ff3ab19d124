//! Errors as `application/problem+json` (RFC 9457): what was wrong, the value, what is accepted.

use crate::plane::PlaneError;
use crate::refusals::Reason;
use crate::waker::Refused;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as a caller sees it.
#[derive(Debug, Clone)]
pub struct Problem(Box<Content>);

/// What was wrong, the value, and what is accepted (RFC 9457).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Content {
    /// `urn:dormouse:` and the kind of problem in a word or two.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// A sentence.
    detail: String,
    /// More, by kind: `field`, `value` and `accepted`; `diagnostics` of a manifest.
    #[serde(flatten)]
    more: Map<String, Value>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of a kind (`urn:dormouse:<kind>`), in words.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Content {
            kind: format!("urn:dormouse:{kind}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            more: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// A wrong value: which, and what is accepted.
    pub fn invalid(what: &str, value: &str, accepted: &str) -> Problem {
        let shown: String = value.chars().take(100).collect();
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            format!("{what} cannot be {shown:?}: give {accepted}"),
        )
        .with("field", what)
        .with("value", shown)
        .with("accepted", accepted)
    }

    /// A name that no service can have.
    pub fn bad_name(name: &str) -> Problem {
        let accepted = "a DNS label: 1 to 63 of a-z, 0-9 and -, no hyphen at its ends";
        Problem::invalid("the service's name", name, accepted)
    }

    /// No such service.
    pub fn not_declared(name: &str) -> Problem {
        Problem::from(PlaneError::NotFound(name.to_owned()))
    }

    /// The caller did not show the token.
    pub fn unauthorized(detail: &str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dormouse\""))
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.push((name, value));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Problem {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The schema of its body.
    pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Content>()
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl From<PlaneError> for Problem {
    fn from(error: PlaneError) -> Problem {
        let detail = error.to_string();
        match error {
            PlaneError::NotFound(name) => {
                Problem::new(StatusCode::NOT_FOUND, "not-declared", detail).with("name", name)
            }
            PlaneError::NoTemplate(name) => {
                Problem::new(StatusCode::NOT_FOUND, "no-template", detail).with("name", name)
            }
            PlaneError::Full(_) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "template-full", detail).retry_after(60)
            }
            PlaneError::Conflict(_) => Problem::new(StatusCode::CONFLICT, "conflict", detail),
            PlaneError::Unavailable(_) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(5)
            }
            PlaneError::Spent { retry_after, .. } => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail)
                    .with("reason", Reason::DailyBudget.word())
                    .retry_after(retry_after.as_secs().saturating_add(1))
            }
            PlaneError::Invalid(_) => Problem::new(StatusCode::BAD_REQUEST, "invalid", detail),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let detail = refused.to_string();
        match refused {
            Refused::Plane(error) => Problem::from(error),
            Refused::TooOften { reason, retry_after } => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail)
                    .with("reason", reason.word())
                    .retry_after(retry_after.as_secs().saturating_add(1))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.0.headers);
        response
    }
}

//! Names, parameters and bodies, or the problem with them.

use super::audit::{self, Who};
use super::state::Api;
use crate::label::is_label;
use crate::plane::Asked;
use crate::problem::Problem;
use crate::request::describe;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use dormouse_manifests::parse_duration;
use http::StatusCode;
use http::request::Parts;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

/// The service that a path names; it may or may not be declared.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|error| Problem::bad_name(&error.body_text()))?;
        if is_label(&name) { Ok(Name(name)) } else { Err(Problem::bad_name(&name)) }
    }
}

/// The parameters of a query.
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Problem> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let problem = |error: axum::extract::rejection::QueryRejection| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid", error.body_text())
        };
        read.map(|Query(pairs)| Params(pairs)).map_err(problem)
    }
}

impl Params {
    /// Refuses parameters that nobody would look at.
    pub(super) fn only(self, known: &[&str]) -> Result<Params, Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some((name, _)) if known.is_empty() => {
                Err(Problem::invalid("a parameter", name, "none: this call has none"))
            }
            Some((name, _)) => Err(Problem::invalid("a parameter", name, &known.join(" or "))),
        }
    }

    /// The last value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A duration of at most `longest`.
    pub(super) fn duration(&self, name: &str, longest: Duration) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse_duration(text) {
            Ok(duration) if duration <= longest => Ok(Some(duration)),
            _ => {
                let longest = dormouse_manifests::format_duration(longest);
                Err(Problem::invalid(name, text, &format!("a duration such as 30s or 2h, at most {longest}")))
            }
        }
    }
}

/// A whole body within the call's limit.
pub(super) struct Whole(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Whole, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Whole).map_err(|error: BytesRejection| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is larger than this call takes",
            ),
            status => Problem::new(status, "invalid", error.body_text()),
        })
    }
}

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The caller, for the cause of a wake or a sleep.
pub(super) struct Caller {
    words: String,
    pub(super) address: IpAddr,
    pub(super) parts: Parts,
}

impl Caller {
    /// Who asks, in words.
    pub(super) fn asks(&self, origin: &'static str) -> Asked {
        Asked { origin, reason: self.words.clone() }
    }

    /// Has it written to a service's history that this call changed it.
    pub(super) fn changed(&self, api: &Api, service: &str) {
        api.plane.note(service, "Audit", self.words.clone());
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Caller, Infallible> {
        let address = audit::address(api, parts);
        let mut words = describe(parts, address);
        if let Some(who @ Who::Bearer(_)) = parts.extensions.get::<Who>() {
            words.push_str(&format!(", by {who}"));
        }
        Ok(Caller { words, address, parts: parts.clone() })
    }
}

//! What is read from requests in more than one place.

use http::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use http::request::Parts;
use std::net::IpAddr;

/// No cause of a wake needs to be longer to be understood.
const MAX_TEXT: usize = 120;

/// The bearer token that a request shows.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A request in words, for the cause of a wake: `GET /report from 10.1.2.3 (curl/8)`. Without the query, which may
/// hold secrets.
pub fn describe(parts: &Parts, from: IpAddr) -> String {
    let method: String = parts.method.as_str().chars().take(16).collect();
    let path = plain(parts.uri.path());
    let agent = parts.headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    match agent {
        Some(agent) => format!("{method} {path} from {} ({})", from.to_canonical(), plain(&agent)),
        None => format!("{method} {path} from {}", from.to_canonical()),
    }
}

fn plain(text: &str) -> String {
    let mut plain: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    if text.chars().count() > MAX_TEXT {
        plain.push('…');
    }
    plain
}

//! What is read from requests in more than one place.

use http::Uri;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN, REFERER, USER_AGENT};
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

/// A cookie's value.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Whether another site's page makes a visitor's browser send it. What is no browser is not from elsewhere.
pub fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    headers.get(ORIGIN).is_some_and(|origin| {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        own.is_none_or(|(_, origin)| Some(origin) != host)
    })
}

/// Whether its sender shows a page: a browser that follows a link or a form, rather than a page's script.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accept.into_iter().any(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// Where a form's page is, when that is here: path and query.
pub fn back(headers: &HeaderMap) -> Option<String> {
    let from: Uri = headers.get(REFERER)?.to_str().ok()?.parse().ok()?;
    let host = headers.get(HOST)?.to_str().ok()?;
    let path = from.path_and_query()?.as_str();
    // `//other.example/` would lead elsewhere.
    let fits = from.authority()?.as_str() == host && path.starts_with('/') && !path.starts_with("//");
    fits.then(|| path.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn cookies_are_found_among_others() {
        let headers = headers(&[("cookie", "a=1; dormouse=x=y; b")]);
        assert_eq!(cookie(&headers, "dormouse"), Some("x=y"));
        assert_eq!(cookie(&headers, "b"), None);
        assert_eq!(cookie(&HeaderMap::new(), "a"), None);
    }

    #[test]
    fn pages_of_others_are_told_apart() {
        for (pairs, elsewhere) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "http://a:9070"), ("host", "a:9070")], false),
            (&[("origin", "http://a:9060"), ("host", "a:9070")], true),
            (&[("origin", "http://evil.example"), ("host", "a")], true),
            (&[("origin", "null"), ("host", "a")], true),
            (&[("origin", "http://a")], true),
            (&[("origin", "null")], true),
        ] {
            assert_eq!(is_from_elsewhere(&headers(pairs)), elsewhere, "{pairs:?}");
        }
    }

    #[test]
    fn a_form_leads_back_to_where_it_was_and_nowhere_else() {
        for (from, to) in [
            ("http://a/x?y=1", Some("/x?y=1")),
            ("http://a", Some("/")),
            ("http://b/x", None),
            ("http://a//evil.example/", None),
            ("/x", None),
            ("", None),
        ] {
            assert_eq!(back(&headers(&[("referer", from), ("host", "a")])).as_deref(), to, "{from}");
        }
        assert_eq!(back(&HeaderMap::new()), None);
    }
}

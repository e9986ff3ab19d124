//! Which headers go on, and which are added: pure.

use crate::origin::Origin;
use dormouse_peer::pass;
use hyper::HeaderMap;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Meant for the next hop only, whoever names them (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
];

/// Whether a comma-separated header has this token.
pub fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Removes what is meant for this hop only, including what `Connection` names.
pub fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|token| token.parse().ok())
        // Nobody may talk the proxy into dropping what frames or routes the message.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Makes a client's headers those of the request to the service.
pub fn to_upstream(headers: &mut HeaderMap, origin: &Origin) {
    let trailers = has_token(headers, &TE, "trailers");
    strip(headers);
    if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    one_cookie(headers);
    without_pass(headers);
    forwarded(headers, origin);
}

/// RFC 9113, 8.2.3: HTTP/2 may cut a cookie field in pieces, which HTTP/1.1 has in one.
fn one_cookie(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(whole) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
            headers.insert(COOKIE, whole);
        }
    }
}

/// The cookie that lets a browser wake the service is no business of the service's.
fn without_pass(headers: &mut HeaderMap) {
    let ours = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(pass::COOKIE));
    if !headers.get_all(COOKIE).iter().any(ours) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| match value.to_str() {
            Ok(text) => HeaderValue::try_from(pass::without_cookie(text)?).ok(),
            Err(_) => Some(value.clone()),
        })
        .collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

/// Who asks, for the service. What a trusted proxy says of others is kept; what a stranger says is not.
fn forwarded(headers: &mut HeaderMap, origin: &Origin) {
    if !origin.is_trusted() {
        for name in [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED] {
            headers.remove(name);
        }
    }
    let mut path: Vec<&str> = tokens(headers, &FORWARDED_FOR).collect();
    let client = origin.client(path.iter().rev().copied()).to_string();
    path.push(origin.name());
    // Made of header values and an address: always a header value.
    if let (Ok(path), Ok(client)) = (HeaderValue::try_from(path.join(", ")), HeaderValue::try_from(&client)) {
        headers.insert(FORWARDED_FOR, path);
        headers.insert(REAL_IP, client);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static(origin.scheme()));
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// Makes the service's headers those of the answer to the client.
pub fn to_client(headers: &mut HeaderMap) {
    strip(headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn sent(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        sent_by("192.0.2.0/24", pairs)
    }

    fn sent_by(trusted: &str, pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = map(pairs);
        let origin = Origin::new("[::ffff:192.0.2.7]:1".parse().unwrap(), &trusted.parse().unwrap());
        to_upstream(&mut headers, &origin);
        let mut got: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        got.sort();
        got
    }

    #[test]
    fn hop_by_hop_headers_stay_here() {
        let got = sent(&[
            ("host", "h"),
            ("connection", "close, X-Mine, host"),
            ("connection", "content-length"),
            ("content-length", "3"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "secret"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        assert_eq!(
            got,
            [
                "accept: */*",
                "content-length: 3",
                "host: h",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: h",
                "x-forwarded-proto: http",
                "x-real-ip: 192.0.2.7",
            ]
        );
    }

    #[test]
    fn trailers_are_said_again_and_nothing_is_tunnelled() {
        let got = sent(&[("te", "trailers, deflate;q=0.5")]);
        assert_eq!(got[..2], ["connection: te", "te: trailers"]);
        let got = sent(&[("upgrade", "websocket"), ("connection", "upgrade")]);
        assert!(got.iter().all(|header| header.starts_with("x-")), "{got:?}");
    }

    #[test]
    fn cookies_become_one_and_what_wakes_stays_here() {
        let got =
            sent(&[("cookie", "a=1; dormouse_pass=x"), ("cookie", "b=2"), ("cookie", "dormouse_pass=y")]);
        assert_eq!(got[0], "cookie: a=1; b=2");
        assert!(!got[1].starts_with("cookie"), "{got:?}");
    }

    #[test]
    fn the_path_of_a_request_grows() {
        let got = sent(&[
            ("host", "inner"),
            ("x-forwarded-for", "198.51.100.1, 198.51.100.2"),
            ("x-forwarded-for", "198.51.100.3"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "outer"),
            ("x-real-ip", "6.6.6.6"),
        ]);
        assert_eq!(
            got,
            [
                "host: inner",
                "x-forwarded-for: 198.51.100.1, 198.51.100.2, 198.51.100.3, 192.0.2.7",
                "x-forwarded-host: outer",
                "x-forwarded-proto: https",
                "x-real-ip: 198.51.100.3",
            ]
        );
        let got =
            sent_by("", &[("host", "inner"), ("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=x")]);
        assert_eq!(got[1], "x-forwarded-for: 192.0.2.7");
        assert!(got.iter().all(|header| !header.starts_with("forwarded")), "{got:?}");
    }

    #[test]
    fn answers() {
        let mut plain = map(&[("connection", "keep-alive"), ("trailer", "x-sum"), ("upgrade", "h2")]);
        to_client(&mut plain);
        assert_eq!(plain, map(&[("trailer", "x-sum")]));
    }
}

//! What a request and an answer lose and gain on the way.

use crate::trust::X_FORWARDED_FOR;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version};
use std::net::IpAddr;

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Who asks: the peer, or whom it speaks for when it is a trusted proxy.
    pub client: IpAddr,
    /// Whether what the peer says of others counts.
    pub trusted: bool,
}

/// Headers that are about one connection only (RFC 9110, 7.6.1). `Trailer` stays: trailers are passed on.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// The protocol that a request asks to switch to.
pub fn wants_upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    let listed = lists(request.headers(), "upgrade");
    // HTTP/2 knows no such switch.
    let switches = request.version() == Version::HTTP_11 && listed;
    let asked = request.headers().get(header::UPGRADE).filter(|_| switches)?;
    // HTTP/2 within a tunnel would be out of our sight, with whatever headers it likes: it is answered over HTTP/1.1,
    // as RFC 9110, 7.8, lets every server do.
    let is_h2c = |token: &[u8]| token.trim_ascii().eq_ignore_ascii_case(b"h2c");
    (!asked.as_bytes().split(|b| *b == b',').any(is_h2c)).then(|| asked.clone())
}

/// Whether `Connection` lists a token.
fn lists(headers: &HeaderMap, token: &str) -> bool {
    connection_tokens(headers).any(|listed| listed.eq_ignore_ascii_case(token))
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        connection_tokens(headers).filter_map(|token| HeaderName::try_from(token).ok()).collect();
    for name in named {
        // Who lists these two wants them lost, not the message.
        if name != header::HOST && name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(header::UPGRADE);
}

/// Makes the request that goes to the service from the one that came. `host` is what the caller asked for.
pub fn outgoing<B>(request: Request<B>, host: &HeaderValue, from: From) -> Request<B> {
    let mut request = onward(request, host);
    introduce(request.headers_mut(), host, from);
    request
}

/// The same without a word on who asks: what was said of that goes on as it is.
pub fn onward<B>(mut request: Request<B>, host: &HeaderValue) -> Request<B> {
    let upgrade = wants_upgrade(&request);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    // The listener's own business: it says "continue" once somebody reads the body.
    headers.remove(header::EXPECT);
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    headers.insert(header::HOST, host.clone());
    // HTTP/2 splits cookies; HTTP/1.1 has one header (RFC 9113, 8.2.3).
    join(headers, &header::COOKIE, "; ");
    request
}

/// Who asks. What a stranger says of others counts for nothing.
fn introduce(headers: &mut HeaderMap, host: &HeaderValue, from: From) {
    if !from.trusted {
        for name in [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, header::FORWARDED] {
            headers.remove(name);
        }
    }
    append_address(headers, from);
    headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    headers.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
}

/// Whether the caller takes trailers, which a service that speaks gRPC wants to be told.
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Makes an outgoing request one over HTTP/2: what that has in its target is not said again, and nothing of connections
/// (RFC 9113, 8.2.2), so that nobody upgrades.
///
/// # Errors
/// The host is none.
pub fn over_http2<B>(mut request: Request<B>, trailers: bool) -> Result<Request<B>, http::Error> {
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let host = headers.remove(header::HOST);
    let authority = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}

fn join(headers: &mut HeaderMap, name: &HeaderName, separator: &str) {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if values.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&values.join(separator.as_bytes()))
    {
        headers.insert(name.clone(), joined);
    }
}

fn append_address(headers: &mut HeaderMap, from: From) {
    let (peer, client) = (from.peer.to_canonical().to_string(), from.client.to_canonical().to_string());
    let mut chain: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    chain.push(&peer);
    // Made of header values and addresses: always header values.
    if let (Ok(chain), Ok(client)) =
        (HeaderValue::from_str(&chain.join(", ")), HeaderValue::from_str(&client))
    {
        headers.insert(X_FORWARDED_FOR, chain);
        headers.insert(X_REAL_IP, client);
    }
}

/// Makes the answer that goes to the caller from the service's.
pub fn answer<B>(mut response: Response<B>) -> Response<B> {
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = response.headers().get(header::UPGRADE).cloned();
    remove_hop_by_hop(response.headers_mut());
    if let Some(protocol) = upgrade.filter(|_| switched) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(header::UPGRADE, protocol);
    }
    *response.version_mut() = Version::HTTP_11;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use std::net::Ipv4Addr;

    fn request(headers: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::builder().uri("http://hello.example.com/a?b=c");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    const FROM: From = {
        let peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
        From { peer, client: peer, trusted: false }
    };

    fn sent(headers: &[(&str, &str)]) -> Request<Body> {
        sent_by(false, headers)
    }

    fn sent_by(trusted: bool, headers: &[(&str, &str)]) -> Request<Body> {
        let client = if trusted { [198, 51, 100, 1] } else { [10, 0, 0, 7] };
        let from = From { peer: [10, 0, 0, 7].into(), client: client.into(), trusted };
        outgoing(request(headers), &HeaderValue::from_static("hello.example.com"), from)
    }

    #[test]
    fn what_is_about_one_connection_stays_there() {
        let sent = sent(&[
            ("connection", "close, X-Secret, host"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
        ]);
        let mut names: Vec<&str> = sent.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
        );
        assert_eq!(sent.uri(), "/a?b=c");
    }

    #[test]
    fn an_upgrade_is_passed_on() {
        let sent = sent(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(sent.headers()["connection"], "upgrade");
        assert_eq!(sent.headers()["upgrade"], "websocket");
    }

    #[test]
    fn over_http2_nothing_is_of_the_connection() {
        for (said, trailers) in
            [(&[("te", "Trailers")][..], true), (&[("te", "gzip, trailers;q=1")], false), (&[], false)]
        {
            let trailers_taken = takes_trailers(request(said).headers());
            assert_eq!(trailers_taken, trailers, "{said:?}");
            let asked = [said, &[("connection", "upgrade, te"), ("upgrade", "websocket")]].concat();
            let sent = over_http2(sent(&asked), trailers_taken).unwrap();
            assert_eq!(sent.version(), Version::HTTP_2);
            assert_eq!(sent.uri(), "http://hello.example.com/a?b=c");
            for gone in ["connection", "upgrade", "host"] {
                assert!(!sent.headers().contains_key(gone), "{gone}");
            }
            assert_eq!(sent.headers().contains_key("te"), trailers);
        }
        let odd = outgoing(request(&[]), &HeaderValue::from_static("a b"), FROM);
        assert!(over_http2(odd, false).is_err());
    }

    #[test]
    fn http2_is_no_upgrade_that_is_passed_on() {
        for upgrade in ["h2c", "H2C", "websocket, h2c"] {
            let sent = sent(&[
                ("connection", "Upgrade, HTTP2-Settings"),
                ("upgrade", upgrade),
                ("http2-settings", "AAMAAABkAAQAAP__"),
            ]);
            for gone in ["connection", "upgrade", "http2-settings"] {
                assert!(!sent.headers().contains_key(gone), "{upgrade}: {gone}");
            }
        }
    }

    const SAID: &[(&str, &str)] = &[
        ("x-forwarded-for", "6.6.6.6, 198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];

    #[test]
    fn the_caller_is_told_about() {
        let sent = sent(SAID);
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.7"),
            ("x-real-ip", "10.0.0.7"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "hello.example.com"),
            ("cookie", "a=1; b=2"),
        ] {
            assert_eq!(sent.headers()[name], value, "{name}");
        }
        assert!(!sent.headers().contains_key("forwarded"), "a stranger's word counts for nothing");
    }

    #[test]
    fn a_trusted_proxy_s_word_goes_on() {
        let sent = sent_by(true, SAID);
        for (name, value) in [
            ("x-forwarded-for", "6.6.6.6, 198.51.100.1, 10.0.0.7"),
            ("x-real-ip", "198.51.100.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("forwarded", "for=6.6.6.6"),
        ] {
            assert_eq!(sent.headers()[name], value, "{name}");
        }
    }

    #[test]
    fn an_answer_loses_what_was_between_us_and_the_service() {
        let response = Response::builder()
            .header("connection", "close")
            .header("transfer-encoding", "chunked")
            .header("x-kept", "1")
            .body(())
            .unwrap();
        let answered = answer(response);
        assert_eq!(answered.headers().len(), 1);
        assert_eq!(answered.headers()["x-kept"], "1");
    }
}

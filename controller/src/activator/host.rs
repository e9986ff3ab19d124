//! Which service a request is for.

use crate::label::is_label;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

/// Why a request names no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoService {
    /// There is no `Host`, more than one, or one that is no host.
    Malformed,
    /// It is a host, but not one of ours.
    Other,
}

/// What the caller asked for: the request target's authority if there is one (HTTP/2, absolute form), else `Host`.
pub(super) fn host(parts: &Parts) -> Result<HeaderValue, NoService> {
    if let Some(authority) = parts.uri.authority() {
        return HeaderValue::from_str(authority.as_str()).map_err(|_| NoService::Malformed);
    }
    only(&parts.headers).cloned().ok_or(NoService::Malformed)
}

fn only(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(HOST).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The service's name, from `<name>.<domain>[.][:port]` in any case.
pub(super) fn service(host: &HeaderValue, domain: &str) -> Result<String, NoService> {
    let host = host.to_str().map_err(|_| NoService::Malformed)?;
    if host.starts_with('[') {
        return Err(NoService::Other);
    }
    let name = match host.split_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && port.len() <= 5 => name,
        Some(_) => return Err(NoService::Malformed),
        None => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err(NoService::Malformed);
    }
    let label = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    label.filter(|label| is_label(label)).map(str::to_owned).ok_or(NoService::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn named(host: &[u8]) -> Result<String, NoService> {
        service(&HeaderValue::from_bytes(host).unwrap(), "apps.example.com")
    }

    #[test]
    fn hosts_name_services() {
        for host in [
            "hello.apps.example.com",
            "hello.apps.example.com:9060",
            "HELLO.Apps.Example.COM",
            "hello.apps.example.com.",
            "hello.apps.example.com.:9060",
            "hello.apps.example.com:",
        ] {
            assert_eq!(named(host.as_bytes()).as_deref(), Ok("hello"), "{host}");
        }
    }

    #[test]
    fn other_hosts_do_not() {
        for host in [
            "apps.example.com",
            ".apps.example.com",
            "a.b.apps.example.com",
            "helloapps.example.com",
            "hello.example.com",
            "hello.apps.example.com.evil.example",
            "-hello.apps.example.com",
            "he_llo.apps.example.com",
            "10.0.0.1",
            "10.0.0.1:9060",
            "[2001:db8::1]",
            "[2001:db8::1]:9060",
            "localhost",
        ] {
            assert_eq!(named(host.as_bytes()), Err(NoService::Other), "{host}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        for host in [
            &b""[..],
            b".",
            b":9060",
            b"hello.apps.example.com:http",
            b"hello.apps.example.com:999999",
            b"2001:db8::1",
            b"user@hello.apps.example.com",
            b"hello apps",
            b"h\xe9llo.apps.example.com",
            b"hello.apps.example.com/x",
        ] {
            assert_eq!(named(host), Err(NoService::Malformed), "{host:?}");
        }
    }

    #[test]
    fn the_target_goes_before_the_header() {
        let parts = |uri: &str, hosts: &[&str]| {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            request.body(()).unwrap().into_parts().0
        };
        assert_eq!(host(&parts("/", &["a"])).unwrap(), "a");
        assert_eq!(host(&parts("http://b/", &["a"])).unwrap(), "b");
        assert_eq!(host(&parts("/", &[])), Err(NoService::Malformed));
        assert_eq!(host(&parts("/", &["a", "a"])), Err(NoService::Malformed));
    }
}

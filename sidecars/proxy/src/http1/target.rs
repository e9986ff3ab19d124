//! What is asked for, and of whom (RFC 9112, 3.2 and 3.3).

use super::head::{Field, Fields, Refusal, bad};

/// A request's target, brought into the form that a server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'b> {
    /// Path and query, or `*`.
    pub path: &'b str,
    /// A query that followed an authority at once has lost its path: `/` goes before it.
    pub rootless: bool,
    /// The host that is asked, from the target itself or from `Host`.
    pub host: Option<&'b [u8]>,
    /// It comes from the target, which overrides the `Host` field (3.2.2).
    pub overrides: bool,
}

/// Reads the target and checks it against `Host`.
///
/// # Errors
/// Why no server should see it.
pub fn read<'b>(
    method: &str,
    target: &'b str,
    old: bool,
    fields: &Fields<'_, 'b>,
) -> Result<Target<'b>, Refusal> {
    if method == "CONNECT" {
        return Err(Refusal { status: 405, why: "this is not a forward proxy" });
    }
    // RFC 3986: nothing else stands in a URI. A fragment never leaves its client.
    if !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(bad("the request target has characters that must be escaped"));
    }
    // 3.2: exactly one, and any number but one is refused with 400.
    let mut hosts = fields.values(Field::Host);
    let host = hosts.next();
    if hosts.next().is_some() || host.is_none() && !old {
        return Err(bad("a request has exactly one Host header"));
    }
    if host.is_some_and(|host| !is_authority(host)) {
        return Err(bad("the Host header is no host"));
    }
    if target.starts_with('/') || target == "*" && method == "OPTIONS" {
        return Ok(Target { path: target, rootless: false, host, overrides: false });
    }
    let rest = without_scheme(target).ok_or(bad("the request target is neither a path nor a URL"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || !is_authority(authority.as_bytes()) {
        return Err(bad("the request target has no proper host"));
    }
    // 3.2.4: OPTIONS of an absolute target without a path means the server as a whole.
    let path = match path {
        "" if method == "OPTIONS" => "*",
        "" => "/",
        path => path,
    };
    Ok(Target { path, rootless: path.starts_with('?'), host: Some(authority.as_bytes()), overrides: true })
}

fn without_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// RFC 3986, 3.2: a name or an address, perhaps a port; no user. A comma may stand in a name, but also between two.
fn is_authority(host: &[u8]) -> bool {
    let stands = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(b);
    host.iter().all(stands)
}

#[cfg(test)]
mod tests {
    use super::super::head::{request, slots};

    fn read(line: &str, host: &str) -> Result<(String, Option<String>), u16> {
        let head = format!("{line}\r\n{host}\r\n");
        let mut room = slots();
        let request = request(head.as_bytes(), &mut room).map_err(|refusal| refusal.status)?.unwrap();
        let slash = if request.target.rootless { "/" } else { "" };
        let host = request.target.host.map(|host| String::from_utf8(host.to_vec()).unwrap());
        Ok((format!("{slash}{}", request.target.path), host))
    }

    #[test]
    fn targets_come_into_origin_form() {
        for (line, path, host) in [
            ("GET /a?b HTTP/1.1", "/a?b", "h:1"),
            ("GET http://o/a?b=http://c HTTP/1.1", "/a?b=http://c", "o"),
            ("GET HTTP://o:80?b/c HTTP/1.1", "/?b/c", "o:80"),
            ("GET https://[::1]:80 HTTP/1.1", "/", "[::1]:80"),
            ("OPTIONS http://o HTTP/1.1", "*", "o"),
            ("OPTIONS * HTTP/1.1", "*", "h:1"),
            ("GET //o/a HTTP/1.1", "//o/a", "h:1"),
        ] {
            assert_eq!(read(line, "host: h:1\r\n"), Ok((path.into(), Some(host.into()))), "{line}");
        }
    }

    #[test]
    fn targets_and_hosts_that_nobody_should_see() {
        for line in [
            "GET * HTTP/1.1",
            "GET a HTTP/1.1",
            "GET ftp://o/ HTTP/1.1",
            "GET http:///a HTTP/1.1",
            "GET http://u@o/a HTTP/1.1",
            "GET http://o,p/a HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
        ] {
            assert_eq!(read(line, "host: h\r\n"), Err(400), "{line}");
        }
        for host in
            ["", "host: a\r\nhost: a\r\n", "host: a b\r\n", "host: a/b\r\n", "host: u@a\r\n", "host: a,b\r\n"]
        {
            assert_eq!(read("GET / HTTP/1.1", host), Err(400), "{host}");
        }
        assert_eq!(read("CONNECT a:1 HTTP/1.1", "host: a:1\r\n"), Err(405));
        assert_eq!(read("GET / HTTP/1.0", ""), Ok(("/".into(), None)));
        assert_eq!(read("GET / HTTP/1.1", "host:\r\n"), Ok(("/".into(), Some(String::new()))));
    }
}

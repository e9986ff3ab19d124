//! Heads as they go on: line by line as they came, but for what is meant for this hop and what a proxy adds.

use super::framing::Framing;
use super::head::{Field, Fields, Request, Response, tokens};
use crate::origin::Origin;
use dormouse_peer::pass;
use std::borrow::Cow;
use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

/// Appends a request's head as the service gets it.
pub fn request(out: &mut Vec<u8>, request: &Request<'_, '_>, body: Framing, origin: &Origin) {
    let (target, facts, fields) = (&request.target, &request.facts, &request.fields);
    out.extend_from_slice(request.method.as_bytes());
    out.extend_from_slice(if target.rootless { b" /" } else { b" " });
    out.extend_from_slice(without_pass(target.path).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut seen = Seen::default();
    copy(out, fields, facts.names, |kind, value| match kind {
        Field::Host => !target.overrides,
        Field::ForwardedFor => {
            seen.path = true;
            false
        }
        // What a stranger says of others is no news for the service.
        Field::ForwardedProto | Field::ForwardedHost | Field::Forwarded if !origin.is_trusted() => false,
        Field::ForwardedProto => {
            seen.proto = true;
            true
        }
        Field::ForwardedHost => {
            seen.host = true;
            true
        }
        Field::Cookie => {
            let ours = has_pass(value);
            seen.cookie |= ours;
            !ours
        }
        Field::Connection | Field::Coding | Field::Hop | Field::Te | Field::Upgrade | Field::RealIp => false,
        _ => true,
    });
    let host = target.host.unwrap_or(b"localhost");
    if target.overrides || target.host.is_none() {
        put(out, &[b"host: ", host, b"\r\n"]);
    }
    if seen.cookie {
        cookies(out, fields);
    }
    if let Some(protocol) = facts.protocol() {
        put(out, &[b"connection: upgrade\r\nupgrade: ", protocol, b"\r\n"]);
    } else if facts.trailers {
        put(out, &[b"connection: te\r\nte: trailers\r\n"]);
    }
    if body == Framing::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"x-forwarded-for: ");
    if seen.path && origin.is_trusted() {
        for before in fields.values(Field::ForwardedFor).flat_map(tokens) {
            put(out, &[before, b", "]);
        }
        put(out, &[origin.name().as_bytes(), b"\r\nx-real-ip: ", behind(origin, fields).as_bytes()]);
    } else {
        put(out, &[origin.name().as_bytes(), b"\r\nx-real-ip: ", origin.name().as_bytes()]);
    }
    if !seen.proto {
        put(out, &[b"\r\nx-forwarded-proto: ", origin.scheme().as_bytes()]);
    }
    if !seen.host && target.host.is_some() {
        out.extend_from_slice(b"\r\nx-forwarded-host: ");
        out.extend_from_slice(host);
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// For whom a trusted proxy speaks.
fn behind(origin: &Origin, fields: &Fields<'_, '_>) -> String {
    let values: Vec<&[u8]> = fields.values(Field::ForwardedFor).collect();
    let hops = values.iter().rev().flat_map(|value| value.rsplit(|b| *b == b','));
    origin.client(hops.map(|hop| std::str::from_utf8(hop).unwrap_or("?"))).to_string()
}

#[derive(Default)]
struct Seen {
    path: bool,
    proto: bool,
    host: bool,
    cookie: bool,
}

/// What the client is told of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persist {
    /// Nothing: it goes on, as HTTP/1.1 does unless told otherwise.
    Goes,
    /// It goes on, as an HTTP/1.0 client has asked for.
    KeepAlive,
    /// This is the last answer.
    Close,
    /// It becomes something else.
    Switches,
}

/// Appends the head of the service's answer as the client gets it. `chunked`: the body goes on in chunks.
pub fn response(out: &mut Vec<u8>, response: &Response<'_, '_>, persist: Persist, old: bool, chunked: bool) {
    let facts = &response.facts;
    status(out, response, old);
    // 9110, 8.6: these have no body, and say nothing of its length either.
    let lengthless = matches!(response.status, 100..=199 | 204);
    let mut dated = false;
    copy(out, &response.fields, facts.names, |kind, _| match kind {
        Field::Length => !lengthless,
        Field::Date => {
            dated = true;
            true
        }
        Field::Connection | Field::Coding | Field::Hop | Field::Te | Field::Upgrade => false,
        _ => true,
    });
    // 9110, 6.6.1: who forwards an answer without a date adds one.
    if !dated && response.status >= 200 {
        date(out);
    }
    // 9110, 15.5.22: a 426 says to what the client should upgrade.
    let offers = persist == Persist::Switches || response.status == 426;
    match (facts.upgrade.filter(|_| offers), persist) {
        (Some(protocol), Persist::Close) => {
            put(out, &[b"connection: upgrade, close\r\nupgrade: ", protocol, b"\r\n"]);
        }
        (Some(protocol), _) => put(out, &[b"connection: upgrade\r\nupgrade: ", protocol, b"\r\n"]),
        (None, persist) => connection(out, persist),
    }
    if chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends an interim answer: it says nothing about the connection.
pub fn interim(out: &mut Vec<u8>, response: &Response<'_, '_>) {
    status(out, response, false);
    copy(out, &response.fields, response.facts.names, |kind, _| kind == Field::Other);
    out.extend_from_slice(b"\r\n");
}

/// Appends one of the proxy's own answers; `body`: its text is wanted, too.
pub fn own(out: &mut Vec<u8>, answer: &crate::answer::Own, persist: Persist, old: bool, body: bool) {
    let reason = hyper::StatusCode::from_u16(answer.status).ok().and_then(|s| s.canonical_reason());
    version(out, old);
    number(out, answer.status);
    put(out, &[reason.unwrap_or("Unknown").as_bytes(), b"\r\n"]);
    put(out, &[b"content-type: ", answer.content_type.as_bytes(), b"\r\n"]);
    for (name, value) in answer.fields() {
        put(out, &[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    put(out, &[b"content-length: ", answer.text.len().to_string().as_bytes(), b"\r\n"]);
    date(out);
    connection(out, persist);
    put(out, &[b"\r\n", if body { answer.text.as_bytes() } else { b"" }]);
}

fn connection(out: &mut Vec<u8>, persist: Persist) {
    match persist {
        Persist::Goes | Persist::Switches => {}
        Persist::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        Persist::Close => out.extend_from_slice(b"connection: close\r\n"),
    }
}

fn version(out: &mut Vec<u8>, old: bool) {
    out.extend_from_slice(if old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
}

fn status(out: &mut Vec<u8>, response: &Response<'_, '_>, old: bool) {
    version(out, old);
    if response.line.is_empty() {
        number(out, response.status);
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(response.line);
    }
}

fn number(out: &mut Vec<u8>, status: u16) {
    let digit = |of: u16| b'0' + u8::try_from(status / of % 10).unwrap_or(0);
    out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
}

/// Copies the lines that `goes_on`, neighbours together, but not those that `Connection` names.
fn copy(
    out: &mut Vec<u8>,
    fields: &Fields<'_, '_>,
    names: bool,
    mut goes_on: impl FnMut(Field, &[u8]) -> bool,
) {
    let mut from = None;
    for i in 0..fields.len() {
        let (kind, name, value) = fields.get(i);
        if goes_on(kind, value) && !(names && is_named(fields, kind, name)) {
            from.get_or_insert(i);
        } else if let Some(from) = from.take() {
            out.extend_from_slice(fields.lines(from, i));
        }
    }
    if let Some(from) = from {
        out.extend_from_slice(fields.lines(from, fields.len()));
    }
}

/// Whether `Connection` names this field (RFC 9110, 7.6.1). Nobody may talk the proxy into dropping what frames or
/// routes a message, or what it has added itself.
fn is_named(fields: &Fields<'_, '_>, kind: Field, name: &str) -> bool {
    let fixed = matches!(
        kind,
        Field::Host
            | Field::Length
            | Field::ForwardedFor
            | Field::ForwardedProto
            | Field::ForwardedHost
            | Field::Forwarded
    );
    let mut named = fields.values(Field::Connection).flat_map(tokens);
    !fixed && named.any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
}

/// The cookie that lets a browser wake the service is no business of the service's, which is awake.
fn cookies(out: &mut Vec<u8>, fields: &Fields<'_, '_>) {
    for value in fields.values(Field::Cookie).filter(|value| has_pass(value)) {
        // One that is no text goes with it: what lets people in must not get out.
        if let Some(rest) = std::str::from_utf8(value).ok().and_then(pass::without_cookie) {
            put(out, &[b"cookie: ", rest.as_bytes(), b"\r\n"]);
        }
    }
}

fn has_pass(value: &[u8]) -> bool {
    value.windows(pass::COOKIE.len()).any(|part| part == pass::COOKIE.as_bytes())
}

/// Nor is a link that does.
fn without_pass(path: &str) -> Cow<'_, str> {
    if path.contains(pass::PARAMETER) { pass::without_parameter(path).into() } else { path.into() }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

thread_local! {
    /// The second that was written last, and its text.
    static DATE: Cell<(u64, [u8; 29])> = const { Cell::new((0, [b' '; 29])) };
}

fn date(out: &mut Vec<u8>) {
    #[allow(clippy::disallowed_methods, reason = "a date in an answer is the wall clock's")]
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (second, mut text) = DATE.get();
    if second != now {
        let written = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        // IMF-fixdate always has this length.
        if let Ok(fixed) = written.as_bytes().try_into() {
            text = fixed;
            DATE.set((now, text));
        }
    }
    out.extend_from_slice(b"date: ");
    out.extend_from_slice(&text);
    out.extend_from_slice(b"\r\n");
}

/// Whether an answer's body goes on in chunks. Where there is none, what is said of it stays true.
pub fn goes_in_chunks(response: &Response<'_, '_>, body: Framing, old: bool) -> bool {
    match body {
        _ if old => false,
        Framing::Chunked | Framing::Close => true,
        Framing::Length(_) => response.facts.chunked && response.status >= 200 && response.status != 204,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{framing, head};
    use super::*;

    fn sent(lines: &[&str]) -> Vec<String> {
        sent_by("192.0.2.0/24", lines)
    }

    fn sent_by(trusted: &str, lines: &[&str]) -> Vec<String> {
        let text = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        let mut slots = head::slots();
        let read = head::request(text.as_bytes(), &mut slots).unwrap().unwrap();
        let mut out = Vec::new();
        let origin = Origin::new("192.0.2.7:1".parse().unwrap(), &trusted.parse().unwrap());
        request(&mut out, &read, framing::of_request(&read).unwrap(), &origin);
        let out = String::from_utf8(out).unwrap();
        let mut lines: Vec<_> = out.lines().skip(1).filter(|l| !l.is_empty()).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[test]
    fn hop_by_hop_headers_stay_here() {
        let got = sent(&[
            "Host: h",
            "connection: close, X-Mine, host, x-forwarded-proto",
            "connection: content-length",
            "Content-Length: 3",
            "x-mine: 1",
            "keep-alive: timeout=5",
            "proxy-connection: keep-alive",
            "proxy-authorization: secret",
            "te: gzip",
            "upgrade: h2c",
            "accept: */*",
            "x-forwarded-proto: https",
        ]);
        assert_eq!(
            got,
            [
                "Content-Length: 3",
                "Host: h",
                "accept: */*",
                "x-forwarded-for: 192.0.2.7",
                "x-forwarded-host: h",
                "x-forwarded-proto: https",
                "x-real-ip: 192.0.2.7",
            ]
        );
    }

    #[test]
    fn upgrades_trailers_and_chunks_are_said_again() {
        let got = sent(&["Host: h", "connection: keep-alive, Upgrade", "upgrade: websocket"]);
        assert_eq!((got[1].as_str(), got[2].as_str()), ("connection: upgrade", "upgrade: websocket"));
        let got = sent(&["Host: h", "te: trailers, deflate;q=0.5", "connection: TE"]);
        assert_eq!((got[1].as_str(), got[2].as_str()), ("connection: te", "te: trailers"));
        let got = sent(&["Host: h", "Transfer-Encoding: Chunked", "connection: transfer-encoding"]);
        assert_eq!(got[1], "transfer-encoding: chunked");
        let got =
            sent(&["Host: h", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AA"]);
        assert!(got[1..].iter().all(|header| header.starts_with("x-")), "{got:?}");
    }

    #[test]
    fn what_wakes_stays_here() {
        let got =
            sent(&["Host: h", "cookie: a=1; dormouse_pass=x; b=2", "cookie: dormouse_pass=y", "Cookie: c"]);
        assert_eq!(got[..3], ["Cookie: c", "Host: h", "cookie: a=1; b=2"]);
        assert!(!got[3].starts_with("cookie"), "{got:?}");
        assert_eq!(without_pass("/?dormouse_token=x&a"), "/?a");
    }

    #[test]
    fn the_path_of_a_request_grows() {
        let got = sent(&[
            "host: inner",
            "x-forwarded-for: 198.51.100.1, 198.51.100.2",
            "X-Forwarded-For: 198.51.100.3",
            "x-forwarded-host: outer",
            "x-real-ip: 6.6.6.6",
        ]);
        assert_eq!(
            got,
            [
                "host: inner",
                "x-forwarded-for: 198.51.100.1, 198.51.100.2, 198.51.100.3, 192.0.2.7",
                "x-forwarded-host: outer",
                "x-forwarded-proto: http",
                "x-real-ip: 198.51.100.3",
            ]
        );
    }

    #[test]
    fn strangers_speak_for_themselves_only() {
        let lines = [
            "host: inner",
            "x-forwarded-for: 198.51.100.1",
            "x-forwarded-host: outer",
            "x-forwarded-proto: https",
            "forwarded: for=198.51.100.1",
            "connection: x-forwarded-for",
            "x-real-ip: 6.6.6.6",
        ];
        let own = [
            "host: inner",
            "x-forwarded-for: 192.0.2.7",
            "x-forwarded-host: inner",
            "x-forwarded-proto: http",
            "x-real-ip: 192.0.2.7",
        ];
        assert_eq!(sent_by("", &lines), own);
        assert_eq!(sent_by("10.0.0.0/8", &lines), own);
    }

    fn answered(lines: &str, persist: Persist, old: bool) -> String {
        let text = format!("HTTP/1.1 {lines}\r\ndate: d\r\n\r\n");
        let mut slots = head::slots();
        let read = head::response(text.as_bytes(), &mut slots).unwrap().unwrap();
        let body = framing::of_response(&read, false).unwrap();
        let mut out = Vec::new();
        response(&mut out, &read, persist, old, goes_in_chunks(&read, body, old));
        String::from_utf8(out).unwrap().replace("date: d\r\n", "").replace("\r\n", "|")
    }

    #[test]
    fn answers() {
        for (lines, persist, old, went) in [
            (
                "200 OK\r\ncontent-length: 1\r\nconnection: close",
                Persist::Goes,
                false,
                "HTTP/1.1 200 OK|content-length: 1||",
            ),
            (
                "200 OK\r\ntransfer-encoding: chunked",
                Persist::Goes,
                false,
                "HTTP/1.1 200 OK|transfer-encoding: chunked||",
            ),
            (
                "200 OK\r\ntransfer-encoding: chunked",
                Persist::Close,
                true,
                "HTTP/1.0 200 OK|connection: close||",
            ),
            ("200 OK", Persist::Goes, false, "HTTP/1.1 200 OK|transfer-encoding: chunked||"),
            (
                "200\r\ncontent-length: 0",
                Persist::KeepAlive,
                true,
                "HTTP/1.0 200 |content-length: 0|connection: keep-alive||",
            ),
            ("204 No\r\ncontent-length: 0\r\nupgrade: h2", Persist::Goes, false, "HTTP/1.1 204 No||"),
            (
                "304 Not\r\ncontent-length: 9\r\nx-a: 1\r\nconnection: x-a",
                Persist::Goes,
                false,
                "HTTP/1.1 304 Not|content-length: 9||",
            ),
            (
                "426 Up\r\ncontent-length: 0\r\nupgrade: a",
                Persist::Goes,
                false,
                "HTTP/1.1 426 Up|content-length: 0|connection: upgrade|upgrade: a||",
            ),
            (
                "101 Sw\r\nconnection: Upgrade\r\nupgrade: ws",
                Persist::Switches,
                false,
                "HTTP/1.1 101 Sw|connection: upgrade|upgrade: ws||",
            ),
        ] {
            assert_eq!(answered(lines, persist, old), went, "{lines}");
        }
    }

    #[test]
    fn an_answer_without_a_date_gets_one() {
        let mut slots = head::slots();
        let read = head::response(b"HTTP/1.1 200 OK\r\n\r\n", &mut slots).unwrap().unwrap();
        let mut out = Vec::new();
        response(&mut out, &read, Persist::Goes, false, true);
        let out = String::from_utf8(out).unwrap();
        let date = out.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
    }
}

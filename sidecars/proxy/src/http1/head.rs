//! A message's head, read: start line and fields, each classified once.
//!
//! `httparse` splits and checks the characters: no white space before a colon, no control characters, no folded
//! lines (RFC 9112, 5.1 and 5.2). What it is lenient about is checked here: every line ends with CR LF (2.2).

use super::framing::Facts;
use super::target;
use std::mem::MaybeUninit;

/// More fields than this are refused.
pub const MOST_FIELDS: usize = 100;

/// Room for the fields of one head.
#[derive(Debug)]
pub struct Slots<'b> {
    fields: [MaybeUninit<httparse::Header<'b>>; MOST_FIELDS],
    kinds: [Field; MOST_FIELDS],
}

/// Empty room.
pub const fn slots<'b>() -> Slots<'b> {
    Slots { fields: [const { MaybeUninit::uninit() }; MOST_FIELDS], kinds: [Field::Other; MOST_FIELDS] }
}

/// Why a message is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status that says so.
    pub status: u16,
    /// In words.
    pub why: &'static str,
}

/// A bad request; for an answer, the words alone matter.
pub const fn bad(why: &'static str) -> Refusal {
    Refusal { status: 400, why }
}

/// What a field is to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Nothing special: it goes on as it is.
    Other,
    /// `Connection`.
    Connection,
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding`.
    Coding,
    /// `Host`.
    Host,
    /// `Upgrade`.
    Upgrade,
    /// `TE`.
    Te,
    /// `Expect`.
    Expect,
    /// Others that are meant for the next hop alone (RFC 9110, 7.6.1).
    Hop,
    /// `X-Forwarded-For`.
    ForwardedFor,
    /// `X-Forwarded-Proto`.
    ForwardedProto,
    /// `X-Forwarded-Host`.
    ForwardedHost,
    /// `Forwarded`.
    Forwarded,
    /// `X-Real-IP`.
    RealIp,
    /// `Cookie`.
    Cookie,
    /// `Date`.
    Date,
}

impl Field {
    /// By its name, in any case.
    pub fn named(name: &str) -> Field {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is("te") => Field::Te,
            4 if is("host") => Field::Host,
            4 if is("date") => Field::Date,
            6 if is("cookie") => Field::Cookie,
            6 if is("expect") => Field::Expect,
            7 if is("upgrade") => Field::Upgrade,
            9 if is("forwarded") => Field::Forwarded,
            9 if is("x-real-ip") => Field::RealIp,
            10 if is("connection") => Field::Connection,
            10 if is("keep-alive") => Field::Hop,
            14 if is("content-length") => Field::Length,
            15 if is("x-forwarded-for") => Field::ForwardedFor,
            16 if is("x-forwarded-host") => Field::ForwardedHost,
            16 if is("proxy-connection") => Field::Hop,
            17 if is("transfer-encoding") => Field::Coding,
            17 if is("x-forwarded-proto") => Field::ForwardedProto,
            18 if is("proxy-authenticate") => Field::Hop,
            19 if is("proxy-authorization") => Field::Hop,
            _ => Field::Other,
        }
    }
}

/// The fields of a head, in their order.
#[derive(Debug)]
pub struct Fields<'h, 'b> {
    whole: &'b [u8],
    fields: &'h [httparse::Header<'b>],
    kinds: &'h [Field; MOST_FIELDS],
}

impl<'h, 'b> Fields<'h, 'b> {
    /// Classifies; `whole` is the head with the empty line at its end.
    fn of(
        whole: &'b [u8],
        fields: &'h [httparse::Header<'b>],
        kinds: &'h mut [Field; MOST_FIELDS],
    ) -> Result<Fields<'h, 'b>, Refusal> {
        for (kind, field) in kinds.iter_mut().zip(fields) {
            *kind = Field::named(field.name);
        }
        let all = Fields { whole, fields, kinds };
        // RFC 9112, 2.2: a lone LF may be taken for a line's end. Two parsers that differ there see two messages.
        let ends = whole.ends_with(b"\r\n") && whole[..all.start(0)].ends_with(b"\r\n");
        if ends && (0..fields.len()).all(|i| all.lines(i, i + 1).ends_with(b"\r\n")) {
            Ok(all)
        } else {
            Err(bad("a line of the head does not end with CR LF"))
        }
    }

    fn start(&self, field: usize) -> usize {
        match self.fields.get(field) {
            Some(next) => next.name.as_ptr() as usize - self.whole.as_ptr() as usize,
            None => self.whole.len() - 2,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The lines from one field up to another, as they came, with their ends.
    pub fn lines(&self, from: usize, to: usize) -> &'b [u8] {
        &self.whole[self.start(from)..self.start(to)]
    }

    /// What it is, its name and its value.
    pub fn get(&self, field: usize) -> (Field, &'b str, &'b [u8]) {
        let one = &self.fields[field];
        (self.kinds[field], one.name, one.value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &'b str, &'b [u8])> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The values of one kind.
    pub fn values(&self, kind: Field) -> impl Iterator<Item = &'b [u8]> {
        self.iter().filter(move |(k, ..)| *k == kind).map(|(_, _, value)| value)
    }
}

/// A request's head.
#[derive(Debug)]
pub struct Request<'h, 'b> {
    /// As it came.
    pub method: &'b str,
    /// In origin form, or `*`.
    pub target: target::Target<'b>,
    /// HTTP/1.0, not 1.1.
    pub old: bool,
    /// Its fields.
    pub fields: Fields<'h, 'b>,
    /// What they say about this connection.
    pub facts: Facts<'b>,
    /// Bytes of the head.
    pub len: usize,
}

/// Reads a request's head; `None`: there must come more.
///
/// # Errors
/// Why it is refused.
pub fn request<'h, 'b>(buf: &'b [u8], slots: &'h mut Slots<'b>) -> Result<Option<Request<'h, 'b>>, Refusal> {
    // RFC 9112, 2.2: empty lines before a request are ignored.
    let empty = buf.chunks_exact(2).take_while(|two| *two == b"\r\n").count() * 2;
    let buf = &buf[empty..];
    let mut parsed = httparse::Request::new(&mut []);
    let len = match parsed.parse_with_uninit_headers(buf, &mut slots.fields) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal { status: 431, why: "too many header fields" });
        }
        Err(httparse::Error::Version) if looks_like_http(buf) => {
            return Err(Refusal { status: 505, why: "this is HTTP/1.1 and HTTP/2" });
        }
        Err(_) => return Err(bad("the request's head cannot be read")),
    };
    let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(bad("the request line cannot be read"));
    };
    if !buf.starts_with(method.as_bytes()) {
        return Err(bad("the head begins with a lone LF"));
    }
    let fields = Fields::of(&buf[..len], parsed.headers, &mut slots.kinds)?;
    let old = version == 0;
    let facts = Facts::of(&fields)?;
    let target = target::read(method, path, old, &fields)?;
    Ok(Some(Request { method, target, old, fields, facts, len: empty + len }))
}

fn looks_like_http(buf: &[u8]) -> bool {
    buf.split(|b| b"\r\n".contains(b))
        .next()
        .and_then(|line| line.split(|b| *b == b' ').nth(2))
        .is_some_and(|version| version.starts_with(b"HTTP/"))
}

/// An answer's head.
#[derive(Debug)]
pub struct Response<'h, 'b> {
    /// Its status.
    pub status: u16,
    /// Its status line from the status on, with its end; empty if a space is missing in it.
    pub line: &'b [u8],
    /// HTTP/1.0, not 1.1.
    pub old: bool,
    /// Its fields.
    pub fields: Fields<'h, 'b>,
    /// What they say about this connection.
    pub facts: Facts<'b>,
    /// Bytes of the head.
    pub len: usize,
}

/// Reads an answer's head; `None`: there must come more.
///
/// # Errors
/// Why it is none.
pub fn response<'h, 'b>(
    buf: &'b [u8],
    slots: &'h mut Slots<'b>,
) -> Result<Option<Response<'h, 'b>>, Refusal> {
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut parsed, buf, &mut slots.fields) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(bad("the head of its answer cannot be read")),
    };
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(bad("the head of its answer cannot be read"));
    };
    if !buf.starts_with(b"HTTP/") || !(100..=999).contains(&status) {
        return Err(bad("its status line cannot be read"));
    }
    let fields = Fields::of(&buf[..len], parsed.headers, &mut slots.kinds)?;
    let facts = Facts::of(&fields)?;
    // "HTTP/1.1 200 OK": of a line that lacks the second space, only the number goes on.
    let line = Some(&buf[9..fields.start(0)]).filter(|line| line.get(3) == Some(&b' ')).unwrap_or_default();
    Ok(Some(Response { status, line, old: version == 0, fields, facts, len }))
}

/// Whether a head that was incomplete may be complete now, `before` being its length then: reading it again for
/// every byte of a slow client would cost the square of its length.
pub fn may_be_complete(buf: &[u8], before: usize) -> bool {
    let fresh = &buf[before.saturating_sub(3)..];
    fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n")
}

/// The members of a comma-separated list.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(head: &str) -> Option<u16> {
        let mut room = slots();
        request(head.as_bytes(), &mut room).err().map(|refusal| refusal.status)
    }

    #[test]
    fn heads_that_two_parsers_may_read_in_two_ways() {
        for (head, status) in [
            ("GET / HTTP/1.1\nhost: h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\n\n", 400),
            ("\nGET / HTTP/1.1\r\nhost: h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\nx: a\r\n b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n host: h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost : h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\nx: a\rb\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\nx: a\0b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\nx: a\x7f\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\n: a\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nhost: h\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nhost: h\r\n\r\n", 400),
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nhost: h\r\n\r\n", 505),
            ("GET / HTTP/1.2\r\nhost: h\r\n\r\n", 505),
        ] {
            assert_eq!(refused(head), Some(status), "{head:?}");
        }
        assert_eq!(refused("\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\nempty:\r\n\r\n"), None);
        let many = format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "x: y\r\n".repeat(MOST_FIELDS));
        assert_eq!(refused(&many), Some(431));
    }

    #[test]
    fn lines_are_kept_as_they_came() {
        let head = b"GET / HTTP/1.1\r\nHost:h\r\nX-a: \t b \r\nEmpty:\r\n\r\nrest";
        let mut room = slots();
        let request = request(head, &mut room).unwrap().unwrap();
        assert_eq!(request.len, head.len() - 4);
        let lines: Vec<&[u8]> = (0..request.fields.len()).map(|i| request.fields.lines(i, i + 1)).collect();
        assert_eq!(lines, [&b"Host:h\r\n"[..], b"X-a: \t b \r\n", b"Empty:\r\n"]);
        assert_eq!(request.fields.get(1), (Field::Other, "X-a", &b"b"[..]));
    }

    #[test]
    fn a_slow_head_is_read_again_only_at_its_end() {
        let head = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
        let again: Vec<usize> = (1..=head.len()).filter(|n| may_be_complete(&head[..*n], n - 1)).collect();
        assert_eq!(again, [head.len()]);
        assert!(may_be_complete(b"GET / HTTP/1.1\n\n", 15));
    }
}

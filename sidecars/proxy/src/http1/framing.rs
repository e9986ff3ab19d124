//! Where a message ends: RFC 9112, 6 and 9.

use super::head::{Field, Fields, Refusal, Request, Response, bad, tokens};

/// What a head says about this connection and about its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts<'b> {
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    pub chunked: bool,
    /// `Connection: close`.
    pub close: bool,
    /// `Connection: keep-alive`.
    pub keep_alive: bool,
    /// `Connection: upgrade`.
    pub switches: bool,
    /// `Connection` names more than that: fields to remove.
    pub names: bool,
    /// The protocols of `Upgrade`.
    pub upgrade: Option<&'b [u8]>,
    /// `TE: trailers`.
    pub trailers: bool,
    /// `Expect: 100-continue`.
    pub expects: bool,
}

impl<'b> Facts<'b> {
    /// Reads them.
    ///
    /// # Errors
    /// A message that could be cut in more than one way.
    pub fn of(fields: &Fields<'_, 'b>) -> Result<Facts<'b>, Refusal> {
        let mut facts = Facts::default();
        for (kind, _, value) in fields.iter() {
            match kind {
                // 6.3, 5: no list of lengths, not even of equal ones: two parsers may take one each.
                Field::Length if facts.length.is_some() => return Err(bad("more than one Content-Length")),
                Field::Length => facts.length = Some(length(value)?),
                // 6.1: only the last coding says where a body ends, and chunked is applied once. Of others the
                // proxy knows nothing.
                Field::Coding if facts.chunked => return Err(bad("more than one Transfer-Encoding")),
                Field::Coding if value.eq_ignore_ascii_case(b"chunked") => facts.chunked = true,
                Field::Coding => return Err(coding(value)),
                Field::Connection => facts.connection(value),
                Field::Upgrade => facts.upgrade = Some(value),
                Field::Te => facts.trailers |= tokens(value).any(|t| t.eq_ignore_ascii_case(b"trailers")),
                Field::Expect => facts.expects |= value.eq_ignore_ascii_case(b"100-continue"),
                _ => {}
            }
        }
        // 6.1: a message with both may be an attempt at request smuggling.
        if facts.chunked && facts.length.is_some() {
            return Err(bad("both Content-Length and Transfer-Encoding"));
        }
        Ok(facts)
    }

    fn connection(&mut self, value: &[u8]) {
        for token in tokens(value) {
            if token.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if token.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                self.switches = true;
            } else {
                self.names = true;
            }
        }
    }

    /// Whether the sender keeps the connection open for another message (9.3).
    pub fn persists(&self, old: bool) -> bool {
        !self.close && (!old || self.keep_alive)
    }

    /// The protocol that is asked for. HTTP/2 within a tunnel would be out of our sight, with whatever fields it
    /// likes.
    pub fn protocol(&self) -> Option<&'b [u8]> {
        let protocol = self.upgrade.filter(|_| self.switches)?;
        (!tokens(protocol).any(|token| token.eq_ignore_ascii_case(b"h2c"))).then_some(protocol)
    }
}

/// 6.2: digits, and nothing else.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    let digits = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse::<u64>().ok());
    number.filter(|n| i64::try_from(*n).is_ok()).ok_or(bad("Content-Length is no length"))
}

fn coding(value: &[u8]) -> Refusal {
    if tokens(value).all(|token| token.eq_ignore_ascii_case(b"chunked")) {
        bad("Transfer-Encoding is malformed")
    } else {
        Refusal { status: 501, why: "the only transfer coding here is chunked" }
    }
}

/// How far a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes, perhaps none.
    Length(u64),
    /// To its last chunk.
    Chunked,
    /// To the end of the connection.
    Close,
}

/// The body of a request.
///
/// # Errors
/// One that cannot be told.
pub fn of_request(request: &Request<'_, '_>) -> Result<Framing, Refusal> {
    match (request.facts.chunked, request.facts.length) {
        // 6.1: HTTP/1.0 knows no transfer codings; whoever is in between may not have understood it.
        (true, _) if request.old => Err(bad("Transfer-Encoding in HTTP/1.0")),
        (true, _) => Ok(Framing::Chunked),
        // 6.3, 7: a request without either has no body.
        (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// The body of an answer, `head`: to a HEAD request.
///
/// # Errors
/// One that cannot be told.
pub fn of_response(response: &Response<'_, '_>, head: bool) -> Result<Framing, Refusal> {
    if response.old && response.facts.chunked {
        return Err(bad("its answer has Transfer-Encoding in HTTP/1.0"));
    }
    // 6.3, 1: whatever these say of a body, it is not there.
    if head || is_bodiless(response.status) {
        return Ok(Framing::Length(0));
    }
    Ok(match (response.facts.chunked, response.facts.length) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::Close,
    })
}

/// Answers that have no body, ever.
pub fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::super::head::{request, response, slots};
    use super::*;

    fn requested(head: &str) -> Result<Framing, u16> {
        let head = format!("POST / HTTP/1.{head}host: h\r\n\r\n");
        let mut room = slots();
        let read = request(head.as_bytes(), &mut room).map_err(|refusal| refusal.status)?;
        of_request(&read.unwrap()).map_err(|refusal| refusal.status)
    }

    #[test]
    fn requests() {
        for (head, framing) in [
            ("1\r\n", Ok(Framing::Length(0))),
            ("1\r\ncontent-length: 007\r\n", Ok(Framing::Length(7))),
            ("1\r\ntransfer-encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("0\r\ncontent-length: 7\r\n", Ok(Framing::Length(7))),
            ("0\r\ntransfer-encoding: chunked\r\n", Err(400)),
            ("1\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n", Err(400)),
            ("1\r\ncontent-length: 7\r\ncontent-length: 8\r\n", Err(400)),
            ("1\r\ncontent-length: 7\r\ncontent-length: 7\r\n", Err(400)),
            ("1\r\ncontent-length: 7, 7\r\n", Err(400)),
            ("1\r\ncontent-length: +7\r\n", Err(400)),
            ("1\r\ncontent-length: 0x7\r\n", Err(400)),
            ("1\r\ncontent-length:\r\n", Err(400)),
            ("1\r\ncontent-length: 99999999999999999999\r\n", Err(400)),
            ("1\r\ncontent-length: 9999999999999999999\r\n", Err(400)),
            ("1\r\ntransfer-encoding: chunked, chunked\r\n", Err(400)),
            ("1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", Err(400)),
            ("1\r\ntransfer-encoding: gzip, chunked\r\n", Err(501)),
            ("1\r\ntransfer-encoding: chunked, identity\r\n", Err(501)),
            ("1\r\ntransfer-encoding: xchunked\r\n", Err(501)),
            ("1\r\ntransfer-encoding:\r\n", Err(400)),
        ] {
            assert_eq!(requested(head), framing, "{head:?}");
        }
    }

    #[test]
    fn answers() {
        let framed = |text: &str, head: bool| {
            let mut room = slots();
            let read = response(text.as_bytes(), &mut room).map_err(|refusal| refusal.why)?;
            of_response(&read.unwrap(), head).map_err(|refusal| refusal.why)
        };
        for (text, head, framing) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", false, Framing::Length(5)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true, Framing::Length(0)),
            ("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", false, Framing::Length(0)),
            ("HTTP/1.1 304 No\r\ntransfer-encoding: chunked\r\n\r\n", false, Framing::Length(0)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false, Framing::Chunked),
            ("HTTP/1.0 200 OK\r\n\r\n", false, Framing::Close),
            ("HTTP/1.1 200\r\n\r\n", false, Framing::Close),
        ] {
            assert_eq!(framed(text, head), Ok(framing), "{text:?}");
        }
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
        ] {
            assert!(framed(text, false).is_err(), "{text:?}");
        }
    }
}

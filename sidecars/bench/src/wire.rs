//! Prepared bytes, and reading answers.

use memchr::memmem;
use std::rc::Rc;

/// Length of the small answers.
pub const SMALL: usize = 1024;
/// Length of the middling bodies.
pub const MIDDLING: usize = 100 * 1024;
/// Length of the large bodies.
pub const LARGE: usize = 10 * 1024 * 1024;

/// What bodies are made of: no two places look alike, so a byte too many or too few is seen.
pub fn pattern() -> Rc<[u8]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(LARGE);
    while bytes.len() < LARGE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(LARGE);
    bytes.into()
}

/// A request as a browser would send it.
pub fn request(method: &str, path: &str, extra: &str, body: &[u8]) -> Rc<[u8]> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: hello.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
         Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip, br\r\n\
         Cookie: session=6f1d2c3b4a5968778695a4b3c2d1e0f0\r\n{length}{extra}\r\n"
    );
    [head.as_bytes(), body].concat().into()
}

/// An answer as a service would give it.
pub fn answer(body: &[u8]) -> Rc<[u8]> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jun 2026 12:00:00 GMT\r\nServer: service\r\n\
         Content-Type: application/octet-stream\r\nCache-Control: max-age=60\r\nETag: \"5e1f\"\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// The whole head's length, with its blank line, once it is there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// A header's value. `name` is lower case.
pub fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

/// A length as a header's value tells it.
pub fn length(value: &[u8]) -> Option<usize> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Reads answers of one known kind, and does not take any other.
#[derive(Debug, Default)]
pub struct Reader {
    head: Vec<u8>,
    left: Option<usize>,
    /// Whether the connection ends with this answer.
    pub closes: bool,
}

/// What bytes brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// There is more to come.
    Part,
    /// The answer is whole.
    Whole,
}

impl Reader {
    /// Takes bytes. `length` is the body's, and `pattern` begins with it.
    ///
    /// # Errors
    /// How this is not the answer that was asked for.
    pub fn feed(&mut self, mut bytes: &[u8], length: usize, pattern: &[u8]) -> Result<Read, String> {
        if self.left.is_none() {
            self.closes = false;
            // Nearly always the head comes in one piece, and is looked at where it is.
            let waits = self.head.len();
            if waits > 0 {
                self.head.extend_from_slice(bytes);
            }
            let seen = if waits > 0 { &self.head } else { bytes };
            let Some(end) = head_end(seen) else {
                if waits == 0 {
                    self.head.extend_from_slice(bytes);
                }
                return Ok(Read::Part);
            };
            let head = &seen[..end];
            self.closes = check(head, length)?;
            bytes = &bytes[end - waits..];
            self.head.clear();
            self.left = Some(length);
        }
        let left = self.left.unwrap_or(0);
        if bytes.len() > left {
            return Err(format!("{} bytes after the answer", bytes.len() - left));
        }
        // The start of each piece is enough to see a byte too many, too few or of somebody else.
        let looked = bytes.len().min(64);
        if bytes[..looked] != pattern[length - left..][..looked] {
            return Err(format!("a wrong body at its byte {}", length - left));
        }
        self.left = Some(left - bytes.len()).filter(|left| *left > 0);
        Ok(if self.left.is_none() { Read::Whole } else { Read::Part })
    }
}

/// Whether the connection ends after this answer.
fn check(head: &[u8], length: usize) -> Result<bool, String> {
    let wrong = |what: &str| format!("{what}: {}", String::from_utf8_lossy(head));
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(wrong("not a 200"));
    }
    match header(head, b"content-length").map(self::length) {
        Some(Some(said)) if said == length => {}
        _ => return Err(wrong("not the length of the service's answer")),
    }
    Ok(header(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_any_pieces() {
        let pattern = pattern();
        let bytes = [&answer(&pattern[..SMALL])[..], &answer(&pattern[..SMALL])[..]].concat();
        for size in [1, 7, 100, 300] {
            let mut reader = Reader::default();
            let one = bytes.len() / 2;
            for answer in [&bytes[..one], &bytes[one..]] {
                let mut pieces = answer.chunks(size).peekable();
                while let Some(piece) = pieces.next() {
                    let read = reader.feed(piece, SMALL, &pattern).unwrap();
                    assert_eq!(read == Read::Whole, pieces.peek().is_none(), "{size}");
                }
                assert!(!reader.closes);
            }
        }
    }

    #[test]
    fn other_answers_are_refused() {
        let pattern = pattern();
        let good = String::from_utf8_lossy(&answer(b"")).into_owned();
        let feed = |text: &[u8], length| Reader::default().feed(text, length, &pattern);
        assert_eq!(feed(good.as_bytes(), 0), Ok(Read::Whole));
        assert!(feed(good.replace("200", "503").as_bytes(), 0).unwrap_err().contains("503"));
        assert!(feed(good.as_bytes(), 5).is_err(), "another length");
        assert!(feed(good.replace("Content-Length: 0", "Transfer-Encoding: chunked").as_bytes(), 0).is_err());
        assert!(feed(format!("{good}x").as_bytes(), 0).is_err(), "too much");
        let shifted = answer(&pattern[1..=SMALL]);
        assert!(feed(&shifted, SMALL).is_err(), "another body");
        let mut reader = Reader::default();
        reader
            .feed(good.replace("\r\n\r\n", "\r\nConnection: Close\r\n\r\n").as_bytes(), 0, &pattern)
            .unwrap();
        assert!(reader.closes);
    }
}

//! Requests by the hundred: well-formed ones in sequence, and the same after small accidents. The seed is fixed, so
//! that a failure comes again.

use crate::cases::Case;

/// Small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

const METHODS: [&str; 8] = ["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
const TARGETS: [&str; 6] = ["/", "/a/b?c=d", "/%2e/x", "//x", "/?q=http://z/", "http://h/abs?x"];
const FIELDS: [&str; 10] = [
    "accept: */*",
    "X-Case: Kept",
    "x-empty:",
    "cookie: a=1; b=2",
    "connection: keep-alive",
    "te: trailers",
    "x-a:   b  ",
    "connection: x-gone",
    "x-gone: 1",
    "range: bytes=0-1",
];
/// Where two readers of HTTP part company.
const SPLINTERS: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\x0b",
    b"\x80",
    b"0",
    b"5",
    b"g",
    b"\r\n\r\n",
    b"\r\n ",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.0",
    b"host: other\r\n",
    b"0\r\n\r\n",
    b"-",
    b"+",
    b"chunked",
];

/// Case number so and so.
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let mut bytes = Vec::new();
    for number in 0..=random.below(3) {
        request(&mut bytes, &mut random, number);
    }
    for _ in 0..random.below(3) {
        accident(&mut bytes, &mut random);
    }
    Case { classes: vec!["generated"], bytes }
}

fn request(out: &mut Vec<u8>, random: &mut Random, number: usize) {
    let target = random.of(&TARGETS);
    let mark = if target.contains('?') { "&" } else { "?" };
    let mut head = format!("{} {target}{mark}n={number} HTTP/1.1\r\n", random.of(&METHODS));
    let host = random.below(4);
    for at in 0..random.below(5) {
        if at == host {
            head.push_str("Host: h\r\n");
        }
        head.push_str(random.of(&FIELDS));
        head.push_str("\r\n");
    }
    if !head.contains("Host: h") {
        head.push_str("Host: h\r\n");
    }
    let inner = "GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n".as_bytes();
    let length = random.of(&[0, 1, 5, inner.len()]);
    let body = &inner[..length];
    match random.below(3) {
        0 => out.extend(format!("{head}\r\n").bytes()),
        1 => {
            out.extend(format!("{head}content-length: {length}\r\n\r\n").bytes());
            out.extend_from_slice(body);
        }
        _ => {
            out.extend(format!("{head}transfer-encoding: chunked\r\n\r\n").bytes());
            for chunk in body.chunks(1 + random.below(20)) {
                let extension = random.of(&["", "", ";x", ";x=\"y\""]);
                out.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(random.of(&[&b"0\r\n\r\n"[..], b"0\r\n\r\n", b"0\r\nx-sum: 1\r\n\r\n"]));
        }
    }
}

fn accident(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len().max(1)).min(bytes.len());
    match random.below(5) {
        0 | 1 => insert(bytes, at..at, random.of(&SPLINTERS)),
        2 => {
            let end = (at + 1 + random.below(3)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let end = (at + 1 + random.below(30)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            insert(bytes, at..at, &again);
        }
        _ => {
            // The next line's end loses or changes something.
            if let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
                let end = at + end;
                insert(bytes, end..end + 2, random.of(&[&b"\n"[..], b"\r", b"\r\r\n", b" \r\n", b"\n\r\n"]));
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, place: std::ops::Range<usize>, new: &[u8]) {
    bytes.splice(place, new.iter().copied());
}

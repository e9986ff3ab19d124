//! Hostile and odd answers of the service, by hand.

use crate::recorder::End;

/// What the service says to one request.
#[derive(Debug, Clone)]
pub struct Case {
    pub class: &'static str,
    /// Of the request.
    pub method: &'static str,
    pub bytes: Vec<u8>,
    pub end: End,
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
/// What must never be taken for the answer to the next request.
const SPLIT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-was: split\r\n\r\nsplit off";

pub fn answers() -> Vec<Case> {
    use End::{Close, Keep};
    let mut all = Vec::new();
    let mut add =
        |class, method, bytes: String, end| all.push(Case { class, method, bytes: bytes.into_bytes(), end });
    let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    let fields = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}content-length: 5\r\n\r\nhello");

    add("plain", "GET", GOOD.into(), Keep);
    add("plain", "GET", GOOD.into(), Close);
    add("plain", "GET", fields("x-a: 1\r\nx-a: 2\r\nX-B:  c \r\nset-cookie: a\r\nset-cookie: b\r\n"), Keep);
    add("plain", "GET", chunked("5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"), Keep);
    add("plain", "GET", "HTTP/1.1 200 OK\r\n\r\nto the end".into(), Close);
    add("plain", "GET", "HTTP/1.1 404 Not Here At All\r\ncontent-length: 0\r\n\r\n".into(), Keep);
    add("plain", "GET", "HTTP/1.1 599 Odd\r\ncontent-length: 0\r\n\r\n".into(), Keep);
    add("HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello".into(), Close);
    add("HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nto the end".into(), Close);
    add("no body", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".into(), Keep);
    add("no body", "HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".into(), Keep);
    add("no body", "GET", "HTTP/1.1 204 No\r\n\r\n".into(), Keep);
    add("no body", "GET", "HTTP/1.1 304 Not\r\ncontent-length: 100\r\netag: \"a\"\r\n\r\n".into(), Keep);
    add("trailers", "GET", chunked("5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n"), Keep);

    // More than was said: the rest must not answer anybody.
    add("more than its length", "GET", format!("{GOOD}{SPLIT}"), Keep);
    add("more than its length", "GET", format!("{GOOD} and more"), Keep);
    add("more than its length", "GET", format!("{}{SPLIT}", chunked("5\r\nhello\r\n0\r\n\r\n")), Keep);
    add("a body that must not be", "HEAD", format!("{GOOD}{SPLIT}"), Keep);
    add("a body that must not be", "HEAD", SPLIT.into(), Keep);
    add(
        "a body that must not be",
        "GET",
        format!("HTTP/1.1 204 No\r\ncontent-length: {}\r\n\r\n{SPLIT}", SPLIT.len()),
        Keep,
    );
    add(
        "a body that must not be",
        "GET",
        format!("HTTP/1.1 304 No\r\ncontent-length: {}\r\n\r\n{SPLIT}", SPLIT.len()),
        Keep,
    );
    add(
        "a body that must not be",
        "GET",
        format!("HTTP/1.1 304 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SPLIT}"),
        Keep,
    );
    add("a second answer", "GET", format!("{GOOD}\r\n{SPLIT}"), Keep);

    // Less than was said.
    add("less than its length", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello".into(), Close);
    add("less than its length", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n".into(), Close);
    add("less than its length", "GET", chunked("5\r\nhello\r\n"), Close);
    add("less than its length", "GET", chunked("5\r\nhel"), Close);
    add("less than its length", "GET", chunked(""), Close);
    add("less than its length", "GET", chunked("5\r\nhello\r\n0\r\n"), Close);
    add("half a head", "GET", "HTTP/1.1 200 OK\r\ncontent-le".into(), Close);
    add("half a head", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n".into(), Close);
    add("half a head", "GET", String::new(), Close);

    // Both lengths, and lengths that are none.
    let smuggled = format!("0\r\n\r\n{SPLIT}");
    add(
        "length and coding",
        "GET",
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{smuggled}",
            smuggled.len()
        ),
        Keep,
    );
    add(
        "length and coding",
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            .into(),
        Keep,
    );
    add(
        "two lengths",
        "GET",
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: {}\r\n\r\nhello{SPLIT}",
            5 + SPLIT.len()
        ),
        Keep,
    );
    add("two lengths", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello!".into(), Keep);
    add(
        "equal lengths",
        "GET",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello".into(),
        Keep,
    );
    add("equal lengths", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello".into(), Keep);
    for length in ["+5", "-5", "5x", "0x5", "", "99999999999999999999"] {
        add("odd length", "GET", format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"), Close);
    }
    for coding in ["identity", "gzip", "xchunked", "chunked, identity", "chunked, chunked", ""] {
        add(
            "odd coding",
            "GET",
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
            Close,
        );
    }
    add(
        "another coding",
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        Close,
    );
    add(
        "coding in HTTP/1.0",
        "GET",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        Close,
    );

    // Chunks.
    for body in [
        "5\r\nhelloX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "x\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n x: y\r\n\r\n",
    ] {
        add("bad chunk", "GET", chunked(body), Close);
    }
    add("blank after a chunk size", "GET", chunked("5 \r\nhello\r\n0\r\n\r\n"), Close);
    add("large extension", "GET", chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000))), Close);

    // Heads.
    for head in [
        "ICY 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 abc OK",
        "200 OK",
        "HTTP/1.1 099 No",
        "http/1.1 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1\t200 OK",
    ] {
        add("odd status line", "GET", format!("{head}\r\ncontent-length: 5\r\n\r\nhello"), Close);
    }
    for head in ["HTTP/1.1 600 Odd", "HTTP/1.1 999 Odd"] {
        add("odd status", "GET", format!("{head}\r\ncontent-length: 5\r\n\r\nhello"), Close);
    }
    add("no reason", "GET", "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello".into(), Keep);
    add("no reason", "GET", "HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello".into(), Keep);
    add("bare LF", "GET", GOOD.replace("\r\n", "\n"), Close);
    add("bare LF", "GET", fields("x: a\nx-was: split\r\n"), Close);
    add("bare CR", "GET", fields("x: a\rb\r\n"), Close);
    add("bare CR", "GET", fields("x: a\r\r\n"), Close);
    add("folded line", "GET", fields("x: a\r\n b\r\n"), Close);
    add("folded line", "GET", fields("x: a\r\n\tcontent-length: 0\r\n"), Close);
    add("control character", "GET", fields("x: a\0b\r\n"), Close);
    add("control character", "GET", fields("x: a\u{1}b\r\n"), Close);
    add("odd name", "GET", fields("x y: z\r\n"), Close);
    add("odd name", "GET", fields("x : z\r\n"), Close);
    add("odd name", "GET", fields(": z\r\n"), Close);
    add("odd name", "GET", fields("x\r\n"), Close);
    add("odd name", "GET", "HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello".into(), Close);
    add(
        "odd name",
        "GET",
        "HTTP/1.1 200 OK\r\ntransfer-encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        Close,
    );
    add("large head", "GET", fields(&format!("x-big: {}\r\n", "y".repeat(100 * 1024))), Close);
    add("large head", "GET", fields(&format!("x-big: {}\r\n", "y".repeat(7000))), Close);
    add("large head", "GET", fields(&"x: y\r\n".repeat(150)), Close);
    add(
        "named in Connection",
        "GET",
        fields("connection: x-a, keep-alive\r\nx-a: 1\r\nkeep-alive: timeout=5\r\nx-b: 2\r\n"),
        Keep,
    );

    // Interim answers.
    add("interim", "GET", format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{GOOD}"), Keep);
    add("interim", "GET", format!("HTTP/1.1 100 Continue\r\n\r\n{GOOD}"), Keep);
    add(
        "many interim",
        "GET",
        format!("{}{GOOD}", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(2000)),
        Keep,
    );
    add(
        "interim with a length",
        "GET",
        format!("HTTP/1.1 103 Early\r\ncontent-length: {}\r\n\r\n{SPLIT}{GOOD}", SPLIT.len()),
        Keep,
    );
    add("interim and nothing", "GET", "HTTP/1.1 103 Early Hints\r\n\r\n".into(), Close);
    add(
        "switched unasked",
        "GET",
        format!("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{SPLIT}"),
        Keep,
    );
    all
}

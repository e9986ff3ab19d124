//! Hostile and odd requests, by hand.

/// A client's bytes, and what is odd about them.
#[derive(Debug, Clone)]
pub struct Case {
    pub classes: Vec<&'static str>,
    pub bytes: Vec<u8>,
}

fn case(class: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case { classes: vec![class], bytes: bytes.into() }
}

/// What follows a message that may be cut in two ways: it must never be taken for a part of it, nor the other way.
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: h\r\n\r\n";
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST /first HTTP/1.1\r\nhost: h\r\n{fields}\r\n{body}{NEXT}")
}

fn get(fields: &str) -> String {
    format!("GET /first HTTP/1.1\r\nhost: h\r\n{fields}\r\n{NEXT}")
}

fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked\r\n", body)
}

pub fn requests() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |class, bytes: String| all.push(case(class, bytes));
    let hidden = SMUGGLED.len();

    // Nothing odd.
    add("plain", get(""));
    add("plain", get("x-a: 1\r\nX-A: 2\r\naccept:*/*\r\nx-empty:\r\nx-tab:\t a\tb \t\r\n"));
    add("plain", post("content-length: 5\r\n", "hello"));
    add("plain", post("content-length: 00005\r\n", "hello"));
    add("plain", chunked("5\r\nhello\r\n3\r\n-ab\r\n0\r\n\r\n"));
    add("plain", chunked("000000000a\r\n0123456789\r\n00\r\n\r\n"));
    add("plain", chunked("A\r\n0123456789\r\n0\r\n\r\n"));
    add("plain", post("Transfer-Encoding: Chunked\r\n", "1\r\na\r\n0\r\n\r\n"));
    add("plain", format!("HEAD /first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("plain", format!("DELETE /first HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n{NEXT}"));
    add(
        "body of a GET",
        format!("GET /first HTTP/1.1\r\nhost: h\r\ncontent-length: {hidden}\r\n\r\n{SMUGGLED}{NEXT}"),
    );
    add(
        "body of a GET",
        format!(
            "GET /first HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{hidden:x}\r\n{SMUGGLED}\r\n0\r\n\r\n{NEXT}"
        ),
    );
    add("plain", format!("BREW /first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("pipelined", format!("{NEXT}{}{NEXT}{NEXT}", post("content-length: 3\r\n", "abc")));
    add("pipelined", NEXT.repeat(40));
    add(
        "connection: close",
        format!("GET /first HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n{SMUGGLED}"),
    );

    // Both lengths, in every disguise.
    let smuggle_short = format!("0\r\n\r\n{SMUGGLED}");
    add(
        "length and coding",
        post(
            &format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", smuggle_short.len()),
            &smuggle_short,
        ),
    );
    add(
        "length and coding",
        post(
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
            &format!("{hidden:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        ),
    );
    for coding in [
        "chunked, identity",
        "identity, chunked",
        "identity",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "\"chunked\"",
        "chunked,chunked",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "gzip, chunked",
        "chunked, gzip",
        "gzip",
        "chunked chunked",
        "\u{b}chunked",
        "chunked\u{b}",
        "chun\tked",
        "'chunked'",
        "",
        ",",
    ] {
        let class = if coding.contains(['\u{b}']) { "control character" } else { "odd coding" };
        add(class, post(&format!("transfer-encoding: {coding}\r\n"), &smuggle_short));
        add(
            class,
            post(
                &format!("transfer-encoding: {coding}\r\ncontent-length: {}\r\n", smuggle_short.len()),
                &smuggle_short,
            ),
        );
    }
    add("odd coding", post("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", &smuggle_short));
    add("odd coding", post("transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n", &smuggle_short));
    add("odd coding", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", &smuggle_short));
    add("blank before a colon", post("transfer-encoding : chunked\r\n", &smuggle_short));
    add("blank before a colon", post("content-length : 5\r\n", "hello"));
    add("blank before a colon", post("transfer-encoding\t: chunked\r\ncontent-length: 5\r\n", "hello"));
    add(
        "another name",
        post(&format!("transfer_encoding: chunked\r\ncontent-length: {hidden}\r\n"), SMUGGLED),
    );
    add("another name", post(&format!("content_length: 3\r\ncontent-length: {hidden}\r\n"), SMUGGLED));
    add("odd name", post("transfer-encoding\u{0}: chunked\r\ncontent-length: 5\r\n", "hello"));
    add("odd name", post("\"content-length\": 3\r\ncontent-length: 5\r\n", "hello"));
    add("odd name", post("content-length: 5\r\n: empty\r\n", "hello"));
    add("odd name", post("content-length: 5\r\nx y: z\r\n", "hello"));
    add("odd name", post("content-length: 5\r\nx\u{e9}: z\r\n", "hello"));
    add("odd name", post("content-length: 5\r\nx(a): z\r\n", "hello"));
    add("no colon", post("content-length: 5\r\nnothing\r\n", "hello"));
    add(
        "coding in HTTP/1.0",
        format!(
            "POST /first HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n{smuggle_short}"
        ),
    );
    add(
        "coding in HTTP/1.0",
        format!(
            "POST /first HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\ncontent-length: {}\r\nconnection: keep-alive\r\n\r\n{smuggle_short}",
            smuggle_short.len()
        ),
    );

    // Lengths.
    add("equal lengths", post("content-length: 5\r\ncontent-length: 5\r\n", "hello"));
    add("equal lengths", post("content-length: 5, 5\r\n", "hello"));
    add("two lengths", post(&format!("content-length: 0\r\ncontent-length: {hidden}\r\n"), SMUGGLED));
    add("two lengths", post(&format!("content-length: {hidden}\r\ncontent-length: 0\r\n"), SMUGGLED));
    add("two lengths", post(&format!("content-length: 0, {hidden}\r\n"), SMUGGLED));
    for length in ["+5", "-5", "5.0", "0x5", "5 5", "5_", "", "five", "5;", "\u{665}", ",5", "5,", "1e0"] {
        add("odd length", post(&format!("content-length: {length}\r\n"), "hello"));
    }
    for length in [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551621",
        "99999999999999999999999999",
    ] {
        add("huge length", post(&format!("content-length: {length}\r\n"), "hello"));
    }

    // Lines.
    add("bare LF", get("x: y\r\n").replace("\r\n", "\n"));
    add("bare LF", get("x: y\nz: w\r\n"));
    add("bare LF", format!("GET /first HTTP/1.1\nhost: h\r\n\r\n{NEXT}"));
    add("bare LF", format!("GET /first HTTP/1.1\r\nhost: h\r\n\n{NEXT}"));
    add("bare LF", format!("GET /first HTTP/1.1\r\nhost: h\n\r\n{NEXT}"));
    add("bare LF", format!("GET /first HTTP/1.1\r\nhost: h\nx:\n\n{NEXT}"));
    add("bare CR", get("x: y\rz: w\r\n"));
    add("bare CR", get("x: y\r\rz: w\r\n"));
    add("bare CR", get("x: y\r \r\n"));
    add("bare CR", format!("GET /first HTTP/1.1\rhost: h\r\r{NEXT}"));
    add("bare CR", format!("GET /first HTTP/1.1\r\r\nhost: h\r\n\r\n{NEXT}"));
    add("bare CR", format!("GET /first HTTP/1.1\r\nhost: h\r\n\r\r\n{NEXT}"));
    add("folded line", get("x: y\r\n z\r\n"));
    add("folded line", get("x: y\r\n\tz\r\n"));
    add("folded line", get("x:\r\n y\r\n"));
    add("folded line", post("transfer-encoding:\r\n chunked\r\n", &smuggle_short));
    add("folded line", format!("GET /first HTTP/1.1\r\n host: h\r\nhost: h\r\n\r\n{NEXT}"));
    add("folded line", get("x: y\r\n \r\n"));
    add("control character", get("x: a\0b\r\n"));
    add("control character", get("x: a\u{1}b\r\n"));
    add("control character", get("x: a\u{7f}b\r\n"));
    add("control character", get("x: a\u{c}b\r\n"));
    add("obs-text", String::new());
    add("empty line first", format!("\r\n{}", get("")));
    add("empty line first", format!("\r\n\r\n\r\n{}", get("")));
    add("empty line first", post("content-length: 5\r\n", "hello\r\n"));
    add("bare LF", format!("\n{}", get("")));

    // Request lines.
    for line in [
        "GET  /first HTTP/1.1",
        "GET /first  HTTP/1.1",
        "GET\t/first HTTP/1.1",
        " GET /first HTTP/1.1",
        "GET /first HTTP/1.1 ",
        "GET /first",
        "GET /a b HTTP/1.1",
        "/first HTTP/1.1",
        "GET HTTP/1.1",
        "G\0T /first HTTP/1.1",
        "GET /fi\0rst HTTP/1.1",
        "G@T /first HTTP/1.1",
        "GET /first HTTP/1.1 HTTP/1.1",
        "GET /first\u{b}HTTP/1.1",
    ] {
        add("odd request line", format!("{line}\r\nhost: h\r\n\r\n{NEXT}"));
    }
    for version in [
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/0.9",
        "HTTP/1.10",
        "HTTP/1.",
        "HTTP/1",
        "http/1.1",
        "HTTP/3",
        "HTTP/1.01",
        "HTTPS/1.1",
        "HTTP/11",
    ] {
        add("odd version", format!("GET /first {version}\r\nhost: h\r\n\r\n{NEXT}"));
    }
    add("HTTP/1.0", format!("GET /first HTTP/1.0\r\n\r\n{SMUGGLED}"));
    add("HTTP/1.0", format!("GET /first HTTP/1.0\r\nhost: h\r\nconnection: keep-alive\r\n\r\n{NEXT}"));
    add("HTTP/1.0", "POST /first HTTP/1.0\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello".to_owned());
    for target in ["/%00", "/%2e%2e/%2f", "/a%", "/%zz"] {
        add("odd escape", format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    }
    for target in ["/a//b/../c", "/?a=b?c=/d", "/;a=b", "//h/x"] {
        add("plain", format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    }
    for target in ["/a\"b", "/a<b>", "/a\\b", "/a^b", "/a`b", "/a{b}", "/a|b"] {
        add("target not escaped", format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    }
    for target in ["/a#b", "/\u{e9}", "/a\u{7f}"] {
        add("odd target", format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    }
    for target in ["*", "first", "?a", "h:80", "http:/first", "://h/", "http://", "http:///first"] {
        add("odd target", format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    }
    add("server as a whole", format!("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("CONNECT", format!("CONNECT h:80 HTTP/1.1\r\nhost: h:80\r\n\r\n{SMUGGLED}"));
    add(
        "CONNECT",
        format!("CONNECT /first HTTP/1.1\r\nhost: h\r\ncontent-length: {hidden}\r\n\r\n{SMUGGLED}"),
    );

    // Hosts.
    add("absolute target", format!("GET http://h/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("absolute target", format!("GET http://h HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("absolute target", format!("GET HTTP://h?x=/y HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("absolute target", format!("OPTIONS http://h HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("target of another host", format!("GET http://other/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("target of another host", format!("GET http://other:81/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("absolute target", format!("GET http://other/first HTTP/1.0\r\n\r\n{SMUGGLED}"));
    add("host in the target", format!("GET http://u:p@h/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("host in the target", format!("GET http://h,other/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("another scheme", format!("GET https://h/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("another scheme", format!("GET ftp://h/first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}"));
    add("no host", format!("GET /first HTTP/1.1\r\n\r\n{NEXT}"));
    add("two hosts", format!("GET /first HTTP/1.1\r\nhost: h\r\nhost: other\r\n\r\n{NEXT}"));
    add("two hosts", format!("GET /first HTTP/1.1\r\nhost: h\r\nHost: h\r\n\r\n{NEXT}"));
    for host in ["a b", "a/b", "a@b", "a,b", "a\tb", "h#x", "h?x", "h\\x", "h\"", "<h>", "\u{e9}"] {
        add("odd host", format!("GET /first HTTP/1.1\r\nhost: {host}\r\n\r\n{NEXT}"));
    }
    for host in ["", "h:80", "[::1]:80", "H.Example", "h.", "192.0.2.1", "h%20"] {
        add("unusual host", format!("GET /first HTTP/1.1\r\nhost: {host}\r\n\r\n{NEXT}"));
    }

    // Named in Connection.
    add("named in Connection", get("connection: x-a, keep-alive\r\nx-a: 1\r\nx-b: 2\r\n"));
    add("named in Connection", get("connection: X-A\r\nconnection: x-b\r\nx-a: 1\r\nx-b: 2\r\n"));
    add("named in Connection", get("connection: host\r\n"));
    add("named in Connection", post("connection: content-length\r\ncontent-length: 5\r\n", "hello"));
    add(
        "named in Connection",
        post("connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    );
    add("named in Connection", get("connection: ,,x-a ;, \"x-b\"\r\nx-a: 1\r\nx-b: 2\r\n"));
    add(
        "hop by hop",
        get("keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nte: gzip\r\nupgrade: h2c\r\n"),
    );
    add("hop by hop", get("te: trailers\r\nconnection: te\r\n"));

    // Chunks.
    add("chunk extension", chunked("5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"));
    add("chunk extension", chunked("5;\r\nhello\r\n0\r\n\r\n"));
    add("chunk extension with LF", chunked(&format!("5;a\nxx\r\nhello\r\n0\r\n\r\n{SMUGGLED}")));
    add("chunk extension with LF", chunked(&format!("5;a\rxx\r\nhello\r\n0\r\n\r\n{SMUGGLED}")));
    add("chunk extension with LF", chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"));
    add("large extension", chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000))));
    add(
        "large extension",
        chunked(&format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "x".repeat(150)).repeat(200))),
    );
    add("blank after a chunk size", chunked("5 \r\nhello\r\n0\r\n\r\n"));
    add("blank after a chunk size", chunked("5 ;a\r\nhello\r\n0\r\n\r\n"));
    add("blank after a chunk size", chunked("5\t;a\r\nhello\r\n0\r\n\r\n"));
    for body in [
        " 5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "5\u{b}\r\nhello\r\n0\r\n\r\n",
    ] {
        add("odd chunk size", chunked(body));
    }
    for size in [
        "8000000000000000",
        "ffffffffffffffff",
        "10000000000000005",
        "fffffffffffffffffffff5",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    ] {
        add("chunk size overflow", chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n")));
    }
    add("long chunk size", chunked(&format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(40))));
    for body in [
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
    ] {
        add("chunk end", chunked(body));
    }
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\nhello\n0\n\n",
    ] {
        add("bare LF in chunks", chunked(body));
    }
    add(
        "trailers",
        post(
            "transfer-encoding: chunked\r\nte: trailers\r\nconnection: te\r\ntrailer: x-sum\r\n",
            "5\r\nhello\r\n0\r\nx-sum: 9\r\n\r\n",
        ),
    );
    add("trailers", chunked("5\r\nhello\r\n0\r\nx-sum: 9\r\nx-more:\r\n\r\n"));
    for trailer in
        ["content-length: 100", "transfer-encoding: chunked", "host: other", "x-forwarded-for: 1.2.3.4"]
    {
        add("forbidden trailer", chunked(&format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n")));
    }
    add("odd trailer", chunked("5\r\nhello\r\n0\r\n x: y\r\n\r\n"));
    add("odd trailer", chunked("5\r\nhello\r\n0\r\nx : y\r\n\r\n"));
    add("odd trailer", chunked("5\r\nhello\r\n0\r\nx\r\n\r\n"));
    add("odd trailer", chunked("5\r\nhello\r\n0\r\nx: a\0b\r\n\r\n"));
    add("odd trailer", chunked("5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n"));
    add("large head", chunked(&format!("5\r\nhello\r\n0\r\n{}\r\n", "x: 0123456789\r\n".repeat(9000))));

    // Sizes.
    for (count, size) in
        [(1, 100 * 1024), (50, 2048), (90, 10), (101, 10), (5000, 10), (1, 7000), (1, 31_000), (1, 33_000)]
    {
        add("large head", get(&format!("x-big: {}\r\n", "y".repeat(size)).repeat(count)));
    }
    add("large head", format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}", "y".repeat(100 * 1024)));
    add("large head", format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}", "y".repeat(6000)));
    add("large head", format!("{} /first HTTP/1.1\r\nhost: h\r\n\r\n{NEXT}", "M".repeat(3000)));

    // What is not there.
    add("cut off", "GET /first HTTP/1.1\r\nhost: h\r\n".to_owned());
    add("cut off", "GET /first HTTP/1.1\r\nhost: h\r\n\r".to_owned());
    add("cut off", "POST /first HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nhello".to_owned());
    add(
        "cut off",
        "POST /first HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel".to_owned(),
    );
    add(
        "cut off",
        "POST /first HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n".to_owned(),
    );
    add("no HTTP", "\x16\x03\x01\x02\0\x01\0\x01\x7f\r\n\r\n".to_owned());
    add("no HTTP", format!("SSH-2.0-x\r\n\r\n{NEXT}"));
    add("asks first", post("content-length: 5\r\nexpect: 100-continue\r\n", "hello"));
    add("another expectation", post("content-length: 5\r\nexpect: miracles\r\n", "hello"));

    // A String cannot hold these.
    for case in &mut all {
        if case.classes == ["obs-text"] {
            case.bytes =
                [b"GET /first HTTP/1.1\r\nhost: h\r\nx: a\xff\xe9b\r\n\r\n", NEXT.as_bytes()].concat();
        }
    }
    all
}

//! What a sequence of bytes means, by RFC 9112 and nothing else: the reference that all others are held to.
//!
//! It takes whole bytes, allocates freely and knows no connection: nothing of it is shared with the proxy.

/// What bytes begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parse<T> {
    /// A message, of so many bytes.
    Whole(T, usize),
    /// The beginning of one.
    Partial,
    /// None, and nobody can say where the next one begins.
    Invalid(&'static str),
}

use Parse::{Invalid, Partial, Whole};

/// Names in lower case, values without white space around them, in their order.
pub type Fields = Vec<(String, Vec<u8>)>;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// In origin form.
    pub target: String,
    pub minor: u8,
    /// What is asked, from the target or from `Host`.
    pub host: Option<Vec<u8>>,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// No request follows on the connection.
    pub last: bool,
    /// What the RFC lets a recipient refuse or take as it likes.
    pub lenient: Vec<&'static str>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// The body goes to the end of the connection.
    pub to_close: bool,
    pub lenient: Vec<&'static str>,
}

/// The beginning of a client's bytes.
pub fn request(bytes: &[u8]) -> Parse<Request> {
    let mut request = Request::default();
    let mut at = 0;
    // 2.2: a server should ignore an empty line before a request.
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
        request.lenient.push("empty line first");
    }
    let (line, next) = match line(bytes, at, &mut request.lenient) {
        Whole(line, next) => (line, next),
        Partial => return Partial,
        Invalid(why) => return Invalid(why),
    };
    let parts: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    // 3: exactly one space between the three.
    let [method, target, version] = parts[..] else { return Invalid("request line") };
    if !is_token(method) || target.is_empty() {
        return Invalid("request line");
    }
    request.minor = match version {
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        _ => return Invalid("version"),
    };
    if !target.iter().all(|b| b.is_ascii_graphic()) {
        return Invalid("target characters");
    }
    if line.len() > 3000 {
        request.lenient.push("large head");
    }
    request.method = text(method);
    let (fields, next) = match fields(bytes, next, &mut request.lenient) {
        Whole(fields, next) => (fields, next),
        Partial => return Partial,
        Invalid(why) => return Invalid(why),
    };
    request.fields = fields;
    if let Err(why) = whom(&mut request, &text(target)) {
        return Invalid(why);
    }
    let connection = tokens(&request.fields, "connection");
    let has = |token: &str| connection.iter().any(|t| t.eq_ignore_ascii_case(token));
    request.last = has("close") || request.minor == 0 && !has("keep-alive");
    let framing = match framing(&request.fields, request.minor, &mut request.lenient) {
        Ok(framing) => framing,
        Err(why) => return Invalid(why),
    };
    match body(bytes, next, framing.unwrap_or(Framing::Length(0)), &mut request.lenient) {
        Whole((body, trailers), next) => {
            (request.body, request.trailers) = (body, trailers);
            Whole(request, next)
        }
        Partial => Partial,
        Invalid(why) => Invalid(why),
    }
}

/// The beginning of a server's bytes; `head`: it answers a HEAD; `ended`: no more bytes come.
pub fn answer(bytes: &[u8], head: bool, ended: bool) -> Parse<Answer> {
    let mut answer = Answer::default();
    let (line, next) = match line(bytes, 0, &mut answer.lenient) {
        Whole(line, next) => (line, next),
        Partial => return Partial,
        Invalid(why) => return Invalid(why),
    };
    let old = line.starts_with(b"HTTP/1.0 ");
    if !old && !line.starts_with(b"HTTP/1.1 ")
        || line.len() < 12
        || !line[9..12].iter().all(u8::is_ascii_digit)
    {
        return Invalid("status line");
    }
    answer.status = text(&line[9..12]).parse().unwrap();
    match line.get(12) {
        None => answer.lenient.push("no reason"),
        Some(b' ') => {}
        Some(_) => return Invalid("status line"),
    }
    match answer.status {
        100..=599 => {}
        // RFC 9110, 15: invalid, and a client takes it for a kind of 500.
        600..=999 => answer.lenient.push("odd status"),
        _ => return Invalid("status"),
    }
    let (fields, next) = match fields(bytes, next, &mut answer.lenient) {
        Whole(fields, next) => (fields, next),
        Partial => return Partial,
        Invalid(why) => return Invalid(why),
    };
    answer.fields = fields;
    let framing = match framing(&answer.fields, u8::from(!old), &mut answer.lenient) {
        Ok(framing) => framing,
        Err(why) => return Invalid(why),
    };
    if head || matches!(answer.status, 100..=199 | 204 | 304) {
        return Whole(answer, next);
    }
    let Some(framing) = framing else {
        answer.to_close = true;
        answer.body = bytes[next..].to_vec();
        return if ended { Whole(answer, bytes.len()) } else { Partial };
    };
    match body(bytes, next, framing, &mut answer.lenient) {
        Whole((body, trailers), next) => {
            (answer.body, answer.trailers) = (body, trailers);
            Whole(answer, next)
        }
        Partial => Partial,
        Invalid(why) => Invalid(why),
    }
}

fn line<'b>(bytes: &'b [u8], at: usize, lenient: &mut Vec<&'static str>) -> Parse<&'b [u8]> {
    let rest = &bytes[at..];
    let Some(end) = rest.iter().position(|b| *b == b'\n') else { return Partial };
    let line = match rest[..end].strip_suffix(b"\r") {
        Some(line) => line,
        None => {
            // 2.2: a recipient may recognise a single LF.
            lenient.push("bare LF");
            &rest[..end]
        }
    };
    if line.contains(&b'\r') {
        return Invalid("bare CR");
    }
    if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
        return Invalid("control character");
    }
    Whole(line, at + end + 1)
}

fn fields(bytes: &[u8], mut at: usize, lenient: &mut Vec<&'static str>) -> Parse<Fields> {
    let mut all = Fields::new();
    let start = at;
    loop {
        let (line, next) = match line(bytes, at, lenient) {
            Whole(line, next) => (line, next),
            Partial => return Partial,
            Invalid(why) => return Invalid(why),
        };
        at = next;
        if line.is_empty() {
            // How long a head may be, and how many fields it may have, is everybody's own business.
            if at - start > 3000 || all.len() > 60 {
                lenient.push("large head");
            }
            return Whole(all, at);
        }
        // 5.2: a server rejects folded lines, or puts blanks in their place.
        if matches!(line[0], b' ' | b'\t') {
            return Invalid("folded line");
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            return Invalid("field without a colon");
        };
        // 5.1: no white space between name and colon; a server answers 400.
        if !is_token(&line[..colon]) {
            return Invalid("field name");
        }
        all.push((text(&line[..colon]).to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()));
    }
}

/// 3.2: target and `Host`.
fn whom(request: &mut Request, target: &str) -> Result<(), &'static str> {
    let hosts: Vec<&Vec<u8>> = request.fields.iter().filter(|(n, _)| n == "host").map(|(_, v)| v).collect();
    if hosts.len() > 1 {
        return Err("two hosts");
    }
    if hosts.is_empty() && request.minor == 1 {
        return Err("no host");
    }
    if hosts.first().is_some_and(|host| !is_host(host)) {
        return Err("host characters");
    }
    request.host = hosts.first().map(|host| (*host).clone());
    if request.method == "CONNECT" {
        request.lenient.push("CONNECT");
        request.target = target.to_owned();
        return Ok(());
    }
    if target.starts_with('/') || target == "*" && request.method == "OPTIONS" {
        if target.bytes().any(|b| !(b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&b)))
            && target != "*"
        {
            request.lenient.push("target not escaped");
        }
        request.target = target.to_owned();
        return Ok(());
    }
    let Some((scheme, rest)) = target.split_once("://") else { return Err("target form") };
    if !scheme.eq_ignore_ascii_case("http") {
        request.lenient.push("another scheme");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.is_empty() || !is_host(authority.as_bytes()) {
        return Err("host characters");
    }
    // 3.2.2: it overrides the field.
    if request.host.as_deref().is_some_and(|host| host != authority.as_bytes()) {
        request.lenient.push("target of another host");
    }
    request.host = Some(authority.as_bytes().to_vec());
    request.target = match path {
        "" if request.method == "OPTIONS" => "*".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    Ok(())
}

fn is_host(host: &[u8]) -> bool {
    host.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(b))
}

#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

/// 6.1 to 6.3.
fn framing(
    fields: &Fields,
    minor: u8,
    lenient: &mut Vec<&'static str>,
) -> Result<Option<Framing>, &'static str> {
    let all = |name: &str| -> Vec<&[u8]> {
        let values = fields.iter().filter(|(n, _)| n == name).map(|(_, value)| &value[..]);
        values.flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii).collect()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let mut length = None;
    for value in &lengths {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err("length");
        }
        let value = text(value).parse::<i64>().map_err(|_| "length overflow")?.cast_unsigned();
        if length.is_some_and(|before| before != value) {
            return Err("two lengths");
        }
        if length.is_some() {
            // 6.3, 5: the same number again may be taken for one.
            lenient.push("equal lengths");
        }
        length = Some(value);
    }
    if codings.iter().any(|coding| coding.is_empty()) {
        // RFC 9110, 5.6.1: empty elements of a list mean nothing.
        lenient.push("empty element");
    }
    let codings: Vec<&[u8]> = codings.into_iter().filter(|coding| !coding.is_empty()).collect();
    if !fields.iter().any(|(name, _)| name == "transfer-encoding") {
        return Ok(length.map(Framing::Length));
    }
    if minor == 0 {
        return Err("coding in HTTP/1.0");
    }
    let chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.split_last() {
        Some((last, before)) if chunked(last) && !before.iter().any(chunked) => {
            if !before.is_empty() {
                // 6.1: a server that does not know a coding answers 501.
                lenient.push("another coding");
            }
        }
        _ => return Err("coding"),
    }
    if length.is_some() {
        // 6.3, 3: an attempt at smuggling, perhaps; whoever takes it goes by the coding.
        lenient.push("length and coding");
    }
    Ok(Some(Framing::Chunked))
}

fn body(
    bytes: &[u8],
    mut at: usize,
    framing: Framing,
    lenient: &mut Vec<&'static str>,
) -> Parse<(Vec<u8>, Fields)> {
    let size = match framing {
        Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Framing::Chunked => {
            let mut body = Vec::new();
            loop {
                let mut ignored = Vec::new();
                let (line, next) = match line(bytes, at, &mut ignored) {
                    Whole(line, next) => (line, next),
                    Partial => return Partial,
                    Invalid(why) => return Invalid(why),
                };
                if !ignored.is_empty() {
                    return Invalid("bare LF in chunks");
                }
                let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
                let rest = &line[digits..];
                if digits == 0 || !(rest.is_empty() || rest.trim_ascii_start().starts_with(b";")) {
                    return Invalid("chunk size");
                }
                if rest.first().is_some_and(|b| *b != b';') {
                    lenient.push("blank after a chunk size");
                }
                if rest.len() > 100 {
                    lenient.push("large extension");
                }
                if digits > 16 {
                    lenient.push("long chunk size");
                }
                // 7.1: recipients must anticipate large numbers.
                let Ok(size) = i64::from_str_radix(&text(&line[..digits]), 16) else {
                    return Invalid("chunk size overflow");
                };
                at = next;
                if size == 0 {
                    break;
                }
                let end = at.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
                let Some(chunk) = bytes.get(at..end) else { return Partial };
                body.extend_from_slice(chunk);
                match bytes.get(end..end + 2) {
                    Some(b"\r\n") => at = end + 2,
                    None if bytes[end..].is_empty() || bytes[end..] == *b"\r" => return Partial,
                    _ => return Invalid("chunk end"),
                }
            }
            let mut ignored = Vec::new();
            let (trailers, next) = match fields(bytes, at, &mut ignored) {
                Whole(trailers, next) => (trailers, next),
                Partial => return Partial,
                Invalid(why) => return Invalid(why),
            };
            if ignored.contains(&"bare LF") {
                return Invalid("bare LF in chunks");
            }
            lenient.extend(ignored);
            // 6.5.1: some fields have no meaning there, and must not get any.
            let forbidden = [
                "authorization",
                "connection",
                "content-length",
                "cookie",
                "host",
                "keep-alive",
                "te",
                "trailer",
                "transfer-encoding",
                "upgrade",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-real-ip",
            ];
            if trailers.iter().any(|(name, _)| forbidden.contains(&name.as_str())) {
                lenient.push("forbidden trailer");
            }
            return Whole((body, trailers), next);
        }
    };
    match at.checked_add(size).and_then(|end| bytes.get(at..end)) {
        Some(body) => Whole((body.to_vec(), Fields::new()), at + size),
        None => Partial,
    }
}

/// The elements of a list.
pub fn tokens(fields: &Fields, name: &str) -> Vec<String> {
    let values = fields.iter().filter(|(n, _)| n == name).map(|(_, value)| text(value));
    values.flat_map(|v| v.split(',').map(|t| t.trim().to_owned()).collect::<Vec<_>>()).collect()
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A client's bytes as a server without mercy takes them.
#[derive(Debug, Default)]
pub struct Meaning {
    /// In their order.
    pub requests: Vec<Request>,
    /// Why nothing follows; `None`: all bytes were used, or it ends in the middle of a request.
    pub invalid: Option<&'static str>,
    /// It ends in the middle of a request.
    pub partial: bool,
}

/// All of a client's bytes.
pub fn meaning(mut bytes: &[u8]) -> Meaning {
    let mut meaning = Meaning::default();
    while !bytes.is_empty() {
        match request(bytes) {
            Whole(request, used) => {
                bytes = &bytes[used..];
                let last = request.last;
                meaning.requests.push(request);
                if last {
                    break;
                }
            }
            Partial => {
                meaning.partial = true;
                break;
            }
            Invalid(why) => {
                meaning.invalid = Some(why);
                break;
            }
        }
    }
    meaning
}

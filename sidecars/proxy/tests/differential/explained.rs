//! Where the three part company, and why.

use crate::contenders::Who::{self, Hyper, Nginx};

/// One difference.
#[derive(Debug, Clone, Copy)]
pub struct Explained {
    /// What is odd about the message.
    pub class: &'static str,
    pub other: Who,
    /// How the other differs from the proxy: who refuses, or what goes on in another way.
    pub what: &'static str,
    pub section: &'static str,
    pub why: &'static str,
}

impl Explained {
    /// Whether a head has left before its body is seen to be wrong depends on when bytes arrive: not in every run.
    pub fn is_a_matter_of_time(&self) -> bool {
        matches!(self.what, "cut for refused" | "refused for cut")
    }
}

const fn line(
    class: &'static str,
    other: Who,
    what: &'static str,
    section: &'static str,
    why: &'static str,
) -> Explained {
    Explained { class, other, what, section, why }
}

/// Of what the service sees.
#[rustfmt::skip]
pub const REQUESTS: &[Explained] = &[
    line("length and coding", Hyper, "the proxy refuses", "RFC 9112, 6.3", "both at once is how requests are smuggled; hyper goes by the coding and drops the length"),
    line("equal lengths", Hyper, "the proxy refuses", "RFC 9112, 6.3", "a list of equal lengths may be taken for one; the proxy takes one length and no list"),
    line("coding", Hyper, "the proxy refuses", "RFC 9112, 6.1", "chunked twice is not allowed; hyper looks at the last one alone"),
    line("another coding", Hyper, "the proxy refuses", "RFC 9112, 6.1", "the proxy knows chunked alone and says 501; hyper takes any list that ends with it, and would drop the rest"),
    line("empty element", Hyper, "the proxy refuses", "RFC 9110, 5.6.1", "empty elements mean nothing; the proxy wants the word alone where a message's end depends on it"),
    line("length overflow", Hyper, "it forwards what is no request", "RFC 9110, 8.6", "hyper's lengths have 64 bits, a recipient's may have 63: the proxy refuses what not everybody can count"),
    line("bare LF", Hyper, "the proxy refuses", "RFC 9112, 2.2", "a lone LF may end a line; the proxy refuses it, since others see one line there"),
    line("bare LF", Nginx, "the proxy refuses", "RFC 9112, 2.2", "as with hyper"),
    line("bare LF in chunks", Hyper, "the proxy refuses", "RFC 9112, 7.1", "hyper takes any CR LF or LF at the very end of a body; there is no such leave"),
    line("bare LF in chunks", Nginx, "the proxy refuses", "RFC 9112, 7.1", "nginx takes LF for CR LF anywhere in chunks; there is no such leave"),
    line("chunk size", Hyper, "the proxy refuses", "RFC 9112, 7.1", "white space after a chunk's size is not in the grammar"),
    line("chunk size", Nginx, "the proxy refuses", "RFC 9112, 7.1", "as with hyper"),
    line("blank after a chunk size", Hyper, "the proxy refuses", "RFC 9112, 7.1.1", "white space before an extension is bad white space: it may be refused"),
    line("blank after a chunk size", Nginx, "the proxy refuses", "RFC 9112, 7.1.1", "as with hyper"),
    line("control character", Hyper, "the proxy refuses", "RFC 9112, 7.1.1", "the proxy checks the characters of extensions although it drops them; hyper looks for the line's end alone"),
    line("control character", Nginx, "the proxy refuses", "RFC 9110, 5.5", "nginx skips what stands in extensions and trailers without a look"),
    line("control character", Nginx, "it forwards what is no request", "RFC 9110, 5.5", "nginx refuses NUL alone, and passes on other control characters"),
    line("long chunk size", Hyper, "the proxy refuses", "RFC 9112, 7.1", "more than 16 digits, if only zeros: the proxy counts digits, the others the number"),
    line("long chunk size", Nginx, "the proxy refuses", "RFC 9112, 7.1", "as with hyper"),
    line("large extension", Nginx, "the proxy refuses", "RFC 9112, 7.1.1", "a recipient ought to limit extensions; nginx has no limit"),
    line("large head", Hyper, "the proxy refuses", "RFC 9112, 3", "limits differ: 32 KiB of head, 16 KiB of trailers and 100 fields here"),
    line("large head", Nginx, "the proxy refuses", "RFC 9112, 3", "nginx does not limit trailers, and takes longer heads than the proxy in several buffers"),
    line("large head", Nginx, "it refuses", "RFC 9112, 3", "limits differ: nginx's buffers for a line of the head have 8 KiB"),
    line("large head", Nginx, "other answers", "RFC 9112, 3", "the recorder's answer repeats a long target in its head, which is longer than nginx takes from a service"),
    line("forbidden trailer", Hyper, "the proxy refuses", "RFC 9110, 6.5.1", "fields that frame or route have no place in trailers; hyper drops trailers that were not announced"),
    line("forbidden trailer", Nginx, "the proxy refuses", "RFC 9110, 6.5.1", "nginx drops all trailers"),
    line("trailers", Hyper, "another trailers", "RFC 9110, 6.5", "hyper drops trailers that `Trailer` does not announce; the proxy passes them on"),
    line("trailers", Nginx, "another trailers", "RFC 9110, 6.5", "nginx drops all trailers"),
    line("trailers", Nginx, "another fields, trailers", "RFC 9110, 6.5", "nginx drops all trailers, and passes on what `Connection` names"),
    line("HTTP/1.0", Hyper, "it forwards what is no request", "RFC 9112, 3.2", "HTTP/1.0 may come without Host, HTTP/1.1 may not: the proxy adds one, the others do not"),
    line("HTTP/1.0", Nginx, "it forwards what is no request", "RFC 9112, 3.2", "as with hyper"),
    line("absolute target", Nginx, "it forwards what is no request", "RFC 9112, 3.2.2", "nginx does not make a Host of the target in HTTP/1.0, if it is told to pass the field on"),
    line("host characters", Hyper, "it forwards what is no request", "RFC 9112, 3.2", "a Host that is none is a 400; hyper leaves that to others"),
    line("host characters", Nginx, "it forwards what is no request", "RFC 9112, 3.2", "nginx looks for slashes, NUL and dots alone"),
    line("no host", Hyper, "the proxy refuses", "RFC 9112, 3.2", "both say 400; the forwarder goes on with the next request, the proxy ends the connection"),
    line("two hosts", Hyper, "the proxy refuses", "RFC 9112, 3.2", "as without a Host"),
    line("CONNECT", Hyper, "the proxy refuses", "RFC 9110, 9.3.6", "both say 405; the forwarder goes on with the next request, the proxy ends the connection"),
    line("target characters", Hyper, "it forwards what is no request", "RFC 3986, 2", "hyper and nginx pass on bytes that are no ASCII; they must be escaped"),
    line("target characters", Nginx, "it forwards what is no request", "RFC 3986, 2", "as with hyper"),
    line("target form", Hyper, "it forwards what is no request", "RFC 9112, 3.2.4", "an asterisk is for OPTIONS alone; hyper takes it with any method"),
    line("target form", Hyper, "the proxy refuses", "RFC 9112, 3.2", "neither a path nor a URL: hyper takes it for a host"),
    line("target not escaped", Hyper, "it refuses", "RFC 3986, 2", "hyper refuses some characters that must be escaped; the proxy passes them on as they are"),
    line("target not escaped", Hyper, "the proxy refuses", "RFC 3986, 3.5", "a fragment never leaves its client; the others drop it or pass it on"),
    line("target not escaped", Nginx, "the proxy refuses", "RFC 3986, 3.5", "as with hyper"),
    line("absolute target", Hyper, "another line", "RFC 9112, 3.2.4", "OPTIONS for a URL without a path is for the server as a whole: `*`"),
    line("absolute target", Nginx, "another line", "RFC 9112, 3.2.4", "as with hyper"),
    line("absolute target", Hyper, "it refuses", "RFC 9112, 3.2.1", "a query without a path goes on with `/` before it; the forwarder does not see to that"),
    line("another scheme", Hyper, "the proxy refuses", "RFC 9112, 3.2.2", "the proxy forwards http and https; the others do not look"),
    line("another scheme", Nginx, "the proxy refuses", "RFC 9112, 3.2.2", "as with hyper"),
    line("request line", Hyper, "the proxy refuses", "RFC 9112, 2.2", "a lone LF before a request is no empty line"),
    line("request line", Nginx, "the proxy refuses", "RFC 9112, 3", "nginx takes several spaces for one, and a lone LF for an empty line"),
    line("request line", Nginx, "it forwards what is no request", "RFC 9112, 3", "nginx answers HTTP/0.9, and forwards it"),
    line("version", Nginx, "the proxy refuses", "RFC 9112, 2.3", "nginx takes any minor version, and HTTP/0.9 when it is spelled out"),
    line("bare CR", Nginx, "the proxy refuses", "RFC 9112, 2.2", "nginx skips a CR before another CR or at a value's end"),
    line("field name", Nginx, "the proxy refuses", "RFC 9112, 5.1", "nginx drops fields whose names it does not take, and forwards the rest"),
    line("field name", Nginx, "it forwards what is no request", "RFC 9112, 5.1", "nginx takes a NUL or a control character for the end of an ignored field"),
    line("field without a colon", Nginx, "the proxy refuses", "RFC 9112, 5", "as with names: the line is dropped"),
    line("folded line", Nginx, "the proxy refuses", "RFC 9112, 5.2", "nginx does not look at trailers"),
    line("chunk end", Nginx, "the proxy refuses", "RFC 9112, 7.1", "nginx takes LF, or CR and anything, for a chunk's end"),
    line("another name", Nginx, "another fields", "RFC 9110, 5.1", "nginx drops fields with more than letters, digits and `-` in their names"),
    line("named in Connection", Nginx, "another fields", "RFC 9110, 7.6.1", "nginx passes on what `Connection` names"),
    line("target of another host", Nginx, "another host", "RFC 9112, 3.2.2", "the target overrides the field; nginx was told to pass the field on"),
    line("odd method", Nginx, "it refuses", "RFC 9110, 9.1", "nginx takes capitals, `_` and `-` alone"),
    line("empty host", Nginx, "it refuses", "RFC 9112, 3.2", "an empty Host is allowed; nginx refuses it"),
    line("odd escape", Nginx, "it refuses", "RFC 3986, 6", "nginx decodes the path to route by it, and refuses NUL, what is no escape, and what leaves the root"),
    line("server as a whole", Nginx, "it refuses", "RFC 9112, 3.2.4", "nginx has nothing to say for `OPTIONS *`"),
];

/// Of what the client sees.
#[rustfmt::skip]
pub const ANSWERS: &[Explained] = &[
    line("chunk end", Hyper, "cut for refused", "RFC 9112, 8", "hyper has sent the head when it sees the bad chunk; the proxy saw both at once"),
    line("chunk size overflow", Hyper, "cut for refused", "RFC 9112, 8", "as with a chunk's end"),
    line("folded line", Hyper, "cut for refused", "RFC 9112, 8", "as with a chunk's end: it is in the trailers"),
    line("cut off", Hyper, "refused for cut", "RFC 9112, 8", "hyper looks at the body before the head goes out, if it is there already"),
    line("another coding", Hyper, "the proxy refuses", "RFC 9112, 6.1", "the proxy knows chunked alone; the others drop the first coding, and the client gets what it cannot read"),
    line("another coding", Nginx, "the proxy refuses", "RFC 9112, 6.1", "as with hyper"),
    line("coding", Hyper, "the proxy refuses", "RFC 9112, 6.3", "hyper takes an answer without chunked at the end for one to the end of the connection"),
    line("coding", Nginx, "the proxy refuses", "RFC 9112, 6.3", "nginx does not look at codings that it does not know"),
    line("coding in HTTP/1.0", Nginx, "the proxy refuses", "RFC 9112, 6.1", "nginx does not look at the version"),
    line("length and coding", Hyper, "the proxy refuses", "RFC 9112, 6.3", "both at once may be an attempt at response splitting"),
    line("length and coding", Nginx, "the proxy refuses", "RFC 9112, 6.3", "as with hyper"),
    line("equal lengths", Hyper, "the proxy refuses", "RFC 9112, 6.3", "one length and no list"),
    line("equal lengths", Nginx, "the proxy refuses", "RFC 9112, 6.3", "nginx takes the last field, whatever the others say"),
    line("two lengths", Nginx, "the proxy refuses", "RFC 9112, 6.3", "nginx takes a list for the number that it begins with"),
    line("length", Nginx, "the proxy refuses", "RFC 9112, 6.3", "nginx takes what is no number for no length"),
    line("length overflow", Nginx, "the proxy refuses", "RFC 9110, 8.6", "as with what is no number"),
    line("bare LF", Hyper, "the proxy refuses", "RFC 9112, 2.2", "as in requests"),
    line("bare LF", Nginx, "the proxy refuses", "RFC 9112, 2.2", "as in requests"),
    line("bare CR", Nginx, "the proxy refuses", "RFC 9112, 2.2", "as in requests"),
    line("bare LF in chunks", Nginx, "the proxy refuses", "RFC 9112, 7.1", "as in requests"),
    line("chunk end", Nginx, "the proxy refuses", "RFC 9112, 7.1", "as in requests"),
    line("chunk size", Hyper, "the proxy refuses", "RFC 9112, 7.1", "as in requests"),
    line("chunk size", Nginx, "the proxy refuses", "RFC 9112, 7.1", "as in requests"),
    line("folded line", Nginx, "the proxy refuses", "RFC 9112, 5.2", "nginx does not look at trailers"),
    line("field without a colon", Nginx, "the proxy refuses", "RFC 9112, 5", "as in requests"),
    line("large head", Hyper, "the proxy refuses", "RFC 9112, 3", "limits differ"),
    line("large head", Nginx, "the proxy refuses", "RFC 9112, 3", "limits differ: nginx counts bytes and not fields"),
    line("large head", Nginx, "it refuses", "RFC 9112, 3", "limits differ: nginx's buffer for a service's head has 4 KiB"),
    line("large extension", Nginx, "the proxy refuses", "RFC 9112, 7.1.1", "as in requests"),
    line("many interim", Hyper, "the proxy refuses", "RFC 9110, 15.2", "the proxy takes a hundred interim answers before the final one; hyper any number"),
    line("many interim", Nginx, "cut for refused", "RFC 9110, 15.2", "nginx takes the first interim answer for the final one"),
    line("interim", Nginx, "it refuses", "RFC 9110, 15.2", "as with many"),
    line("cut off", Nginx, "the proxy refuses", "RFC 9110, 15.2", "as with many: an interim answer and nothing"),
    line("named in Connection", Nginx, "another answer", "RFC 9110, 7.6.1", "nginx passes on what `Connection` names"),
    line("control character", Nginx, "cut for refused", "RFC 9112, 4", "what is no status line is HTTP/0.9 to nginx, which passes it on as it is"),
    line("status line", Nginx, "cut for refused", "RFC 9112, 4", "as with control characters: HTTP/0.9"),
    line("status", Nginx, "cut for refused", "RFC 9110, 15", "nginx passes on any three digits"),
    line("status line", Nginx, "the proxy refuses", "RFC 9112, 4", "nginx takes any version, and what follows the digits"),
];

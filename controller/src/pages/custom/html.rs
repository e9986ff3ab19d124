//! A page's tags, as far as it takes to know where something stands. It finds what is in the way of a page that works;
//! what a page may do is the browser's to decide, by its policy.

use std::ops::Range;

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Between tags, or within `<title>` and `<textarea>`.
    Text(Range<usize>),
    /// Within `<style>`.
    Style(Range<usize>),
    Comment(Range<usize>),
    Start(Tag),
    End(Tag),
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: String,
    /// From `<` to `>`.
    pub(super) span: Range<usize>,
    /// Of its name.
    pub(super) word: Range<usize>,
    pub(super) attributes: Vec<Attribute>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    /// In lower case.
    pub(super) name: String,
    pub(super) span: Range<usize>,
    /// Without quotes; empty when there is none.
    pub(super) value: Range<usize>,
    pub(super) quoted: bool,
}

/// Something that does not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclosed {
    pub(super) what: &'static str,
    pub(super) span: Range<usize>,
}

/// The parts of a page, in order.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, Unclosed> {
    let mut parts = Vec::new();
    let (mut at, mut plain) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('<')) {
        let open = at + found;
        let rest = text.get(open..).unwrap_or_default();
        let next = rest.chars().nth(1).unwrap_or(' ');
        let is_tag = next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?');
        if !is_tag {
            at = open + 1;
            continue;
        }
        if open > plain {
            parts.push(Part::Text(plain..open));
        }
        let part = if rest.starts_with("<!--") {
            let end = find(text, open + 4, "-->", "a comment", open..open + 4)?;
            Part::Comment(open..end)
        } else if matches!(next, '!' | '?') {
            Part::Comment(open..find(text, open, ">", "a declaration", open..open + 2)?)
        } else {
            tag(text, open)?
        };
        let (end, raw) = match &part {
            Part::Comment(span) => (span.end, None),
            Part::Start(tag) if is_raw(&tag.name) => (tag.span.end, Some(tag.name.clone())),
            Part::Start(tag) | Part::End(tag) => (tag.span.end, None),
            Part::Text(span) | Part::Style(span) => (span.end, None),
        };
        let word = match &part {
            Part::Start(tag) => tag.word.clone(),
            _ => open..open,
        };
        parts.push(part);
        at = end;
        if let Some(name) = raw {
            let close = close(text, end, &name).ok_or(Unclosed { what: "a tag's text", span: word })?;
            let inside = end..close;
            parts.push(if name == "style" { Part::Style(inside) } else { Part::Text(inside) });
            at = close;
        }
        plain = at;
    }
    if text.len() > plain {
        parts.push(Part::Text(plain..text.len()));
    }
    Ok(parts)
}

/// Tags are none within these.
fn is_raw(name: &str) -> bool {
    matches!(name, "style" | "script" | "title" | "textarea")
}

fn find(
    text: &str,
    from: usize,
    end: &str,
    what: &'static str,
    span: Range<usize>,
) -> Result<usize, Unclosed> {
    let found = text.get(from..).and_then(|rest| rest.find(end));
    found.map(|found| from + found + end.len()).ok_or(Unclosed { what, span })
}

/// Where `</name` begins, in whatever case.
fn close(text: &str, from: usize, name: &str) -> Option<usize> {
    let wanted = format!("</{name}");
    let bytes = text.as_bytes().get(from..)?;
    let found =
        bytes.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))?;
    Some(from + found)
}

fn tag(text: &str, open: usize) -> Result<Part, Unclosed> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let skip = |mut at: usize, while_: &dyn Fn(u8) -> bool| {
        while byte(at).is_some_and(while_) {
            at += 1;
        }
        at
    };
    let lower = |span: &Range<usize>| text.get(span.clone()).unwrap_or_default().to_ascii_lowercase();
    let is_end = byte(open + 1) == Some(b'/');
    let start = open + 1 + usize::from(is_end);
    let word = start..skip(start, &|b| !b.is_ascii_whitespace() && b != b'>' && b != b'/');
    let mut at = word.end;
    let mut attributes = Vec::new();
    loop {
        at = skip(at, &|b| b.is_ascii_whitespace() || b == b'/');
        match byte(at) {
            None => return Err(Unclosed { what: "a tag", span: open..word.end }),
            Some(b'>') => break,
            Some(_) => {}
        }
        let name = at..skip(at + 1, &|b| !b.is_ascii_whitespace() && !matches!(b, b'=' | b'>' | b'/'));
        at = skip(name.end, &|b| b.is_ascii_whitespace());
        let (mut value, mut quoted) = (name.end..name.end, false);
        if byte(at) == Some(b'=') {
            at = skip(at + 1, &|b| b.is_ascii_whitespace());
            match byte(at) {
                Some(quote @ (b'"' | b'\'')) => {
                    quoted = true;
                    let end = skip(at + 1, &|b| b != quote);
                    if byte(end).is_none() {
                        return Err(Unclosed { what: "an attribute's value", span: name });
                    }
                    value = at + 1..end;
                    at = end + 1;
                }
                _ => {
                    value = at..skip(at, &|b| !b.is_ascii_whitespace() && b != b'>');
                    at = value.end;
                }
            }
        } else {
            at = name.end;
        }
        attributes.push(Attribute { name: lower(&name), span: name, value, quoted });
    }
    let tag = Tag { name: lower(&word), span: open..at + 1, word, attributes };
    Ok(if is_end { Part::End(tag) } else { Part::Start(tag) })
}

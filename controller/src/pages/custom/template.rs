//! A page with places for values.

use super::html::{self, Part, Tag};
use super::place::{KNOWN, Place, Value, places};
use super::rules;
use crate::pages::asset::hash;
use crate::pages::escape::Escaped;
use dormouse_manifests::Diagnostic;
use std::fmt::Write as _;
use std::ops::Range;

/// A page that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pages) struct Template {
    pieces: Vec<Piece>,
    /// Of its own styles.
    pub(in crate::pages) hashes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Value),
    /// Within `<html`: what the script must know.
    Now,
    /// After `<head>`.
    Head,
    /// Before `</body>`.
    Script,
}

/// What the places are filled with. Texts are escaped when they are; the rest is HTML.
#[derive(Debug)]
pub(in crate::pages) struct Filled<'a> {
    pub(in crate::pages) name: &'a str,
    pub(in crate::pages) title: &'a str,
    pub(in crate::pages) url: &'a str,
    pub(in crate::pages) live: &'a str,
    pub(in crate::pages) now: &'a str,
    pub(in crate::pages) head: &'a str,
    pub(in crate::pages) script: &'a str,
}

impl Template {
    /// Reads and checks a page.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(in crate::pages) fn parse(file: &str, text: &str) -> Result<Template, Vec<Diagnostic>> {
        let parts = html::parts(text).map_err(|unclosed| {
            let message = format!("{} does not end", unclosed.what);
            vec![Diagnostic::at(file, text, unclosed.span, message).label("it begins here")]
        })?;
        let mut page = Page { file, text, wrong: Vec::new(), cuts: Vec::new() };
        let mut hashes = Vec::new();
        for part in &parts {
            page.wrong.extend(rules::part(file, text, part));
            page.places(part);
            if let Part::Style(span) = part {
                hashes.push(hash(text.get(span.clone()).unwrap_or_default()));
            }
        }
        page.frame(&parts);
        let Page { wrong, mut cuts, .. } = page;
        if !wrong.is_empty() {
            return Err(wrong);
        }
        cuts.sort_by_key(|(span, _)| span.start);
        let mut pieces = Vec::new();
        let mut at = 0;
        for (span, piece) in cuts {
            pieces.push(Piece::Text(text.get(at..span.start).unwrap_or_default().to_owned()));
            pieces.push(piece);
            at = span.end;
        }
        pieces.push(Piece::Text(text.get(at..).unwrap_or_default().to_owned()));
        Ok(Template { pieces, hashes })
    }

    /// The page with its values.
    pub(in crate::pages) fn fill(&self, with: &Filled<'_>) -> String {
        let mut html = String::new();
        for piece in &self.pieces {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Text(text) => html.write_str(text),
                Piece::Value(Value::Name) => write!(html, "{}", Escaped(with.name)),
                Piece::Value(Value::Title) => write!(html, "{}", Escaped(with.title)),
                Piece::Value(Value::Url) => write!(html, "{}", Escaped(with.url)),
                Piece::Value(Value::Live) => html.write_str(with.live),
                Piece::Now => html.write_str(with.now),
                Piece::Head => html.write_str(with.head),
                Piece::Script => html.write_str(with.script),
            };
        }
        html
    }
}

struct Page<'a> {
    file: &'a str,
    text: &'a str,
    wrong: Vec<Diagnostic>,
    /// Where something is put in, and in place of what.
    cuts: Vec<(Range<usize>, Piece)>,
}

impl Page<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.file, self.text, span, message)
    }

    /// The places in a part, each where it may stand.
    fn places(&mut self, part: &Part) {
        match part {
            Part::Text(span) => self.take(span.clone(), true),
            Part::Style(span) => self.none(span.clone(), "a style is the same for all services"),
            Part::Start(tag) => {
                let quoted = |place: &Place<'_>| {
                    let holds =
                        |value: &Range<usize>| value.start <= place.span.start && place.span.end <= value.end;
                    tag.attributes.iter().any(|one| one.quoted && holds(&one.value))
                };
                let all = places(self.text, tag.span.clone());
                let outside = all.into_iter().filter(|place| !quoted(place)).map(|place| place.span);
                for span in outside.collect::<Vec<_>>() {
                    let diagnostic = self.error(span, "a value cannot stand here in a tag");
                    self.wrong.push(diagnostic.label("expected within quotes, as an attribute's value"));
                }
                for one in tag.attributes.iter().filter(|one| one.quoted) {
                    self.take(one.value.clone(), false);
                }
            }
            // Nobody sees them.
            Part::Comment(_) | Part::End(_) => {}
        }
    }

    fn none(&mut self, within: Range<usize>, why: &str) {
        for place in places(self.text, within) {
            let diagnostic = self.error(place.span, "a value cannot stand in a style");
            self.wrong.push(diagnostic.label(why));
        }
    }

    fn take(&mut self, within: Range<usize>, between_tags: bool) {
        for place in places(self.text, within) {
            let help = format!("the values are {KNOWN}; write `&#123;&#123;` for two braces");
            match place.word.map(|word| (word, Value::of(word))) {
                Some((_, Some(Value::Live))) if !between_tags => {
                    let diagnostic = self.error(place.span, "`{{ live }}` cannot stand in an attribute");
                    self.wrong.push(diagnostic.label("it is a part of the page: put it between tags"));
                }
                Some((_, Some(value))) => self.cuts.push((place.span, Piece::Value(value))),
                Some((word, None)) => {
                    let diagnostic = self.error(place.span, format!("there is no value `{word}`"));
                    self.wrong.push(diagnostic.label("not a value of a page").help(help));
                }
                None => {
                    let diagnostic = self.error(place.span, "`{{` does not end in its line");
                    self.wrong.push(diagnostic.label("expected `}}` after it").help(help));
                }
            }
        }
    }

    /// The tags that the built-in parts go by, and the one place of what is shown of the wake.
    fn frame(&mut self, parts: &[Part]) {
        let start =
            |name: &str| parts.iter().filter_map(move |part| named(part, name, true)).collect::<Vec<_>>();
        let end =
            |name: &str| parts.iter().filter_map(move |part| named(part, name, false)).collect::<Vec<_>>();
        for (tags, written) in
            [(start("html"), "<html>"), (start("head"), "<head>"), (end("body"), "</body>")]
        {
            let [tag] = tags.as_slice() else {
                let message = match tags.as_slice() {
                    [] => format!("the page has no `{written}`"),
                    _ => format!("the page has `{written}` more than once"),
                };
                let span = tags.get(1).map_or(0..0, |tag| tag.span.clone());
                let help =
                    "a page is `<!doctype html><html><head>…</head><body>… {{ live }} …</body></html>`";
                self.wrong.push(self.error(span, message).help(help));
                continue;
            };
            self.cuts.push(match written {
                "<html>" => (tag.word.end..tag.word.end, Piece::Now),
                "<head>" => (tag.span.end..tag.span.end, Piece::Head),
                _ => (tag.span.start..tag.span.start, Piece::Script),
            });
        }
        let live: Vec<Range<usize>> = self
            .cuts
            .iter()
            .filter(|(_, piece)| *piece == Piece::Value(Value::Live))
            .map(|(span, _)| span.clone())
            .collect();
        let head_ends = end("head").first().map_or(0, |tag| tag.span.end);
        match live.as_slice() {
            [one] if one.start >= head_ends => {}
            [one] => {
                let diagnostic = self.error(one.clone(), "`{{ live }}` cannot stand in the head");
                self.wrong.push(diagnostic.label("put it into the body"));
            }
            [] if self.wrong.is_empty() => {
                let diagnostic = self.error(0..0, "the page has no `{{ live }}`");
                let help = "put it where the steps of the wake are to be shown";
                self.wrong.push(diagnostic.label("nobody would see what goes on").help(help));
            }
            [] => {}
            [_, second, ..] => {
                let diagnostic = self.error(second.clone(), "`{{ live }}` stands in the page twice");
                self.wrong.push(diagnostic.label("the second one"));
            }
        }
    }
}

fn named<'a>(part: &'a Part, name: &str, start: bool) -> Option<&'a Tag> {
    match part {
        Part::Start(tag) if start && tag.name == name => Some(tag),
        Part::End(tag) if !start && tag.name == name => Some(tag),
        _ => None,
    }
}

//! What would not work in a page: its policy lets nothing act but the built-in script, and nothing come from elsewhere.

use super::html::{Attribute, Part, Tag};
use dormouse_manifests::Diagnostic;
use std::ops::Range;

/// Ids of what is shown of the wake.
const IDS: [&str; 7] = ["mark", "title", "lead", "pace", "steps", "trouble", "again"];
/// Elements that would do nothing, or something else than they say.
const ELEMENTS: [(&str, &str); 9] = [
    ("script", "no script but the built-in one runs in a page"),
    ("iframe", "nothing is framed in a page"),
    ("frame", "nothing is framed in a page"),
    ("object", "nothing comes from elsewhere"),
    ("embed", "nothing comes from elsewhere"),
    ("base", "the page has the address that was asked for"),
    ("form", "the only button is the built-in one, which tries again"),
    ("audio", "nothing is played in a page"),
    ("video", "nothing is played in a page"),
];
/// Attributes whose value is an address that is loaded.
const SOURCES: [&str; 6] = ["src", "srcset", "poster", "data", "background", "xlink:href"];

/// What a part has that would not work.
pub(super) fn part(file: &str, text: &str, part: &Part) -> Vec<Diagnostic> {
    match part {
        Part::Start(found) => tag(file, text, found),
        Part::Style(span) => style(file, text, span.clone()),
        Part::Text(_) | Part::Comment(_) | Part::End(_) => Vec::new(),
    }
}

fn tag(file: &str, text: &str, tag: &Tag) -> Vec<Diagnostic> {
    let name = tag.name.as_str();
    if let Some((_, why)) = ELEMENTS.iter().find(|(known, _)| *known == name) {
        let message = format!("`<{name}>` has no place in a page");
        return vec![Diagnostic::at(file, text, tag.word.clone(), message).label(*why)];
    }
    if name == "link" && value(text, tag, "rel").is_none_or(|rel| !rel.eq_ignore_ascii_case("icon")) {
        let diagnostic = Diagnostic::at(file, text, tag.word.clone(), "`<link>` is for the page's icon only");
        let help = "put styles into `<style>`, or into theme.css beside the page";
        return vec![diagnostic.label("nothing comes from elsewhere").help(help)];
    }
    let equivalent = tag.attributes.iter().find(|one| name == "meta" && one.name == "http-equiv");
    let meta = equivalent.map(|found| {
        let message = "`<meta http-equiv>` has no place in a page";
        Diagnostic::at(file, text, found.span.clone(), message)
            .label("the page has its headers, and asks again by itself")
    });
    meta.into_iter()
        .chain(tag.attributes.iter().filter_map(|found| attribute(file, text, name, found)))
        .collect()
}

fn value<'a>(text: &'a str, tag: &Tag, name: &str) -> Option<&'a str> {
    let found = tag.attributes.iter().find(|one| one.name == name)?;
    text.get(found.value.clone())
}

fn attribute(file: &str, text: &str, element: &str, found: &Attribute) -> Option<Diagnostic> {
    let name = found.name.as_str();
    let value = text.get(found.value.clone()).unwrap_or_default().trim();
    let lower = value.to_ascii_lowercase();
    let wrong = |span: &Range<usize>, message: String| Diagnostic::at(file, text, span.clone(), message);
    if name == "style" {
        let diagnostic = wrong(&found.span, "a `style` attribute does nothing in a page".to_owned());
        return Some(
            diagnostic
                .label("its policy knows styles by their hash")
                .help("give it a class, and a rule in `<style>`"),
        );
    }
    if name.starts_with("on") {
        let diagnostic = wrong(&found.span, format!("`{name}` does nothing in a page"));
        return Some(diagnostic.label("no script but the built-in one runs in a page"));
    }
    if name == "id" && IDS.contains(&value) {
        let diagnostic = wrong(&found.value, format!("the id `{value}` is taken"));
        return Some(diagnostic.label(format!("{{{{ live }}}} has the ids {}", IDS.join(", "))));
    }
    let leads = name == "href" && matches!(element, "a" | "area");
    if leads && lower.starts_with("javascript:") {
        let diagnostic = wrong(&found.value, "this link does nothing in a page".to_owned());
        return Some(diagnostic.label("no script but the built-in one runs in a page"));
    }
    let loads = SOURCES.contains(&name) || (name == "href" && !leads);
    if loads && !lower.starts_with("data:") && !value.starts_with('#') {
        let diagnostic = wrong(&found.value, format!("`{name}` of `<{element}>` is not within the page"));
        return Some(diagnostic.label("nothing comes from elsewhere").help("write it as a `data:` address"));
    }
    None
}

/// What a style has that would not work.
pub(super) fn style(file: &str, text: &str, within: Range<usize>) -> Vec<Diagnostic> {
    let css = text.get(within.clone()).unwrap_or_default().to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, word) in css.match_indices("@import").chain(css.match_indices("</")) {
        let span = within.start + at..within.start + at + word.len();
        let message = if word == "</" {
            "`</` ends a style".to_owned()
        } else {
            "`@import` does nothing in a page".to_owned()
        };
        found.push(Diagnostic::at(file, text, span, message).label("nothing comes from elsewhere"));
    }
    for (at, word) in css.match_indices("url(") {
        let address =
            css.get(at + word.len()..).unwrap_or_default().trim_start().trim_start_matches(['"', '\'']);
        if !address.starts_with("data:") && !address.starts_with('#') {
            let span = within.start + at..within.start + at + word.len();
            let diagnostic = Diagnostic::at(file, text, span, "`url(…)` is not within the page");
            found
                .push(diagnostic.label("nothing comes from elsewhere").help("write it as a `data:` address"));
        }
    }
    found
}

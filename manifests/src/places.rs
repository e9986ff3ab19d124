//! Places in a template's texts: `{name}` is the service's name, `{match}` what the `*` stands for. Doubled braces
//! stand for themselves: `{{name}}` is the text `{name}`.

use crate::read::Complaint;
use crate::suggest;

const PLACES: [&str; 2] = ["name", "match"];

/// What the places of a text are filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) name: &'a str,
    pub(crate) captured: &'a str,
}

/// A text with its places filled. What is filled in is not looked at again.
pub(crate) fn fill(text: &str, values: Values<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let taken = match word(rest) {
            Some((word, doubled @ true)) => {
                filled.push_str(&format!("{{{word}}}"));
                word.len() + braces(doubled)
            }
            Some((word, doubled @ false)) if PLACES.contains(&word) => {
                filled.push_str(if word == "name" { values.name } else { values.captured });
                word.len() + braces(doubled)
            }
            _ => {
                filled.push('{');
                1
            }
        };
        rest = &rest[taken..];
    }
    filled.push_str(rest);
    filled
}

/// A place that there is not.
pub(crate) fn check(text: &str) -> Result<(), Complaint> {
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        rest = &rest[start..];
        let Some((word, doubled)) = word(rest) else {
            rest = &rest[1..];
            continue;
        };
        if !doubled && !PLACES.contains(&word) {
            let complaint =
                Complaint::new(format!("there is no place `{{{word}}}`"), "not a place of a template");
            let near = suggest::nearest(word, PLACES).map(|near| format!("did you mean `{{{near}}}`?"));
            let mut complaint = near.into_iter().fold(complaint, Complaint::help);
            complaint = complaint
                .help("the places are `{name}`, the service's name, and `{match}`, what the `*` stands for");
            return Err(complaint.help(format!("write `{{{{{word}}}}}` for the text `{{{word}}}`")));
        }
        rest = &rest[word.len() + braces(doubled)..];
    }
    Ok(())
}

/// The word in braces that a text begins with, and whether they are doubled. JSON and the like in a value are none.
fn word(text: &str) -> Option<(&str, bool)> {
    let inner = text.strip_prefix('{')?;
    let (inner, doubled) = inner.strip_prefix('{').map_or((inner, false), |inner| (inner, true));
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (word, after) = inner.split_at(end);
    let closed = if doubled { after.starts_with("}}") } else { after.starts_with('}') };
    (closed && word.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((word, doubled))
}

const fn braces(doubled: bool) -> usize {
    if doubled { 4 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::{Values, check, fill};

    #[test]
    fn only_places_are_filled() {
        for (text, expected) in [
            ("", ""),
            ("{name}", "preview-42"),
            ("a:{match}.{name}!", "a:42.preview-42!"),
            ("{{name}} {{other}}", "{name} {other}"),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            ("{ name }", "{ name }"),
            ("{", "{"),
            ("{{", "{{"),
            ("{name", "{name"),
            ("é{match}é", "é42é"),
            ("{{{match}}}", "{{match}}"),
        ] {
            assert_eq!(fill(text, Values { name: "preview-42", captured: "42" }), expected, "{text}");
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        assert_eq!(fill("{name}", Values { name: "{match}", captured: "x" }), "{match}");
    }

    #[test]
    fn a_place_that_there_is_not_is_a_mistake() {
        for (text, fine) in [
            ("{name}{match}", true),
            ("{nmae}", false),
            ("{Match}", false),
            ("{name}{branch}", false),
            ("{{branch}}", true),
            (r#"{"name": 1}"#, true),
            ("${HOME}", false),
            ("{1}", true),
            ("{}", true),
        ] {
            assert_eq!(check(text).is_ok(), fine, "{text}");
        }
        let words = check("{nmae}").unwrap_err();
        assert_eq!(words.help[0], "did you mean `{name}`?");
        assert_eq!(words.help[2], "write `{{nmae}}` for the text `{nmae}`");
    }
}

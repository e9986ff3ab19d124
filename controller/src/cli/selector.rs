//! Label selectors, as `kubectl` users write them: `team=web,tier!=test,env in (a, b),owner,!legacy`.

use std::collections::{BTreeMap, BTreeSet};

/// What is accepted, in words.
const ACCEPTED: &str =
    "give KEY, !KEY, KEY=VALUE, KEY!=VALUE, KEY in (A, B) or KEY notin (A, B), with commas between several";

/// Requirements; all of them have to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Has(String),
    HasNot(String),
    In(String, BTreeSet<String>),
    /// Also true of what does not have the label.
    NotIn(String, BTreeSet<String>),
}

impl Selector {
    /// Reads a selector.
    pub(super) fn parse(text: &str) -> Result<Selector, String> {
        let requirements = parts(text).into_iter().map(|part| {
            requirement(part.trim())
                .ok_or_else(|| format!("{:?} is no condition on labels: {ACCEPTED}", part.trim()))
        });
        requirements.collect::<Result<_, _>>().map(Selector)
    }

    /// Whether these labels meet it.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Has(key) => labels.contains_key(key),
            Requirement::HasNot(key) => !labels.contains_key(key),
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
        })
    }
}

/// Split at commas that stand in no parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut inside = false;
    text.split(|c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    })
    .collect()
}

fn requirement(text: &str) -> Option<Requirement> {
    if let Some(key) = text.strip_prefix('!') {
        return word(key).map(Requirement::HasNot);
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Requirement::NotIn(word(key)?, [value_of(value)?].into()));
    }
    if let Some((key, value)) = text.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Some(Requirement::In(word(key)?, [value_of(value)?].into()));
    }
    if let Some((before, values)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let values = values.split(',').map(value_of).collect::<Option<_>>()?;
        let (key, verb) = before.trim().rsplit_once(char::is_whitespace)?;
        return match verb {
            "in" => Some(Requirement::In(word(key)?, values)),
            "notin" => Some(Requirement::NotIn(word(key)?, values)),
            _ => None,
        };
    }
    word(text).map(Requirement::Has)
}

/// A key: something, and nothing that means something else here.
fn word(text: &str) -> Option<String> {
    let text = text.trim();
    let means_something = |c: char| c.is_whitespace() || "()=!,".contains(c);
    (!text.is_empty() && !text.contains(means_something)).then(|| text.to_owned())
}

/// A value, which may be empty.
fn value_of(text: &str) -> Option<String> {
    if text.trim().is_empty() { Some(String::new()) } else { word(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_selects_what_it_says() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let all = [
            labels(&[]),
            labels(&[("team", "web")]),
            labels(&[("team", "web"), ("tier", "front")]),
            labels(&[("team", "data"), ("tier", "")]),
        ];
        for (text, selected) in [
            ("team", &[1, 2, 3][..]),
            ("!team", &[0]),
            ("team=web", &[1, 2]),
            (" team == web ", &[1, 2]),
            ("team!=web", &[0, 3]),
            ("team in (web, data)", &[1, 2, 3]),
            ("team in(web)", &[1, 2]),
            ("team notin (web,other)", &[0, 3]),
            ("team=web,tier", &[2]),
            ("team in (web, data), tier!=front", &[1, 3]),
            ("tier=", &[3]),
            ("tier in ()", &[3]),
        ] {
            let selector = Selector::parse(text).unwrap();
            let found: Vec<usize> = (0..all.len()).filter(|at| selector.matches(&all[*at])).collect();
            assert_eq!(found, selected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_what_is_accepted() {
        for (text, part) in [
            ("", "\"\""),
            ("team=web,", "\"\""),
            ("=web", "\"=web\""),
            ("a b", "\"a b\""),
            ("a=b=c", "\"a=b=c\""),
            ("a in b", "\"a in b\""),
            ("a within (b)", "\"a within (b)\""),
            ("a in (b", "\"a in (b\""),
            ("!", "\"!\""),
            ("!a=b", "\"!a=b\""),
        ] {
            let why = Selector::parse(text).unwrap_err();
            assert!(
                why.starts_with(&format!("{part} is no condition on labels: give KEY, ")),
                "{text}: {why}"
            );
        }
    }
}

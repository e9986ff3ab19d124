//! Places for values: which there are, and where each may stand.

use std::ops::Range;

/// What stands in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// The service's name.
    Name,
    /// What its manifest calls it, or else its name.
    Title,
    /// Its address.
    Url,
    /// What is shown of the wake, kept up to date.
    Live,
}

impl Value {
    const ALL: [(&'static str, Value); 4] =
        [("name", Value::Name), ("title", Value::Title), ("url", Value::Url), ("live", Value::Live)];

    /// By its word.
    pub(super) fn of(word: &str) -> Option<Value> {
        Value::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, value)| value)
    }
}

/// All of them, as they are written.
pub(super) const KNOWN: &str = "{{ name }}, {{ title }}, {{ url }} and {{ live }}";

/// `{{ word }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) span: Range<usize>,
    /// `None`: it does not end.
    pub(super) word: Option<&'a str>,
}

/// Every place within a part of a text.
pub(super) fn places(text: &str, within: Range<usize>) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    let mut at = within.start;
    while let Some(open) = text.get(at..within.end).and_then(|rest| rest.find("{{")).map(|open| at + open) {
        let rest = text.get(open + 2..within.end).unwrap_or_default();
        // Neither lines nor other places are within one.
        let ends = [rest.find('\n'), rest.find("{{")].into_iter().flatten().min();
        let line = ends.map_or(rest, |end| rest.get(..end).unwrap_or_default());
        let close = line.find("}}");
        let word = close.and_then(|close| line.get(..close)).map(str::trim);
        let end = close.map_or(open + 2, |close| open + 2 + close + 2);
        found.push(Place { span: open..end, word });
        at = end;
    }
    found
}

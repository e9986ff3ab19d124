//! What a PromQL expression selects, and what it groups by. As much of the language as is used here.

/// A metric's name, and the labels that are asked for with `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub name: String,
    pub labels: Vec<(String, String)>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub selectors: Vec<Selector>,
    /// Labels of `by (…)`.
    pub groups: Vec<String>,
}

/// Words that are no metric's name.
const WORDS: [&str; 9] = ["and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool"];

/// Reads an expression.
pub fn read(expression: &str) -> Query {
    let mut query = Query::default();
    let mut rest = expression;
    let mut last = "";
    while let Some(first) = rest.chars().next() {
        if first == '[' {
            // A range: durations and Grafana's variables.
            rest = after(rest, ']');
        } else if first == '{' {
            let (inside, next) = (between(rest, '{', '}'), after(rest, '}'));
            let labels = inside.split(',').filter_map(|one| one.split_once('='));
            let labels =
                labels.map(|(name, value)| (name.trim().to_owned(), value.trim_matches('"').to_owned()));
            query.selectors.last_mut().expect("a name stands before the labels").labels = labels.collect();
            rest = next;
        } else if first == '(' && ["by", "without", "on", "ignoring"].contains(&last) {
            query.groups.extend(between(rest, '(', ')').split(',').map(|one| one.trim().to_owned()));
            (rest, last) = (after(rest, ')'), "");
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
            let (word, next) = rest.split_at(end.unwrap_or(rest.len()));
            let called = next.trim_start().starts_with('(');
            // `sum by (…)`: what stands before such a word is a function, too.
            let grouped =
                ["by", "without"].iter().any(|by| next.trim_start().starts_with(&format!("{by} (")));
            if !WORDS.contains(&word) && !called && !grouped {
                query.selectors.push(Selector { name: word.to_owned(), labels: Vec::new() });
            }
            (rest, last) = (next, word);
        } else {
            if !first.is_whitespace() {
                last = "";
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    query
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

fn between(text: &str, open: char, close: char) -> &str {
    text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(inside, _)| inside)
}

#[test]
fn names_and_groups_are_found() {
    let selector = |name: &str, labels: &[(&str, &str)]| Selector {
        name: name.into(),
        labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    for (expression, selectors, groups) in [
        ("absent(a_b)", vec![selector("a_b", &[])], vec![]),
        (
            "60 * sum by (x, y) (rate(a_total[$__rate_interval]))",
            vec![selector("a_total", &[])],
            vec!["x", "y"],
        ),
        (
            "max(a{p=\"q\"}) >= max(b) and c > 0",
            vec![selector("a", &[("p", "q")]), selector("b", &[]), selector("c", &[])],
            vec![],
        ),
        ("min_over_time(max(a)[15m:1m]) > 0", vec![selector("a", &[])], vec![]),
    ] {
        let found = read(expression);
        assert_eq!(
            (found.selectors, found.groups),
            (selectors, groups.iter().map(|one| (*one).into()).collect())
        );
    }
}

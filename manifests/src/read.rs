//! Reading typed values from nodes. What is wrong is written down, and reading goes on.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::fields::{self, Section};
use crate::node::{Entry, Node, Plain, Value, plain, shorten};
use crate::places::{self, Values};
use crate::source::Source;
use crate::suggest;

/// Why a value is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Vec<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>, label: impl Into<String>) -> Complaint {
        Complaint { message: message.into(), label: label.into(), help: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Complaint {
        self.help.push(help.into());
        self
    }
}

/// The diagnostics of a document so far.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Arc<Source>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// In a template: what to fill the places of texts with to check them.
    places: Option<Values<'a>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Arc<Source>) -> Reader<'a> {
        Reader { source, diagnostics: Vec::new(), places: None }
    }

    /// Reads something whose texts have places; they are checked as filled with these values.
    pub(crate) fn with_places<T>(
        &mut self,
        values: Values<'_>,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let diagnostics = std::mem::take(&mut self.diagnostics);
        let mut reader = Reader { source: self.source, diagnostics, places: Some(values) };
        let read = read(&mut reader);
        self.diagnostics = reader.diagnostics;
        read
    }

    fn diagnostic(&self, severity: Severity, at: &Range<usize>, why: Complaint) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(severity, self.source, at.clone(), why.message).label(why.label);
        diagnostic.help = why.help;
        diagnostic
    }

    pub(crate) fn error(&mut self, at: &Range<usize>, why: Complaint) {
        let diagnostic = self.diagnostic(Severity::Error, at, why);
        self.diagnostics.push(diagnostic);
    }

    pub(crate) fn warning(&mut self, at: &Range<usize>, why: Complaint) {
        let diagnostic = self.diagnostic(Severity::Warning, at, why);
        self.diagnostics.push(diagnostic);
    }

    /// An error that two places have part in.
    pub(crate) fn error_beside(
        &mut self,
        at: &Range<usize>,
        why: Complaint,
        other: &Range<usize>,
        label: &str,
    ) {
        let diagnostic = self.diagnostic(Severity::Error, at, why);
        self.diagnostics.push(diagnostic.related(other.clone(), label));
    }

    /// The entries of a mapping with known fields; unknown ones are reported.
    pub(crate) fn section<'n>(&mut self, node: &'n Node, section: &Section) -> Fields<'n> {
        let entries = self.entries(node, section.path);
        for entry in entries {
            if !section.fields.contains(&entry.key.as_str()) {
                self.unknown(entry, section);
            }
        }
        Fields::of(entries)
    }

    fn unknown(&mut self, entry: &Entry, section: &Section) {
        let key = shorten(&entry.key);
        let mut complaint = Complaint::new(
            format!("unknown field `{key}` in {}", section.title()),
            format!("not a field of {}", section.title()),
        );
        let near = suggest::nearest(&entry.key, section.fields.iter().copied());
        if let Some(near) = near {
            complaint = complaint.help(format!("did you mean `{near}`?"));
        } else if let Some(home) = fields::home_of(&entry.key) {
            complaint = complaint.help(format!("`{key}` is a field of {}", home.title()));
        } else if entry.key == "<<" {
            complaint = complaint.help("merge keys are not part of YAML 1.2; write the fields out");
        }
        complaint = complaint.help(format!("its fields are {}", list(section.fields)));
        self.error(&entry.key_span, complaint);
    }

    /// The entries of a mapping.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, field: &str) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            _ => {
                self.mismatch(node, field, "a mapping", None);
                &[]
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, field: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Scalar { text, .. } if !node.is_null() => {
                let help = format!("write `[{}]`", shorten(text));
                self.mismatch(node, field, "a list", Some(help));
                &[]
            }
            _ => {
                self.mismatch(node, field, "a list", None);
                &[]
            }
        }
    }

    /// The value is of another type than the field.
    pub(crate) fn mismatch(&mut self, node: &Node, field: &str, accepted: &str, help: Option<String>) {
        let found = node.describe();
        let mut complaint = Complaint::new(
            format!("`{field}` must be {accepted}, not {found}"),
            format!("expected {accepted}"),
        );
        complaint.help.extend(help);
        if node.is_null() {
            complaint = complaint.help("without a value, leave the field out");
        }
        self.error(&node.span, complaint);
    }

    /// A text. Numbers and booleans are not: what they become would depend on who reads them.
    pub(crate) fn text(&mut self, node: &Node, field: &str) -> Option<String> {
        match &node.value {
            Value::Scalar { text, quoted } if *quoted || plain(text) == Plain::Text => Some(text.clone()),
            Value::Scalar { text, .. } if !node.is_null() => {
                let help = format!("quote it: \"{}\"", shorten(text));
                self.mismatch(node, field, "a text", Some(help));
                None
            }
            _ => {
                self.mismatch(node, field, "a text", None);
                None
            }
        }
    }

    /// A text that a function accepts.
    pub(crate) fn checked(
        &mut self,
        node: &Node,
        field: &str,
        check: impl FnOnce(&str) -> Result<(), Complaint>,
    ) -> Option<String> {
        let text = self.text(node, field)?;
        let Some(values) = self.places else { return self.accept(node, check(&text)).map(|()| text) };
        let filled = places::check(&text).and_then(|()| check(&places::fill(&text, values)));
        self.accept(node, filled).map(|()| text)
    }

    /// A scalar of whatever type that a function reads, for texts that look like numbers.
    pub(crate) fn parsed<T>(
        &mut self,
        node: &Node,
        field: &str,
        accepted: &str,
        parse: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        match &node.value {
            Value::Scalar { text, .. } if !node.is_null() => self.accept(node, parse(text)),
            _ => {
                self.mismatch(node, field, accepted, None);
                None
            }
        }
    }

    pub(crate) fn accept<T>(&mut self, node: &Node, result: Result<T, Complaint>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(complaint) => {
                self.error(&node.span, complaint);
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, node: &Node, field: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let accepted = format!("a whole number from {} to {}", range.start(), range.end());
        let (text, quoted) = match &node.value {
            Value::Scalar { text, quoted } => (text, *quoted),
            _ => {
                self.mismatch(node, field, &accepted, None);
                return None;
            }
        };
        if !quoted && plain(text) == Plain::Integer {
            let number = text.parse::<u32>().ok().filter(|n| range.contains(n));
            if number.is_none() {
                let complaint = Complaint::new(
                    format!("`{field}` cannot be {}", shorten(text)),
                    format!("expected {accepted}"),
                );
                self.error(&node.span, complaint);
            }
            return number;
        }
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let help = match (quoted, digits.as_str()) {
            (_, "") => None,
            (true, digits) if digits == text => Some(format!("remove the quotes: {digits}")),
            (_, digits) => Some(format!("write the number alone, such as {digits}")),
        };
        self.mismatch(node, field, &accepted, help);
        None
    }

    pub(crate) fn boolean(&mut self, node: &Node, field: &str) -> Option<bool> {
        if let Value::Scalar { text, quoted } = &node.value {
            if let (Plain::Boolean(value), false) = (plain(text), *quoted) {
                return Some(value);
            }
            let meant = match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => Some("write `true`"),
                "no" | "off" | "n" | "false" => Some("write `false`"),
                _ => None,
            };
            let help = meant.map(str::to_owned);
            self.mismatch(node, field, "`true` or `false`", help);
        } else {
            self.mismatch(node, field, "`true` or `false`", None);
        }
        None
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, field: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, field)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let mut complaint = Complaint::new(
            format!("`{field}` cannot be `{}`", shorten(&text)),
            format!("expected {}", join(&names, "or")),
        );
        if let Some(near) = suggest::nearest(&text, names) {
            complaint = complaint.help(format!("did you mean `{near}`?"));
        }
        self.error(&node.span, complaint);
        None
    }

    /// A list of texts.
    pub(crate) fn texts(
        &mut self,
        node: &Node,
        field: &str,
        check: impl Fn(&str) -> Result<(), Complaint>,
    ) -> Vec<String> {
        let items = self.items(node, field);
        items.iter().filter_map(|item| self.checked(item, field, &check)).collect()
    }

    /// A mapping of texts with free keys.
    pub(crate) fn text_map(
        &mut self,
        node: &Node,
        field: &str,
        check_key: impl Fn(&str) -> Result<(), Complaint>,
        check_value: impl Fn(&str) -> Result<(), Complaint>,
    ) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for entry in self.entries(node, field) {
            if let Err(complaint) = check_key(&entry.key) {
                self.error(&entry.key_span, complaint);
            }
            let name = format!("{field}.{}", shorten(&entry.key));
            if let Some(value) = self.checked(&entry.node, &name, &check_value) {
                map.insert(entry.key.clone(), value);
            }
        }
        map
    }
}

/// The entries of one mapping, by name.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    pub(crate) fn of(entries: &'n [Entry]) -> Fields<'n> {
        Fields { entries }
    }

    /// Where the mapping starts, as far as a reader sees it.
    pub(crate) fn first_key_span(&self) -> Option<Range<usize>> {
        self.entries.first().map(|entry| entry.key_span.clone())
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.node)
    }

    /// Reads a field into its place, when it is there and right.
    pub(crate) fn read<T>(&self, name: &str, slot: &mut T, read: impl FnOnce(&'n Node) -> Option<T>) {
        if let Some(value) = self.get(name).and_then(read) {
            *slot = value;
        }
    }
}

/// `a`, `b` and `c`.
fn list(names: &[&str]) -> String {
    join(names, "and")
}

/// `a`, `b` or `c`: with `word` in front of the last.
pub(crate) fn join(names: &[&str], word: &str) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} {word} `{last}`", first.join(", "))
        }
    }
}

//! YAML: events to trees, and values to text. The only file that knows the YAML library.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use serde::Serialize;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag, options};

use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Node, Value, shorten};
use crate::source::Source;

/// A document larger than this is no manifest.
const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Aliases count as what they stand for: this bounds the documents that grow by them.
const MAX_NODES: usize = 20_000;
/// Deeper than any manifest; bounds the recursion over trees.
const MAX_DEPTH: usize = 64;

/// One document of a text: the tree if there is one, and what is wrong with its YAML.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) root: Option<Node>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A value could not be written as YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be written as YAML: {0}")]
pub struct WriteError(String);

/// Writes a service, or anything around one, as a YAML document.
///
/// # Errors
/// When the value has no form in YAML; a service always has.
pub fn to_yaml(value: &impl Serialize) -> Result<String, WriteError> {
    serde_yaml::to_string(value).map_err(|error| WriteError(error.to_string()))
}

/// Hands over every document, until `each` breaks; a broken one ends at the next `---`.
pub(crate) fn documents(source: &Arc<Source>, mut each: impl FnMut(Document) -> ControlFlow<()>) {
    let mut parser = Parser::new_from_str_with_options(
        &source.text,
        options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        },
    );
    let mut builder = Builder::new(source, 0);
    loop {
        let flow = match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Err(error)) => builder.syntax(&error),
            Some(Ok((Event::DocumentStart(..), span))) => {
                builder = Builder::new(source, bytes(&span).start);
                ControlFlow::Continue(())
            }
            Some(Ok((Event::DocumentEnd, _))) => {
                let whole = std::mem::replace(&mut builder, Builder::new(source, 0));
                if each(whole.finish()).is_break() {
                    break;
                }
                ControlFlow::Continue(())
            }
            Some(Ok((event, span))) => builder.event(event, &span),
        };
        if flow.is_break() {
            let broken = std::mem::replace(&mut builder, Builder::new(source, 0));
            if each(broken.finish()).is_break() || !parser.proceed_next_document().unwrap_or(false) {
                break;
            }
        }
    }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

/// A collection that is not closed yet.
struct Frame {
    start: usize,
    anchor: usize,
    open: Open,
}

enum Open {
    List(Vec<Node>),
    Map(Vec<Entry>, Key),
}

/// The key that waits for its value.
enum Key {
    None,
    Some(String, Range<usize>),
    /// Complained about already: its value is dropped.
    Bad,
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    start: usize,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    document: Document,
    failed: bool,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>, start: usize) -> Builder<'a> {
        Builder {
            source,
            start,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            document: Document::default(),
            failed: false,
        }
    }

    fn finish(mut self) -> Document {
        if self.failed {
            self.document.root = None;
        }
        self.document
    }

    /// Makes the document unusable; it is read on, to find what else is wrong.
    fn fail(&mut self, span: Range<usize>, message: impl Into<String>, label: impl Into<String>) {
        self.failed = true;
        let error = Diagnostic::error(self.source, span, message).label(label);
        self.document.diagnostics.push(error);
    }

    /// Breaks when the rest of the document is not to be read.
    fn event(&mut self, event: Event<'_>, place: &Span) -> ControlFlow<()> {
        let span = bytes(place);
        if span.end.saturating_sub(self.start) > MAX_DOCUMENT_BYTES {
            self.fail(self.start..self.start, "the document is too large", "more than 1 MiB from here on");
            return ControlFlow::Break(());
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tagged_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                self.tag(tag.as_deref(), place);
                let value = Value::Scalar {
                    text: text.into_owned(),
                    quoted: style != ScalarStyle::Plain || tagged_text,
                };
                self.close(Node { span, value }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), place);
                self.open(span.start, anchor, Open::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), place);
                self.open(span.start, anchor, Open::Map(Vec::new(), Key::None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else {
                    return ControlFlow::Continue(());
                };
                let value = match frame.open {
                    Open::List(items) => Value::List(items),
                    Open::Map(entries, _) => {
                        self.duplicates(&entries);
                        Value::Map(entries)
                    }
                };
                let span = frame.start..span.end.max(frame.start);
                self.close(Node { span, value }, frame.anchor)
            }
            Event::Alias(id) => self.alias(id, span),
            _ => ControlFlow::Continue(()),
        }
    }

    fn open(&mut self, start: usize, anchor: usize, open: Open) -> ControlFlow<()> {
        self.stack.push(Frame { start, anchor, open });
        if self.stack.len() > MAX_DEPTH {
            return self.too_much(start..start);
        }
        ControlFlow::Continue(())
    }

    /// A complete node: remembered for aliases, and put where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> ControlFlow<()> {
        self.nodes += 1;
        if anchor != 0 {
            // What an anchor keeps counts too: nested anchors keep the same values many times.
            self.nodes = self.nodes.saturating_add(node.size());
            self.anchors.insert(anchor, node.clone());
        }
        if self.nodes > MAX_NODES {
            return self.too_much(node.span);
        }
        self.place(node);
        ControlFlow::Continue(())
    }

    fn place(&mut self, mut node: Node) {
        let (entries, key) = match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => {
                self.document.root = Some(node);
                return;
            }
            Some(Open::List(items)) => {
                items.push(node);
                return;
            }
            Some(Open::Map(entries, key)) => (entries, key),
        };
        match (std::mem::replace(key, Key::None), node.value) {
            (Key::Some(name, key_span), value) => {
                node.value = value;
                // Nothing has no place of its own: its key's is the one to show.
                if node.span.is_empty() && node.is_null() {
                    node.span = key_span.clone();
                }
                entries.push(Entry { key: name, key_span, node });
            }
            (Key::None, Value::Scalar { text, .. }) => *key = Key::Some(text, node.span),
            (Key::None, Value::List(_) | Value::Map(_)) => {
                *key = Key::Bad;
                self.fail(node.span, "a key must be a text", "a list or a mapping as a key");
            }
            (Key::Bad, _) => {}
        }
    }

    fn too_much(&mut self, span: Range<usize>) -> ControlFlow<()> {
        self.fail(
            span,
            "the document has too many values",
            format!("more than {MAX_NODES} of them, or {MAX_DEPTH} levels; an alias counts as what it names"),
        );
        ControlFlow::Break(())
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> ControlFlow<()> {
        let Some(node) = self.anchors.get(&id) else {
            self.fail(span, "an alias cannot stand inside its own anchor", "this never ends");
            return ControlFlow::Break(());
        };
        let nodes = self.nodes.saturating_add(node.size());
        if nodes > MAX_NODES || self.stack.len() + node.height() > MAX_DEPTH {
            return self.too_much(span);
        }
        let node = node.clone();
        self.nodes = nodes;
        self.place(node);
        ControlFlow::Continue(())
    }

    fn tag(&mut self, tag: Option<&Tag>, place: &Span) {
        if let Some(tag) = tag.filter(|tag| tag.is_custom()) {
            let name = shorten(&tag.original());
            let span = bytes(&place.tag_span().unwrap_or(*place));
            self.fail(span, format!("the tag `{name}` has no meaning here"), "remove it");
        }
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let mut seen: HashMap<&str, &Range<usize>> = HashMap::new();
        let mut reported = HashSet::new();
        for entry in entries {
            let Some(first) = seen.get(entry.key.as_str()) else {
                seen.insert(&entry.key, &entry.key_span);
                continue;
            };
            self.failed = true;
            if reported.insert(&entry.key) {
                let key = shorten(&entry.key);
                self.document.diagnostics.push(
                    Diagnostic::error(
                        self.source,
                        entry.key_span.clone(),
                        format!("the key `{key}` is given twice"),
                    )
                    .label("the second time")
                    .related((*first).clone(), "the first time"),
                );
            }
        }
    }

    fn syntax(&mut self, error: &ScanError) -> ControlFlow<()> {
        let offset = error.marker().byte_offset().unwrap_or(0);
        let at = self.source.clip(offset..offset).start;
        let start = self.source.lines(at..at).start;
        let line = self.source.text.get(start..).unwrap_or("");
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..blanks).and_then(|blanks| blanks.find('\t')) {
            let tab = start + tab;
            self.fail(tab..tab + 1, "a tab cannot indent YAML", "a tab");
            if let Some(error) = self.document.diagnostics.last_mut() {
                error.help.push("indent with spaces".to_owned());
            }
        } else {
            let width = self.source.text.get(at..).and_then(|rest| rest.chars().next());
            self.fail(
                at..at + width.map_or(0, char::len_utf8),
                format!("invalid YAML: {}", error.kind()),
                "it cannot be read from here on",
            );
        }
        ControlFlow::Break(())
    }
}

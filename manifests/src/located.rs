//! A value together with the place it was read from.

use std::ops::Range;
use std::sync::Arc;

use crate::source::Source;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The name that the text was given under.
    pub file: String,
    /// Line of its name, from 1 on.
    pub line: usize,
    /// Column of its name, in characters, from 1 on.
    pub column: usize,
    pub(crate) source: Arc<Source>,
    pub(crate) spans: Spans,
}

/// The places that checks across services point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) name: Range<usize>,
    /// In the order of the spec's own list.
    pub(crate) depends_on: Vec<Range<usize>>,
    /// Of a template: its `match`.
    pub(crate) pattern: Option<Range<usize>>,
}

impl<T> Located<T> {
    pub(crate) fn new(value: T, source: &Arc<Source>, spans: Spans) -> Located<T> {
        let (line, column) = source.position(spans.name.start);
        Located { value, file: source.name.clone(), line, column, source: Arc::clone(source), spans }
    }
}

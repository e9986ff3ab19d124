//! A text with the name it came under, and places in it.

use std::ops::Range;
use std::sync::Arc;

/// A file's (or the standard input's) text; shared by everything that points into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Where lines start: positions are asked for often, and texts are long.
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let text = text.into();
        let newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        Arc::new(Source { name: name.into(), text, lines })
    }

    /// Puts a span inside the text, on the borders of characters, and cuts it at the end of its
    /// first line: a caret under the start of a list says more than one under all of it.
    pub(crate) fn clip(&self, span: Range<usize>) -> Range<usize> {
        let start = floor(&self.text, span.start);
        let mut end = floor(&self.text, span.end.max(start));
        if let Some(line) = self.text.get(start..end)
            && let Some(newline) = line.find(['\n', '\r'])
        {
            end = start + newline;
        }
        start..end
    }

    /// Line and column (in characters) of a byte, both from 1 on.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor(&self.text, offset);
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied();
        let before = self.text.get(start.unwrap_or(0)..offset).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// The lines that a span touches, as a span.
    pub(crate) fn lines(&self, span: Range<usize>) -> Range<usize> {
        let before = self.text.get(..span.start).unwrap_or("");
        let after = self.text.get(span.end..).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(self.text.len(), |newline| span.end + newline);
        start..end
    }
}

fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset.min(text.len()))
}

//! What is wrong with a manifest, where, and what would be right; drawn as rustc draws it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::source::Source;

/// Whether the document can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, though it may not do what was meant.
    Warning,
}

/// One complaint about one place. [`fmt::Display`] draws it without colours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The name that the text was given under.
    pub file: String,
    /// From 1 on; 0 when it is about the file as a whole.
    pub line: usize,
    /// In characters, from 1 on; 0 when it is about the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What the caret says.
    pub label: String,
    /// What would be right.
    pub help: Vec<String>,
    #[serde(skip)]
    span: Range<usize>,
    #[serde(skip)]
    related: Option<(Range<usize>, String)>,
    #[serde(skip)]
    source: Option<Arc<Source>>,
}

impl Diagnostic {
    pub(crate) fn new(
        severity: Severity,
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let span = source.clip(span);
        let (line, column) = source.position(span.start);
        Diagnostic {
            severity,
            file: source.name.clone(),
            line,
            column,
            message: message.into(),
            label: String::new(),
            help: Vec::new(),
            span,
            related: None,
            source: Some(Arc::clone(source)),
        }
    }

    pub(crate) fn error(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, source, span, message)
    }

    /// About a file as a whole: there is no line to show.
    pub(crate) fn whole_file(
        severity: Severity,
        file: impl Into<String>,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            label: String::new(),
            help: Vec::new(),
            span: 0..0,
            related: None,
            source: None,
        }
    }

    /// An error at a place of some text: `span` is a range of its bytes.
    pub fn at(
        file: impl Into<String>,
        text: &str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(&Source::new(file, text), span, message)
    }

    /// An error of a file as a whole.
    pub fn about(file: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::whole_file(Severity::Error, file, message)
    }

    /// With what the caret says.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }

    /// A second place in the same text, such as the first of two.
    pub(crate) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        if let Some(source) = &self.source {
            self.related = Some((source.clip(span), label.into()));
        }
        self
    }

    /// The place as a range of bytes of the text, a byte order mark not counted.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether the document cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Draws the message, the source line with carets, and the help.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        let help = self.help.iter().map(|help| Level::HELP.message(help.as_str()));
        let group = match &self.source {
            Some(source) => title.element(self.snippet(source)).elements(help),
            None => title.element(Origin::path(self.file.as_str())).elements(help),
        };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }

    /// Only the lines from the first place to the last: the drawing reads all that it is given.
    fn snippet<'a>(&'a self, source: &'a Source) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut extent = self.span();
        if let Some((other, _)) = &self.related {
            extent = extent.start.min(other.start)..extent.end.max(other.end);
        }
        let lines = source.lines(extent);
        let inside = |span: &Range<usize>| {
            span.start.saturating_sub(lines.start)..span.end.saturating_sub(lines.start)
        };
        let mut primary = AnnotationKind::Primary.span(inside(&self.span));
        if !self.label.is_empty() {
            primary = primary.label(self.label.as_str());
        }
        let (first_line, _) = source.position(lines.start);
        let text = source.text.get(lines.clone()).unwrap_or("");
        let mut snippet =
            Snippet::source(text).line_start(first_line).path(source.name.as_str()).annotation(primary);
        if let Some((span, label)) = &self.related {
            snippet = snippet.annotation(AnnotationKind::Context.span(inside(span)).label(label.as_str()));
        }
        snippet
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

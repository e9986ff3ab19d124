//! From texts, files and directories to services and templates.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::located::Located;
use crate::service::{self, Declared};
use crate::source::Source;
use crate::template::ServiceTemplate;
use crate::types::Service;
use crate::yaml;

/// A file larger than this is not read.
const MAX_FILE_BYTES: usize = 16 << 20;

/// More than this is not said about one document: who has made so many mistakes reads no more.
const MAX_DIAGNOSTICS: usize = 50;

/// Nor about a text of many documents.
const MAX_DIAGNOSTICS_OF_A_TEXT: usize = 1000;

/// What a text, or a set of files, holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The services of the documents without errors, in order.
    pub services: Vec<Located<Service>>,
    /// The templates of the documents without errors, in order.
    pub templates: Vec<Located<ServiceTemplate>>,
    /// Everything that is wrong, in order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether a document was left out.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.templates.is_empty()
    }

    /// Puts what another holds behind these.
    pub fn extend(&mut self, other: Parsed) {
        self.templates.extend(other.templates);
        self.services.extend(other.services);
        self.diagnostics.extend(other.diagnostics);
    }
}

/// Reads the documents of a text, YAML or JSON. `source_name` is what diagnostics call it, such
/// as the file's name.
pub fn parse(source_name: &str, text: &str) -> Parsed {
    if text.len() > MAX_FILE_BYTES {
        return failed(source_name, "it is larger than 16 MiB: no manifest is");
    }
    // Windows' editors put a mark in front; columns are counted without it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    read(&Source::new(source_name, text))
}

fn read(source: &Arc<Source>) -> Parsed {
    let mut parsed = Parsed::default();
    yaml::documents(source, |document| {
        let mut diagnostics = document.diagnostics;
        // Documents without anything in them are left over from templates and separators.
        if let Some(root) = document.root.filter(|root| !root.is_null()) {
            let (declared, found) = service::read(source, &root);
            diagnostics.extend(found);
            match declared {
                Some(Declared::Service(service)) => parsed.services.push(*service),
                Some(Declared::Template(template)) => parsed.templates.push(*template),
                None => {}
            }
        }
        diagnostics.sort_by_key(|diagnostic| diagnostic.span().start);
        let more = diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
        diagnostics.truncate(MAX_DIAGNOSTICS);
        if let (Some(last), true) = (diagnostics.last_mut(), more > 0) {
            last.help.push(format!("{more} more mistakes in this document are not shown"));
        }
        parsed.diagnostics.extend(diagnostics);
        if parsed.diagnostics.len() >= MAX_DIAGNOSTICS_OF_A_TEXT {
            let message = "there are too many mistakes: the rest is not read";
            let last = Diagnostic::whole_file(Severity::Error, &source.name, message);
            parsed.diagnostics.push(last);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    parsed
}

/// Reads files, and the `*.yaml`, `*.yml` and `*.json` files right in directories, by name.
/// The standard input is the caller's to read: hand its text to [`parse`].
pub fn load(paths: &[PathBuf]) -> Parsed {
    let mut parsed = Parsed::default();
    for path in paths {
        parsed.extend(if path.is_dir() { load_directory(path) } else { load_file(path) });
    }
    parsed
}

fn load_directory(directory: &Path) -> Parsed {
    let name = directory.display().to_string();
    let files = match manifests_in(directory) {
        Ok(files) => files,
        Err(error) => return failed(&name, &format!("the directory cannot be read: {error}")),
    };
    let mut parsed = Parsed::default();
    if files.is_empty() {
        let message = "there is no *.yaml, *.yml or *.json file in the directory";
        let warning = Diagnostic::whole_file(Severity::Warning, name, message);
        parsed.diagnostics.push(warning);
    }
    for file in files {
        parsed.extend(load_file(&file));
    }
    parsed
}

fn manifests_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if matches!(extension, Some("yaml" | "yml" | "json")) && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load_file(path: &Path) -> Parsed {
    let name = path.display().to_string();
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) => return failed(&name, &format!("the file cannot be read: {error}")),
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(&name, &text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let source = Source::new(name, text);
            // The replacement character stands where the text stopped being one.
            let width = char::REPLACEMENT_CHARACTER.len_utf8();
            let diagnostic = Diagnostic::error(&source, at..at + width, "the file is not UTF-8")
                .label("this byte is no part of a character")
                .help("save the file as UTF-8");
            Parsed { diagnostics: vec![diagnostic], ..Parsed::default() }
        }
    }
}

/// One byte more than is accepted, so that [`parse`] sees that it is too much.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE_BYTES + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(name: &str, message: &str) -> Parsed {
    Parsed { diagnostics: vec![Diagnostic::whole_file(Severity::Error, name, message)], ..Parsed::default() }
}

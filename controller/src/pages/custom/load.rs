//! A directory to pages.

use super::rules;
use super::{Custom, Template};
use crate::label::is_label;
use crate::pages::asset::Asset;
use dormouse_manifests::Diagnostic;
use std::fs;
use std::path::Path;

/// Larger is no page that somebody should wait for.
const MAX_PAGE: usize = 64 * 1024;
/// Added to every page.
const MAX_STYLE: usize = 32 * 1024;
const STYLE: &str = "theme.css";

impl Custom {
    /// Reads a directory: `NAME.html`, and `theme.css`. Files with a dot in front are left alone.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn load(directory: &Path) -> Result<Custom, Vec<Diagnostic>> {
        let mut custom = Custom::default();
        let mut wrong = Vec::new();
        let entries = match fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => return Err(vec![about(directory, &format!("cannot be read: {error}"))]),
        };
        let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let page = name.strip_suffix(".html").filter(|page| is_label(page));
            if name.starts_with('.') {
                continue;
            }
            let most = match page {
                Some(_) => MAX_PAGE,
                None if name == STYLE => MAX_STYLE,
                None => {
                    let message = "neither a page nor the style of pages";
                    let help = "a page is `waiting.html`, or NAME.html with a NAME of a-z, 0-9 and -; the style is `theme.css`";
                    wrong.push(about(&path, message).help(help));
                    continue;
                }
            };
            let file = path.display().to_string();
            match (text(&path, most), page) {
                (Err(diagnostic), _) => wrong.push(*diagnostic),
                (Ok(text), Some(page)) => match Template::parse(&file, &text) {
                    Ok(template) => drop(custom.pages.insert(page.to_owned(), template)),
                    Err(found) => wrong.extend(found),
                },
                (Ok(text), None) => {
                    let found = rules::style(&file, &text, 0..text.len());
                    if found.is_empty() {
                        custom.style = Some(Asset::new(&[&text]));
                    }
                    wrong.extend(found);
                }
            }
        }
        if wrong.is_empty() { Ok(custom) } else { Err(wrong) }
    }
}

fn text(path: &Path, most: usize) -> Result<String, Box<Diagnostic>> {
    let wrong = |message: String| Box::new(about(path, &message));
    let bytes = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if bytes.len() > most {
        return Err(wrong(format!("has {} bytes, and may have {most}", bytes.len())));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        wrong(format!("is not UTF-8: the byte at {} is none", error.utf8_error().valid_up_to()))
    })?;
    // As browsers do, before they reckon a style's hash.
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n"))
}

fn about(path: &Path, message: &str) -> Diagnostic {
    Diagnostic::about(path.display().to_string(), message)
}

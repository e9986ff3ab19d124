//! The file by which the user's container asks for its own sleep.
//!
//! Its first line, if any, becomes the event's words. The file is removed once the wish was heard, so that a
//! service that is woken again meanwhile stays awake. A file that is there at the start is an earlier life's
//! leftover when it is older than a minute, and removed; a younger one was made by a container that started
//! before its sidecar, and counts. What cannot be removed is ignored until it is written again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const LEFTOVER: Duration = Duration::from_secs(60);
/// Enough for a sentence; the file is the user's and may be anything.
const LONGEST: usize = 200;
const NO_WORDS: &str = "the container asked for its own sleep";

/// What becomes of a wish's text: its first line, or a sentence in its place.
pub fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..LONGEST).unwrap_or(text));
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let line = line.trim();
    if line.is_empty() { NO_WORDS.to_owned() } else { line.to_owned() }
}

/// The file, and which state of it is ignored.
#[derive(Debug)]
pub struct ShutdownFile {
    path: PathBuf,
    ignored: Option<SystemTime>,
}

impl ShutdownFile {
    /// Removes a leftover.
    pub fn at_start(path: PathBuf) -> ShutdownFile {
        let mut file = ShutdownFile { path, ignored: None };
        let age = file.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > LEFTOVER) {
            tracing::info!(path = %file.path.display(), "removes an old shutdown file");
            file.remove();
        }
        file
    }

    /// The words of a wish that is there now.
    pub fn look(&self) -> Option<String> {
        let modified = self.modified().ok()?;
        if self.ignored == Some(modified) {
            return None;
        }
        let mut text = Vec::new();
        // Existing is enough: an unreadable file is a wish without words.
        let _ = File::open(&self.path).and_then(|file| file.take(LONGEST as u64).read_to_end(&mut text));
        Some(words(&text))
    }

    /// The wish was heard.
    pub fn remove(&mut self) {
        if let Ok(modified) = self.modified()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), "cannot remove the shutdown file, ignores it: {error}");
            self.ignored = Some(modified);
        }
    }

    fn modified(&self) -> io::Result<SystemTime> {
        let metadata = fs::metadata(&self.path)?;
        if metadata.is_file() { metadata.modified() } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &tempfile::TempDir, age: Duration) -> PathBuf {
        let path = dir.path().join("shutdown");
        let file = File::create(&path).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - age).unwrap();
        path
    }

    #[test]
    fn a_leftover_goes_and_a_fresh_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, Duration::from_secs(120));
        assert_eq!(ShutdownFile::at_start(path.clone()).look(), None);
        assert!(!path.exists());
        let path = file(&dir, Duration::from_secs(5));
        assert_eq!(ShutdownFile::at_start(path).look().as_deref(), Some(NO_WORDS));
    }

    #[test]
    fn its_first_line_is_the_reason_and_a_heard_wish_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shutdown");
        let mut shutdown = ShutdownFile::at_start(path.clone());
        assert_eq!(shutdown.look(), None);
        fs::write(&path, format!("batch\u{7} finished \nmore\n{}", "x".repeat(100_000))).unwrap();
        assert_eq!(shutdown.look().as_deref(), Some("batch finished"));
        shutdown.remove();
        assert_eq!((shutdown.look(), path.exists()), (None, false));
        fs::write(&path, "again").unwrap();
        assert_eq!(shutdown.look().as_deref(), Some("again"));
    }

    #[test]
    fn a_directory_is_no_wish() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(ShutdownFile::at_start(dir.path().to_owned()).look(), None);
        assert!(dir.path().exists());
    }
}

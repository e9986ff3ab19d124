//! Stdout and stderr.

use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal as _, Write as _};

/// Columns of the terminal; one that does not say has as many as any.
fn width() -> usize {
    let told = tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col)).unwrap_or(0);
    if told == 0 { 80 } else { told }
}

/// A line that wraps could not be taken back: what is too long ends with an ellipsis, and leaves the cursor its column.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() < width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(2)).chain(['…']).collect()
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Whether messages may have colours.
    pub(super) colours: bool,
}

impl Output {
    /// Colours on a terminal, unless `NO_COLOR` is set to anything.
    pub(super) fn new(no_color: Option<&str>) -> Output {
        let wanted = no_color.is_none_or(str::is_empty);
        Output { colours: wanted && io::stderr().is_terminal() }
    }

    /// Data. Who reads it may have seen enough (`| head`): that is no error.
    #[allow(clippy::unused_self, reason = "what may write data says so by having one")]
    pub(super) fn data(self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// How far something is: on a terminal in place of what was said last, nothing when it is over.
    pub(super) fn change(self, text: &str) {
        if io::stderr().is_terminal() {
            // Back to the line's begin, and what stands there away.
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", cut(text, width()));
        } else if !text.is_empty() {
            self.say(text);
        }
    }

    /// Everything else.
    #[allow(clippy::unused_self, reason = "as above")]
    pub(super) fn say(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_line_is_cut() {
        for (text, width, shown) in [
            ("hello: machine", 80, "hello: machine"),
            ("hello: machine", 15, "hello: machine"),
            ("hello: machine", 14, "hello: machi…"),
            ("é é é é", 5, "é é…"),
            ("hello", 0, "…"),
        ] {
            assert_eq!(cut(text, width), shown);
        }
    }
}

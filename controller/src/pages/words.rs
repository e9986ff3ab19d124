//! Times in words. The pages' scripts say them the same way.

use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// A span: `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, rest) = (seconds / 60, seconds % 60);
        match (minutes, rest) {
            (0, rest) => write!(f, "{rest} s"),
            (minutes, 0) if minutes < 10 => write!(f, "{minutes} min"),
            (minutes, rest) if minutes < 10 => write!(f, "{minutes} min {rest} s"),
            (minutes, _) if minutes < 60 => write!(f, "{minutes} min"),
            (minutes, _) if minutes < 2880 && minutes % 60 == 0 => write!(f, "{} h", minutes / 60),
            (minutes, _) if minutes < 2880 => write!(f, "{} h {} min", minutes / 60, minutes % 60),
            (minutes, _) => write!(f, "{} d", minutes / 1440),
        }
    }
}

/// How long something took: to a tenth of a second while that says something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took(pub(super) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(10) {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        } else {
            Span(self.0).fmt(f)
        }
    }
}

/// Time since a moment, counted on by the page's script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Up(pub(super) Timestamp, pub(super) Timestamp);

impl fmt::Display for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Up(since, now) = *self;
        write!(f, "<span data-up=\"{}\">{}</span>", since.as_millisecond(), Span(between(since, now)))
    }
}

/// Time until a moment, counted down by the page's script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down(pub(super) Timestamp, pub(super) Timestamp);

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Down(until, now) = *self;
        write!(f, "<span data-down=\"{}\">{}</span>", until.as_millisecond(), Span(between(now, until)))
    }
}

/// A moment in the past, kept up to date by the page's script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ago(pub(super) Timestamp, pub(super) Timestamp);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ago(at, now) = *self;
        let ago = between(at, now);
        let shown = at.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "<time datetime=\"{at}\" title=\"{shown}\" data-ago=\"{}\">", at.as_millisecond())?;
        if ago < Duration::from_secs(5) {
            f.write_str("just now</time>")
        } else {
            write!(f, "{} ago</time>", Span(ago))
        }
    }
}

/// Time from one moment to a later one; zero when it is earlier.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_short_as_they_can_be() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (599, "9 min 59 s"),
            (605, "10 min"),
            (3600, "1 h"),
            (3700, "1 h 1 min"),
            (86_400, "24 h"),
            (200_000, "2 d"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), words);
        }
        assert_eq!(Took(Duration::from_millis(1234)).to_string(), "1.2 s");
        assert_eq!(Took(Duration::from_secs(41)).to_string(), "41 s");
    }

    #[test]
    fn moments_can_be_counted_on() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(Up(at(1), at(8)).to_string(), "<span data-up=\"1000\">7 s</span>");
        assert_eq!(Down(at(8), at(1)).to_string(), "<span data-down=\"8000\">7 s</span>");
        assert_eq!(Down(at(1), at(8)).to_string(), "<span data-down=\"1000\">0 s</span>");
        assert!(Ago(at(1), at(3)).to_string().ends_with("data-ago=\"1000\">just now</time>"));
        assert!(Ago(at(1), at(63)).to_string().ends_with("data-ago=\"1000\">1 min 2 s ago</time>"));
    }
}

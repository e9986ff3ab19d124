//! Patterns of paths and user agents: `*` is any text, also none; `?` is one character.

use crate::types::Ignore;

impl Ignore {
    /// Whether a request with this method, path and user agent does not wake the service.
    pub fn matches(&self, method: &str, path: &str, user_agent: Option<&str>) -> bool {
        let path = path.split(['?', '#']).next().unwrap_or(path);
        self.methods.iter().any(|ignored| ignored == method)
            || self.paths.iter().any(|pattern| matches(pattern, path))
            || user_agent.is_some_and(|agent| {
                self.user_agents.iter().any(|pattern| matches_ignoring_case(pattern, agent))
            })
    }
}

/// Whether the pattern covers the whole text; the case matters.
pub fn matches(pattern: &str, text: &str) -> bool {
    covers(pattern, text, |a, b| a == b)
}

/// Whether the pattern covers the whole text; the case does not matter.
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    covers(pattern, text, |a, b| a == b || a.to_lowercase().eq(b.to_lowercase()))
}

/// Goes back to the last `*` only: at most pattern times text steps, whatever a caller sends.
fn covers(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let mut pattern = pattern.chars();
    let mut text = text.chars();
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = before.1;
                star = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(a), Some(b)) if same(a, b) => continue,
            _ => {}
        }
        // The last `*` takes one character more.
        let Some((after, mut rest)) = star.take() else {
            return false;
        };
        if rest.next().is_none() {
            return false;
        }
        pattern = after.clone();
        text = rest.clone();
        star = Some((after, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_ignoring_case};
    use crate::types::Ignore;

    #[test]
    fn patterns_cover_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("**", "anything", true),
            ("?", "", false),
            ("?", "é", true),
            ("/favicon.ico", "/favicon.ico", true),
            ("/favicon.ico", "/favicon.icon", false),
            ("/static/*", "/static/a/b.css", true),
            ("/static/*", "/static", false),
            ("*.map", "/a/b.map", true),
            ("*.map", "/a/b.map.gz", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("*ab", "aab", true),
            ("a?c", "abc", true),
            ("/A", "/a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn agents_are_compared_without_case() {
        assert!(matches_ignoring_case("*bot*", "Mozilla GoogleBot/2.1"));
        assert!(!matches_ignoring_case("*bot*", "curl/8"));
    }

    #[test]
    fn hostile_patterns_end_soon() {
        assert!(!matches(&format!("{}c", "a*".repeat(100)), &"a".repeat(10_000)));
    }

    #[test]
    fn queries_are_not_part_of_the_path() {
        let ignore = Ignore {
            paths: vec!["/health".into()],
            methods: vec!["OPTIONS".into()],
            user_agents: vec!["uptime*".into()],
        };
        assert!(ignore.matches("GET", "/health?full=1", None));
        assert!(ignore.matches("GET", "/", Some("UptimeRobot/2")));
        assert!(ignore.matches("OPTIONS", "/", None));
        assert!(!ignore.matches("options", "/", None), "methods have a case");
        assert!(!ignore.matches("GET", "/", Some("curl")));
        assert!(!ignore.matches("GET", "/", None));
    }
}

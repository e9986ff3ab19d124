//! DNS labels: what a service may be called.

/// Whether a text is a DNS label as services have it: 1 to 63 of `a-z`, `0-9` and `-`, no hyphen at its ends.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

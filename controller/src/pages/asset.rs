//! Styles and scripts: parts of the page itself, known to the browser by their hash.

use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write as _};
use std::sync::LazyLock;

/// The dormouse.
pub(super) const MARK: &str = include_str!("assets/mark.svg");

/// The same as the page's icon.
pub(super) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 72'%3E%3Cpath \
fill='%23c98b53' d='M14 52C8 30 26 10 50 10c23 0 38 16 38 33 0 13-9 21-22 21H26c-6 0-11-5-12-12z'/%3E%3Ccircle \
cx='33' cy='23' r='9' fill='%23a96c38'/%3E%3Cpath fill='%23f3dcc2' d='M13 50c0-10 8-17 18-17 8 0 14 5 14 12s-6 \
13-15 13c-8 0-17-1-17-8z'/%3E%3C/svg%3E";

/// A text between `<style>` or `<script>` tags.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) text: String,
    /// `sha256-…`, as a content security policy names it.
    pub(super) hash: String,
}

impl Asset {
    fn new(parts: &[&str]) -> Asset {
        let text = parts.concat();
        let hash = format!("sha256-{}", Base64(&Sha256::digest(text.as_bytes())));
        Asset { text, hash }
    }
}

/// Of all pages.
pub(super) static BASE: LazyLock<Asset> = LazyLock::new(|| Asset::new(&[include_str!("assets/base.css")]));
/// Of the waiting page.
pub(super) static WAITING: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(&[include_str!("assets/waiting.css")]));
/// Of the waiting page.
pub(super) static WAITING_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(&[include_str!("assets/time.js"), include_str!("assets/waiting.js")]));
/// Of the dashboard.
pub(super) static DASHBOARD: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(&[include_str!("assets/dashboard.css")]));
/// Of the dashboard.
pub(super) static DASHBOARD_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(&[include_str!("assets/time.js"), include_str!("assets/dashboard.js")]));

/// Bytes in base64 (RFC 4648).
struct Base64<'a>(&'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for chunk in self.0.chunks(3) {
            let bits =
                (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
            for at in 0..4 {
                let digit = bits >> (18 - 6 * at) & 63;
                let digit = DIGITS.get(usize::try_from(digit).unwrap_or_default()).copied().unwrap_or(b'=');
                f.write_char(if at <= chunk.len() { char::from(digit) } else { '=' })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_the_rfc_has_it() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(Base64(plain.as_bytes()).to_string(), encoded);
        }
    }

    #[test]
    fn nothing_ends_its_own_tag() {
        for asset in [&BASE, &WAITING, &WAITING_SCRIPT, &DASHBOARD, &DASHBOARD_SCRIPT] {
            assert!(!asset.text.contains("</"), "{}", asset.hash);
        }
    }
}

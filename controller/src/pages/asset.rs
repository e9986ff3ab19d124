//! Styles and scripts: parts of the page itself, known to the browser by their hash.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// The dormouse.
pub(super) const MARK: &str = include_str!("assets/mark.svg");

/// Its face, as the page's icon.
pub(super) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='8 8 64 70'%3E\
%3Ccircle cx='46' cy='23' r='11' fill='%23a96c38'/%3E%3Cpath fill='%23c98b53' d='M14 54c2-14 13-23 27-23 12 0 20 8 \
20 19 0 12-9 20-23 20H26c-7 0-13-7-12-16z'/%3E%3Cpath fill='%23f3dcc2' d='M14 55c1-6 5-10 11-10 8 0 13 6 13 13 0 \
8-5 12-11 12-7 0-14-7-13-15z'/%3E%3Cellipse cx='15' cy='53' rx='4' ry='3' fill='%235a3a22'/%3E%3C/svg%3E";

/// A text between `<style>` or `<script>` tags.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) text: String,
    /// `sha256-…`, as a content security policy names it.
    pub(super) hash: String,
}

impl Asset {
    pub(super) fn new(parts: &[&str]) -> Asset {
        let text = parts.concat();
        let hash = hash(&text);
        Asset { text, hash }
    }
}

/// `sha256-…`, as a content security policy names a text.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_own_tag() {
        for asset in [&BASE, &WAITING, &WAITING_SCRIPT, &DASHBOARD, &DASHBOARD_SCRIPT] {
            assert!(!asset.text.contains("</"), "{}", asset.hash);
        }
    }
}

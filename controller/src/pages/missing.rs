//! What a browser sees for a name that nobody declared.

use super::asset::MARK;
use super::escape::Escaped;
use super::frame::Page;
use axum::body::Body;
use http::{Response, StatusCode};

/// The page; with the name, if the request had one.
pub fn not_found(name: Option<&str>) -> Response<Body> {
    let words = match name {
        Some(name) => {
            let shown: String = name.chars().take(80).collect();
            format!(
                "<h1>Nothing is called <code>{}</code></h1><p class=\"soft\">No service of that name is declared.</p>",
                Escaped(&shown)
            )
        }
        None => "<h1>Nothing is here</h1><p class=\"soft\">The address is no service's.</p>".to_owned(),
    };
    let body = format!("<div class=\"center\"><main class=\"card\">{MARK}{words}</main></div>");
    Page::new(StatusCode::NOT_FOUND, "Not found", &body).answer()
}

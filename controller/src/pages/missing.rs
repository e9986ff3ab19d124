//! What a browser sees for a name that nobody declared.

use super::escape::Escaped;
use super::frame::page;
use axum::body::Body;
use http::{Response, StatusCode};

/// The page; with the name, if the request had one.
pub fn not_found(name: Option<&str>) -> Response<Body> {
    let body = match name {
        Some(name) => {
            let shown: String = name.chars().take(80).collect();
            format!(
                "<h1>Nothing is called <code>{}</code></h1><p>No service of that name is declared.</p>",
                Escaped(&shown)
            )
        }
        None => "<h1>Nothing is here</h1><p>The address is no service's.</p>".to_owned(),
    };
    page(StatusCode::NOT_FOUND, "Not found", None, &body)
}

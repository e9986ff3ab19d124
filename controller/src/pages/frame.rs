//! What all pages share.

use super::asset::{Asset, BASE, ICON};
use super::escape::Escaped;
use axum::body::Body;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use jiff::Timestamp;

/// A page to be.
pub(super) struct Page<'a> {
    pub(super) status: StatusCode,
    pub(super) title: &'a str,
    /// More of the head, as HTML.
    pub(super) head: &'a str,
    pub(super) styles: &'a [&'a Asset],
    pub(super) script: Option<&'a Asset>,
    /// The body, as HTML.
    pub(super) body: &'a str,
    /// Where forms may lead besides this page's own origin.
    pub(super) leads_to: Option<&'a str>,
    pub(super) now: Option<Timestamp>,
}

impl<'a> Page<'a> {
    /// A page of words.
    pub(super) fn new(status: StatusCode, title: &'a str, body: &'a str) -> Page<'a> {
        Page { status, title, head: "", styles: &[], script: None, body, leads_to: None, now: None }
    }

    /// The answer.
    pub(super) fn answer(&self) -> Response<Body> {
        let styles = self.styles.iter().map(|style| style.hash.as_str());
        answer(self.status, self.html(), &policy(styles, self.script, self.leads_to))
    }

    fn html(&self) -> String {
        let now = self.now.map(|now| format!(" data-now=\"{}\"", now.as_millisecond())).unwrap_or_default();
        let (title, head, body) = (Escaped(self.title), self.head, self.body);
        let base = &BASE.text;
        let style: String =
            self.styles.iter().map(|style| format!("<style>{}</style>", style.text)).collect();
        let script =
            self.script.map(|script| format!("<script>{}</script>", script.text)).unwrap_or_default();
        format!(
            "<!doctype html>\n<html lang=\"en\"{now}><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\">{head}<title>{title}</title>\
             <link rel=\"icon\" href=\"{ICON}\"><style>{base}</style>{style}</head>\n<body>{body}\n{script}</body></html>\n"
        )
    }
}

/// An answer that nobody keeps, and nobody indexes or frames.
pub(super) fn answer(status: StatusCode, html: String, policy: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Nothing acts in a page but these styles (by their hash, beside the one of all pages) and its script. `leads_to`:
/// where forms may lead besides the page's own origin.
pub(super) fn policy<'a>(
    styles: impl Iterator<Item = &'a str>,
    script: Option<&Asset>,
    leads_to: Option<&str>,
) -> String {
    let style: String =
        std::iter::once(BASE.hash.as_str()).chain(styles).map(|hash| format!(" '{hash}'")).collect();
    let script = script.map_or_else(
        || "script-src 'none'".to_owned(),
        |script| format!("script-src '{}'; connect-src 'self'", script.hash),
    );
    let leads_to = leads_to.map(|url| format!(" {url}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src{style}; {script}; img-src data:; form-action 'self'{leads_to}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

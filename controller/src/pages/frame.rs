//! What all pages share.

use super::escape::Escaped;
use axum::body::Body;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:12vh auto 2rem;padding:0 1.25rem;\
background:#fdfcfa;color:#22201d}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}\
p{margin:.5rem 0}.soft{color:#6d675f}\
ul{list-style:none;padding:0;margin:1.25rem 0}li{padding:.15rem 0}\
table{border-collapse:collapse;width:100%;margin-top:1rem}\
th,td{text-align:left;padding:.4rem .75rem .4rem 0;border-bottom:1px solid #e4dfd7}\
th{font-weight:600}a{color:#7a4a12}\
code{font:.95em ui-monospace,monospace}\
@media(prefers-color-scheme:dark){body{background:#191816;color:#ece8e1}\
.soft{color:#a39c91}th,td{border-color:#3a3732}a{color:#e6b877}}";

/// A page: nobody keeps it, nobody indexes it, and nothing in it runs.
pub(super) fn page(status: StatusCode, title: &str, refresh: Option<u64>, body: &str) -> Response<Body> {
    let title = Escaped(title);
    let refresh = refresh
        .map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\">{refresh}\
         <title>{title}</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

//! The list of services.

use super::escape::Escaped;
use super::frame::page;
use axum::body::Body;
use dormouse_core::view::ServiceView;
use http::{Response, StatusCode};
use std::fmt::Write as _;
use std::sync::Arc;

/// Seconds until the list is read again.
const REFRESH: u64 = 5;

/// All services, with their phase. Following a name wakes it.
pub fn list(services: &[Arc<ServiceView>]) -> Response<Body> {
    let mut body = "<h1>Services</h1>".to_owned();
    if services.is_empty() {
        body.push_str("<p>None is declared yet: <code>dormouse apply -f FILE</code> declares some.</p>");
    } else {
        body.push_str(
            "<table><thead><tr><th>Name</th><th>State</th><th>In flight</th><th>URL</th></tr></thead><tbody>",
        );
        for view in services {
            let name = Escaped(&view.metadata.name);
            let url = Escaped(&view.status.url);
            let _ = write!(
                body,
                "<tr><td><a href=\"/{name}\" rel=\"nofollow\">{name}</a></td><td>{:?}</td><td>{}</td><td><code>{url}</code></td></tr>",
                view.status.phase, view.status.activity.in_flight
            );
        }
        body.push_str("</tbody></table>");
    }
    page(StatusCode::OK, "Dormouse", Some(REFRESH), &body)
}

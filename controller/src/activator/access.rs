//! Who may wake a service that asks for a token: whoever shows the API's, or a browser that a link let in.

use super::listener::Activator;
use super::local;
use crate::problem::Problem;
use crate::tokens::Role;
use axum::body::Body;
use axum::response::IntoResponse as _;
use dormouse_core::view::ServiceView;
use dormouse_manifests::Access;
use dormouse_peer::pass;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

impl Activator {
    /// Whether a request's headers let it wake the service.
    pub(super) fn may_wake(&self, headers: &HeaderMap, view: &ServiceView) -> bool {
        view.spec.wake.access == Access::Public
            || self.role(headers) >= Some(Role::Wake)
            || self.shows_pass(headers, &view.metadata.name)
    }

    /// What a link comes to: a cookie, and the same address without the link's token. `None`: there is no such token.
    pub(super) fn link(&self, parts: &Parts, view: &ServiceView) -> Option<Response<Body>> {
        let passes = self.passes.as_ref().filter(|_| view.spec.wake.access == Access::Token)?;
        let token = pass::parameter(parts.uri.query()?)?;
        let name = &view.metadata.name;
        if self.shows_pass(&parts.headers, name) {
            return Some(clean(parts, None));
        }
        // Programs that look at links for others (previews, prefetches) must not use them up.
        if !local::is_navigation(parts) || local::is_guess(&parts.headers) {
            return Some(refused(view, "the link is for a browser: open it there"));
        }
        match passes.enter(name, token) {
            Ok(pass) => Some(clean(parts, Some(&pass))),
            Err(why) => Some(refused(view, &why.to_string())),
        }
    }

    /// The answer to a request that shows no token where one is needed.
    pub(super) fn needs_token(&self, view: &ServiceView, request: &str) -> Response<Body> {
        let name = &view.metadata.name;
        self.waker.refused(name, crate::refusals::Reason::NoToken, request);
        refused(view, &format!("waking `{name}` needs a token: give `Authorization: Bearer …`"))
    }

    /// What the API's token that it shows lets do.
    fn role(&self, headers: &HeaderMap) -> Option<Role> {
        crate::request::bearer(headers).and_then(|shown| self.tokens.of(shown)).map(|bearer| bearer.role)
    }

    fn shows_pass(&self, headers: &HeaderMap, name: &str) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut shown = cookies.filter_map(|value| pass::cookie(value, pass::COOKIE));
        self.passes.as_ref().is_some_and(|passes| shown.any(|pass| passes.admits(name, pass)))
    }

    /// What lets in is no business of the service's.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        if self.role(headers).is_some() {
            headers.remove(header::AUTHORIZATION);
        }
        let ours = |value: &HeaderValue| {
            value.as_bytes().windows(pass::COOKIE.len()).any(|w| w == pass::COOKIE.as_bytes())
        };
        if headers.get_all(header::COOKIE).iter().any(ours) {
            let kept: Vec<HeaderValue> = headers
                .get_all(header::COOKIE)
                .iter()
                .filter_map(|value| match value.to_str() {
                    Ok(text) => HeaderValue::try_from(pass::without_cookie(text)?).ok(),
                    Err(_) => Some(value.clone()).filter(|value| !ours(value)),
                })
                .collect();
            headers.remove(header::COOKIE);
            for value in kept {
                headers.append(header::COOKIE, value);
            }
        }
    }
}

fn refused(view: &ServiceView, detail: &str) -> Response<Body> {
    Problem::unauthorized(detail).header(local::STATE, local::state(view)).into_response()
}

/// To the same address, without what only this listener was to see.
fn clean(parts: &Parts, pass: Option<&str>) -> Response<Body> {
    let whole = parts.uri.path_and_query().map_or("/", |whole| whole.as_str());
    // Two slashes in front would name another host.
    let place = format!("/{}", pass::without_parameter(whole).trim_start_matches(['/', '\\']));
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static("/")));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(pass) = pass {
        let lasts = crate::passes::PASS_LASTS.as_secs();
        let cookie = format!(
            "{}={pass}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Lax",
            dormouse_peer::pass::COOKIE
        );
        // Made of a name and hexadecimal digits: always a header value.
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
    response
}

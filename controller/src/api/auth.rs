//! Who may do what: tokens and their roles, browsers that have logged in, and pages of others.

use super::audit::{Attempt, Who};
use super::state::Api;
use crate::config::Secret;
use crate::pages::dashboard;
use crate::problem::Problem;
use crate::replicas::is_replica;
use crate::request::{bearer, cookie, is_from_elsewhere, wants_page};
use crate::tokens::{Bearer, Role};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use dormouse_core::view::ServiceView;
use dormouse_manifests::Access;
use dormouse_peer::pass;
use http::{HeaderMap, Method, StatusCode, header};
use std::hash::{BuildHasher as _, RandomState};

/// A browser's cookie after it has logged in.
pub(super) const COOKIE: &str = "dormouse";
/// The header in which the dashboard proves that a call is its own.
const PROOF: &str = "x-dormouse-proof";

/// What the dashboard's calls prove themselves with: random, of this process.
pub(super) fn new_proof() -> Secret {
    let word = || RandomState::new().hash_one(0);
    Secret::new(format!("{:016x}{:016x}", word(), word()))
}

/// What a call asks its bearer's token to let him do.
fn needs(method: &Method, path: &str) -> Role {
    const WAKES: [&str; 3] = ["/wake", "/sleep", "/link"];
    match () {
        () if method.is_safe() => Role::Read,
        () if method == Method::POST && WAKES.iter().any(|end| path.ends_with(end)) => Role::Wake,
        () => Role::Admin,
    }
}

/// Lets a request pass whose token lets its bearer do it, or any when none is asked for; what a browser sends only from
/// the dashboard. What changes something is written down, whether it passed or not.
pub(super) async fn require_token(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let changes = !parts.method.is_safe();
    let attempt = changes.then(|| Attempt::of(&api, &parts));
    let who = who(&api, &parts.headers);
    let mut request = Request::from_parts(parts, body);
    let response = match refusal(&api, &request, who.as_ref()) {
        Some(refusal) => refusal,
        None => {
            if let Some(who) = who.clone() {
                request.extensions_mut().insert(who);
            }
            next.run(request).await
        }
    };
    if let Some(attempt) = attempt {
        attempt.answered(who.as_ref(), response.status());
    }
    response
}

/// Who asks; `None`: somebody without a token that is accepted.
fn who(api: &Api, headers: &HeaderMap) -> Option<Who> {
    let shown = bearer(headers);
    if let (Some(secret), Some(shown)) = (&api.secret, shown)
        && is_replica(secret, shown)
    {
        return Some(Who::Controller);
    }
    match bearer_of(api, headers) {
        Some(bearer) => Some(Who::Bearer(bearer.clone())),
        None => api.tokens.is_empty().then_some(Who::Anybody),
    }
}

/// The answer to a request that may not pass.
fn refusal(api: &Api, request: &Request, who: Option<&Who>) -> Option<Response> {
    let headers = request.headers();
    let changes = !request.method().is_safe();
    let forbidden =
        |kind: &str, detail: String| Problem::new(StatusCode::FORBIDDEN, kind, detail).into_response();
    if changes && is_from_elsewhere(headers) {
        return Some(forbidden("cross-site", "another site's page cannot change anything here".to_owned()));
    }
    let shown = bearer(headers);
    let Some(who) = who else {
        if wants_login(request) {
            return Some(dashboard::login(super::dashboard::LOGIN, None));
        }
        let detail = match shown {
            Some(_) => {
                "the bearer token is none of this controller's: it takes those of DORMOUSE_API_TOKEN, \
                        DORMOUSE_API_TOKEN_WAKE and DORMOUSE_API_TOKEN_READ (for the command line: --token or \
                        DORMOUSE_TOKEN)"
            }
            None => {
                "this needs a token: give `Authorization: Bearer …` (for the command line: --token or \
                     DORMOUSE_TOKEN)"
            }
        };
        return Some(Problem::unauthorized(detail).into_response());
    };
    let needs = needs(request.method(), request.uri().path());
    if let Who::Bearer(bearer) = who
        && bearer.role < needs
    {
        let detail = format!(
            "the token `{}` has the role `{}`; this needs `{}` ({})",
            bearer.name,
            bearer.role.word(),
            needs.word(),
            needs.variable()
        );
        let problem = Problem::new(StatusCode::FORBIDDEN, "role", detail).with("needs", needs.word());
        return Some(problem.into_response());
    }
    // A bearer token is nothing that a browser sends by itself.
    let by_token = *who == Who::Controller || shown.is_some_and(|shown| api.tokens.of(shown).is_some());
    let by_browser = has_session(api, headers) || is_browser(headers);
    (changes && !by_token && by_browser && !is_proven(api, headers)).then(|| {
        forbidden("unproven", "a browser changes something from the dashboard only: reload it".to_owned())
    })
}

/// Whether a person opens the dashboard.
fn wants_login(request: &Request) -> bool {
    request.method() == Method::GET && request.uri().path() == "/" && wants_page(request.headers())
}

/// Whether a browser's page sends it.
fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
}

fn is_proven(api: &Api, headers: &HeaderMap) -> bool {
    headers.get(PROOF).and_then(|proof| proof.to_str().ok()).is_some_and(|proof| api.proof.matches(proof))
}

/// Whose token a request shows, or has logged in with.
fn bearer_of<'a>(api: &'a Api, headers: &HeaderMap) -> Option<&'a Bearer> {
    let shown = bearer(headers).and_then(|shown| api.tokens.of(shown));
    shown.or_else(|| api.tokens.of_session(cookie(headers, COOKIE)?))
}

/// Whether it comes from a browser that has logged in. When no token is set, nobody has.
pub(super) fn has_session(api: &Api, headers: &HeaderMap) -> bool {
    cookie(headers, COOKIE).is_some_and(|shown| api.tokens.of_session(shown).is_some())
}

/// Whether a request may wake a service: anybody's may, unless it asks for a token; then one that shows it, or the
/// cookie of a link.
pub(super) fn may_wake(api: &Api, headers: &HeaderMap, view: &ServiceView) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut shown = cookies.filter_map(|value| pass::cookie(value, pass::COOKIE));
    let admits =
        |pass: &str| api.passes.as_ref().is_some_and(|passes| passes.admits(&view.metadata.name, pass));
    let may = bearer_of(api, headers).is_some_and(|bearer| bearer.role >= Role::Wake);
    view.spec.wake.access == Access::Public || may || shown.any(admits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_call_needs() {
        for (method, path, role) in [
            (Method::GET, "/v1/services/a", Role::Read),
            (Method::HEAD, "/metrics", Role::Read),
            (Method::POST, "/v1/services/a/wake", Role::Wake),
            (Method::POST, "/v1/services/a/sleep", Role::Wake),
            (Method::POST, "/v1/services/a/link", Role::Wake),
            (Method::PUT, "/v1/services/wake", Role::Admin),
            (Method::DELETE, "/v1/services/a", Role::Admin),
            (Method::DELETE, "/v1/templates/a", Role::Admin),
            (Method::POST, "/v1/whatever-comes", Role::Admin),
        ] {
            assert_eq!(needs(&method, path), role, "{method} {path}");
        }
    }
}

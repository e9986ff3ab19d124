//! The description is of the calls that there are, and of all of them.

use super::{TOKEN, api_with, call, request};
use crate::api::Options;
use crate::api::openapi::{CALLS, For};
use crate::api::router::{guarded, open};
use crate::config::Secret;
use crate::testing::{FakePlane, asleep};
use crate::tokens::Tokens;
use axum::Router;
use http::{StatusCode, header};
use serde_json::Value;
use std::collections::BTreeSet;
use tower::ServiceExt as _;

fn described() -> Router {
    let plane = FakePlane::new([asleep("a")]);
    api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() })
}

async fn document() -> Value {
    call(&described(), "GET", "/openapi.json", "").await.1
}

/// Methods and paths that the router has, by what it says is allowed.
async fn routes() -> BTreeSet<(String, String)> {
    let router = described();
    let mut routes = BTreeSet::new();
    for (path, _) in guarded().into_iter().chain(open()) {
        let wrong = request("BREW", &path.replace("{name}", "a"), "");
        let answer = router.clone().oneshot(wrong).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.headers()[header::ALLOW].to_str().unwrap().to_lowercase();
        // Whoever may ask for something may ask for its head.
        let methods = allowed.split(',').filter(|method| *method != "head");
        routes.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    routes
}

#[tokio::test]
async fn every_route_is_described_and_every_description_has_a_route() {
    let described = CALLS.iter().map(|call| (call.method.to_owned(), call.path.to_owned()));
    assert_eq!(described.collect::<BTreeSet<_>>(), routes().await);
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let shown: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(shown, CALLS.len());
}

#[tokio::test]
async fn who_needs_which_token_is_described() {
    let router = described();
    let document = document().await;
    for described in CALLS {
        let path = described.path.replace("{name}", "a");
        let answer =
            router.clone().oneshot(request(&described.method.to_uppercase(), &path, "")).await.unwrap();
        let refused = answer.status() == StatusCode::UNAUTHORIZED;
        // The login is answered with a page that asks again.
        let expected = described.audience != For::All;
        assert_eq!(refused, expected, "{path}");
        let operation = &document["paths"][described.path][described.method];
        assert_eq!(operation["security"].is_array(), expected, "{path}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.contains_key(answer.status().as_str()), "{path} answers {}", answer.status());
    }
}

#[tokio::test]
async fn every_schema_that_is_named_is_there() {
    let document = document().await;
    let mut open = vec![&document];
    let mut seen = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            _ => {}
        }
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

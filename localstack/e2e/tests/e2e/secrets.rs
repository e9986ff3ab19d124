//! What is secret is told to nobody: not in logs, events, errors, answers or pages.

use dormouse_e2e::control::Control;
use dormouse_e2e::controller::API_PORT;
use dormouse_e2e::eventually::{SOON, eventually, holds};
use dormouse_e2e::http::Request;
use dormouse_e2e::manifest::Manifest;
use dormouse_e2e::options::Options;
use dormouse_e2e::run::run;
use dormouse_e2e::world::host;
use std::net::SocketAddr;

const ADMIN: &str = "hush-admin-4d1c9a";
const WAKE: &str = "hush-wake-7be02f";
const READ: &str = "hush-read-a93d55";
const SECRET: &str = "hush-key-of-heartbeats-0123456789abcdef";
/// A part of the webhook's address.
const HOOK: &str = "hush-hook-5f1e77";
/// The webhook's key, which is base64.
const KEY: &str = "hushkeyofthewebhook0123456789abc";
/// A value in the service's environment. Whoever may read the manifest reads it there, and nowhere else.
const VALUE: &str = "hush-value-c61f08";

#[test]
fn no_secret_is_told() {
    let options = Options::default()
        .controller("DORMOUSE_API_TOKEN", &format!("alice:{ADMIN}"))
        .controller("DORMOUSE_API_TOKEN_WAKE", &format!("ci:{WAKE}"))
        .controller("DORMOUSE_API_TOKEN_READ", READ)
        .controller("DORMOUSE_SECRET", SECRET)
        // Nobody is there: what failed is told, too.
        .controller("DORMOUSE_WEBHOOK_URL", &format!("http://127.0.0.1:1/{HOOK}"))
        .controller("DORMOUSE_WEBHOOK_SECRET", &format!("whsec_{KEY}"))
        .controller("DORMOUSE_LOG", "debug");
    run(options, |world| {
        let controller = world.controller();
        let api = SocketAddr::new(controller.address().parse().unwrap(), API_PORT);
        let mut told = Vec::new();
        let mut ask = |token: &str, method: &str, path: &str, body: &str| {
            let request = Request::new(method, "controller", path).header("Accept", "text/html,*/*");
            let request = match token {
                "" => request,
                token => request.header("Authorization", &format!("Bearer {token}")),
            };
            let answer = request.body(body).send(api).unwrap();
            told.push((format!("{method} {path}"), answer.to_string()));
            answer
        };
        let manifest = |name: &str| Manifest::app(name).env("PASSWORD", VALUE);
        let service = manifest("hello").document().to_string();
        assert_eq!(ask(ADMIN, "PUT", "/v1/services/hello", &service).status, 201);
        // Mistakes are told without what stands beside them.
        let wrong = manifest("hello").spec("port", 0).document().to_string();
        assert_eq!(ask(ADMIN, "PUT", "/v1/services/hello", &wrong).status, 422);
        let wrong = service.replace("\"PASSWORD\"", "\"PASS WORD\"");
        assert_eq!(ask(ADMIN, "PUT", "/v1/services/hello", &wrong).status, 422);
        assert_eq!(ask(READ, "DELETE", "/v1/services/hello", "").status, 403);
        assert_eq!(ask(WAKE, "PUT", "/v1/services/hello", &service).status, 403);
        assert_eq!(ask(&ADMIN[1..], "PUT", "/v1/services/hello", &service).status, 401);
        assert_eq!(ask(WAKE, "POST", "/v1/services/hello/wake?wait=60s", "").status, 200);
        let beat = r#"{"boot": "b", "seq": 1, "state": "serving"}"#;
        assert_eq!(ask(ADMIN, "POST", "/v1/heartbeat", beat).status, 401);
        for path in ["/", "/hello", "/api/hello", "/metrics", "/v1/events", "/v1/services/hello/events"] {
            ask(READ, "GET", path, "");
        }
        for path in ["/v1/instances", "/v1/doctor", "/v1/cost", "/openapi.json", "/nothing/there"] {
            ask(READ, "GET", path, "");
        }
        ask("", "POST", "/.dormouse/login", &format!("token={ADMIN}"));
        assert_eq!(ask(WAKE, "POST", "/v1/services/hello/sleep?wait=60s", "").status, 200);
        // The activator, with a token that is no business of the service's.
        let echo =
            Request::new("GET", &host("hello"), "/echo").header("Authorization", &format!("Bearer {WAKE}"));
        let echo = echo.send(controller.activator()).unwrap();
        assert_eq!(echo.status, 200, "{echo}");
        told.push(("the service's answer".to_owned(), echo.to_string()));
        // The tokens that sidecars show are made of the key.
        let tasks = tokens_of_tasks(&world.control);
        assert!(!tasks.is_empty(), "no task has a token");
        let audits = "\"who\":\"ci (wake)\"";
        eventually("the log is written", SOON, || holds(controller.log().contains(audits), "no audit line"));
        eventually("the webhook was tried", SOON, || {
            holds(controller.log().contains("the webhook was not told"), "it was not")
        });
        told.push(("the log".to_owned(), controller.log()));
        assert!(controller.log().contains("\"level\":\"DEBUG\""), "the log tells what it can");
        let secrets =
            [ADMIN, WAKE, READ, SECRET, HOOK, KEY, VALUE].into_iter().map(str::to_owned).chain(tasks);
        for secret in secrets {
            for (what, text) in &told {
                // A person's own declaration is answered with what was declared.
                let shown =
                    secret == VALUE && what.contains("/v1/services/hello") && text.contains("\"spec\"");
                assert!(shown || !text.contains(&secret), "{what} tells {secret}");
            }
        }
    });
}

/// What every task was given to prove itself with.
fn tokens_of_tasks(control: &Control) -> Vec<String> {
    let tasks = control.get("tasks").to_string();
    let marked = tasks.split("\"DORMOUSE_TASK_TOKEN\":\"").skip(1);
    marked.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}
